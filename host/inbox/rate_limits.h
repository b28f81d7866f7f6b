/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Until when GitHub accepts no requests of an installation. Every host of the store obeys it, also
 * after a restart. */
#ifndef SNEK_INBOX_RATE_LIMITS_H
#define SNEK_INBOX_RATE_LIMITS_H

#include "inbox/operation.h"

#include <stdint.h>

enum inbox_rate_limit_resource {
    /* All requests of the installation. Its queued runs are due then at the earliest, and so are
     * runs that are put later, so that no host claims one. The other resources are stored for the
     * broker alone. */
    INBOX_RATE_LIMIT_ALL,
    INBOX_RATE_LIMIT_SEARCH,
    INBOX_RATE_LIMIT_GRAPHQL,
    /* Their number. */
    INBOX_RATE_LIMIT_RESOURCES,
};

struct inbox_rate_limit {
    struct inbox_operation operation;
    const char *installation;
    /* Wall; 0 none. PUT: in; a later time that the store has already stays. GET: out. Result 0. */
    int64_t until_ms[INBOX_RATE_LIMIT_RESOURCES];
};

#endif
