/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the inbox for due timers every two seconds, and fires one after the other. */
#include "maintenance/timers.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_INTERVAL_MS 2000
/* After a failure. */
#define RETRY_MS 10000
#define TIMERS_AT_ONCE 16
/* A host that is not elected leaves the others so much time. */
#define LEFT_OVER_MS 15000

void timers_init(struct timers *timers, struct inbox *inbox, struct mailbox *mailbox,
                 const struct delivery_router *router, const struct plugin_directory *plugins) {
    *timers =
        (struct timers){.inbox = inbox, .mailbox = mailbox, .router = *router, .plugins = *plugins};
}

static bool sets_timers(const struct description *description) {
    return description && description_wants(description, INBOX_TIMER_EVENT, "");
}

/* The names of this host's plugins that may have timers, each between newlines; NULL: there are
 * none, or memory is short. */
static char *list_names(const struct timers *timers) {
    AUTO_BUFFER struct buffer names = BUFFER_INIT((size_t)1 << 20);
    bool more = true, any = false;
    int result = buffer_append_text(&names, "\n");
    for (size_t i = 0; more; i++) {
        const struct description *description =
            timers->plugins.describe(timers->plugins.context, i, &more);
        if (sets_timers(description)) {
            any = true;
            result |= buffer_append_text(&names, description->name);
            result |= buffer_append_text(&names, "\n");
        }
    }
    return any && result == 0 ? buffer_steal(&names) : NULL;
}

static void end_pass(struct timers *timers, int64_t next_ms) {
    inbox_due_timers_free(timers->due.timers, timers->due.n_timers);
    timers->due.timers = NULL;
    timers->due.n_timers = 0;
    free(timers->names);
    timers->names = NULL;
    timers->under_way = false;
    timers->next_ms = next_ms;
}

static void on_fired(struct inbox_operation *operation);

static void fire_next(struct timers *timers) {
    struct inbox_timers_due *due = &timers->due;
    bool all = due->n_timers == TIMERS_AT_ONCE;
    if (timers->next == due->n_timers || timers->closed) {
        timers->looked = !all && !timers->wanted;
        end_pass(timers, clock_monotonic_ms() + (all ? 0 : LOOK_INTERVAL_MS));
        return;
    }
    struct inbox_due_timer *timer = &due->timers[timers->next++];
    struct firing *firing = &timers->firing;
    *firing = (struct firing){.router = &timers->router, .taken = {.timer = timer->id}};
    memcpy(firing->plugin, timer->plugin, sizeof firing->plugin);
    memcpy(firing->installation, timer->installation, sizeof firing->installation);
    memcpy(firing->guid, timer->guid, sizeof firing->guid);
    firing->body = timer->body;
    timer->body = (struct buffer){0};
    bool submitted =
        firing_submit(firing, INBOX_TIMER_EVENT, timers->inbox, timers->mailbox, on_fired);
    assert(submitted);
    (void)submitted; /* only asserted */
}

static void on_fired(struct inbox_operation *operation) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct firing *firing = CONTAINER_OF(put, struct firing, put);
    struct timers *timers = CONTAINER_OF(firing, struct timers, firing);
    bool failed = operation->result < 0;
    timers->fired += firing_finish(firing, !timers->closed);
    if (failed) {
        end_pass(timers, clock_monotonic_ms() + RETRY_MS);
        return;
    }
    fire_next(timers);
}

static void on_due(struct inbox_operation *operation) {
    struct inbox_timers_due *due = CONTAINER_OF(operation, struct inbox_timers_due, operation);
    struct timers *timers = CONTAINER_OF(due, struct timers, due);
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_ERROR, "timers_failed", LOG_TEXT("reason", operation->error.text));
        end_pass(timers, clock_monotonic_ms() + RETRY_MS);
        return;
    }
    timers->next = 0;
    fire_next(timers);
}

int64_t timers_tick(struct timers *timers, bool allowed, bool elected, int64_t time_ms,
                    int64_t now_ms) {
    if (timers->under_way || timers->closed || !timers->router.route) {
        return INT64_MAX;
    }
    if (timers->next_ms > now_ms && !timers->wanted) {
        return timers->next_ms;
    }
    timers->names = allowed ? list_names(timers) : NULL;
    if (!timers->names) {
        timers->looked = allowed;
        timers->wanted = timers->wanted && !allowed;
        timers->next_ms = now_ms + LOOK_INTERVAL_MS;
        return timers->next_ms;
    }
    timers->due = (struct inbox_timers_due){
        .operation = {.kind = INBOX_TIMERS_DUE, .reply_to = timers->mailbox, .on_result = on_due},
        .now_ms = time_ms - (elected ? 0 : LEFT_OVER_MS),
        .plugins = timers->names,
        .most = TIMERS_AT_ONCE,
    };
    timers->under_way = true;
    timers->wanted = false;
    inbox_submit(timers->inbox, &timers->due.operation);
    return INT64_MAX;
}

void timers_want(struct timers *timers) {
    timers->wanted = true;
    timers->looked = false;
}

bool timers_settled(const struct timers *timers) {
    return timers->looked || !timers->router.route;
}

void timers_close(struct timers *timers) {
    timers->closed = true;
}

void timers_finish(struct timers *timers) {
    if (timers->under_way) {
        buffer_finish(&timers->firing.body);
    }
    end_pass(timers, 0);
}
