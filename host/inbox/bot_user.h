/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The id of the app's bot user, so that it is asked from GitHub once. It stays the same when the
 * app is renamed. */
#ifndef SNEK_INBOX_BOT_USER_H
#define SNEK_INBOX_BOT_USER_H

#include "inbox/operation.h"

#include <stdint.h>

/* GET returns the id, or 0 when the store does not know it. PUT stores it. Result: 0. */
struct inbox_bot_user {
    struct inbox_operation operation;
    /* Names the app and its GitHub. Borrowed. */
    const char *app;
    int64_t user;
};

#endif
