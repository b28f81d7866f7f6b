/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* In pull mode: does GitHub list deliveries of this app at all? It lists none of a webhook that is
 * not active, so a bot with that mistake would only seem to have nothing to do.
 *
 * Once an hour it asks for the webhook's configuration, which GitHub has for an active webhook only
 * (404). While the list is empty it asks each minute, and looks for an installation of the last
 * days: its event "installation" should be in the list.
 *
 * Threads: the loop's thread, except hook_watch_name(), which any thread may call. */
#ifndef SNEK_MAINTENANCE_HOOK_WATCH_H
#define SNEK_MAINTENANCE_HOOK_WATCH_H

#include "broker/broker.h"

enum hook_state {
    HOOK_UNKNOWN,
    HOOK_OK,
    /* The app has no webhook, or it is not active. */
    HOOK_INACTIVE,
    /* The app was installed a while ago, and the list is empty. */
    HOOK_SILENT,
};

struct hook_watch {
    struct broker *broker;   /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    /* How long GitHub keeps an entry. */
    int64_t retention_ms;
    struct broker_request request;
    bool under_way, closed;
    bool list_is_empty;
    /* By GitHub's clock. */
    int64_t github_now_ms;
    /* Monotonic. */
    int64_t next_ms;
    /* enum hook_state. */
    _Atomic int state;
};

void hook_watch_init(struct hook_watch *watch, struct broker *broker, struct mailbox *mailbox,
                     int64_t retention_ms);

/* Asks GitHub when it is time, after a reading of the list. Returns when to call again; monotonic.
 */
int64_t hook_watch_tick(struct hook_watch *watch, bool list_is_empty, int64_t github_now_ms,
                        int64_t now_ms);

/* "ok", "inactive", "silent" or "unknown". */
const char *hook_watch_name(struct hook_watch *watch);

/* Was the app installed long enough ago for its event to be in the list, and not so long ago that
 * GitHub has removed the event? `body`: the response of GET /app/installations. Any thread. */
bool hook_watch_expects_event(const struct buffer *body, int64_t retention_ms,
                              int64_t github_now_ms);

/* The broker is gone: a response that still arrives is ignored. */
void hook_watch_close(struct hook_watch *watch);

#endif
