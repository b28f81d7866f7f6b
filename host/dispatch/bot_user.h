/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The app's bot user, so that the bot knows its own events. Its id is asked from GitHub when the
 * first event of any bot arrives, and stored. The login is of no use, because it changes when the
 * app is renamed.
 *
 *   known --> the run begins
 *   GET /app --> the present slug --> GET /users/SLUG[bot] --> stored, and the run begins
 *
 * Threads: the loop's. */
#ifndef SNEK_DISPATCH_BOT_USER_H
#define SNEK_DISPATCH_BOT_USER_H

#include "dispatch/call.h"
#include "inbox/bot_user.h"

struct bot_user {
    /* 0: not known. */
    int64_t id;
    /* "API_URL APP_ID"; ours. */
    char *app;
    struct inbox *inbox;
    /* The operation is with the inbox. */
    bool busy;
    struct inbox_bot_user operation;
};

/* The texts are copied. 0, or -1 when memory is short. */
int bot_user_init(struct bot_user *bot, struct inbox *inbox, const char *api_url,
                  const char *app_id);
/* Reads the id from the store, in the background. */
void bot_user_read(struct bot_user *bot, struct mailbox *mailbox);
/* The inbox must be gone, or idle. */
void bot_user_finish(struct bot_user *bot);

/* False when the sender is certainly not the app's bot user. */
bool bot_user_may_be(const char *sender);

/* Gives the run to its worker, with the id if its sender may be the bot. Asks GitHub for the id if
 * it is not known; if that fails, the attempt fails. */
void bot_user_begin_run(struct bot_user *bot, struct call_group *group, struct run *run);

#endif
