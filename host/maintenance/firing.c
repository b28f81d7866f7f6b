/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Routes what the clock causes to its plugin, and puts it into the inbox. */
#include "maintenance/firing.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <string.h>

bool firing_submit(struct firing *firing, const char *event, struct inbox *inbox,
                   struct mailbox *reply_to, void (*on_result)(struct inbox_operation *operation)) {
    struct error err;
    if (body_read(firing->body.data, firing->body.bytes, &firing->routing, &err) < 0) {
        log_event(SNEK_LEVEL_ERROR, "firing_failed", LOG_TEXT("delivery", firing->guid),
                  LOG_TEXT("plugin", firing->plugin), LOG_TEXT("reason", err.text));
        /* The timer goes, and nobody gets it. */
        firing->routing = (struct body_routing){.action = ""};
    }
    const struct body_routing *routing = &firing->routing;
    int64_t now_ms = clock_wall_ms();
    firing->put = (struct inbox_put){
        .operation = {.kind = INBOX_FIRE, .reply_to = reply_to, .on_result = on_result},
        .firing = &firing->taken,
        .only_plugin = firing->plugin,
        .guid = firing->guid,
        .event = event,
        .action = routing->action,
        .installation = firing->installation,
        .repository = routing->repository,
        .sender = "",
        .repository_id = routing->repository_id,
        .item = routing->item,
        .body = firing->body.data,
        .body_bytes = firing->body.bytes,
        .received_ms = now_ms,
        .due_ms = now_ms,
        .runs = &firing->run,
    };
    firing->router->route(firing->router->context, &firing->put);
    if (firing->put.n_runs == 0 && !firing->taken.timer) {
        buffer_finish(&firing->body);
        return false;
    }
    inbox_submit(inbox, &firing->put.operation);
    return true;
}

static void log_result(const struct firing *firing) {
    const struct inbox_put *put = &firing->put;
    bool timer = firing->taken.timer != 0;
    if (put->operation.result == INBOX_STORED) {
        log_event(SNEK_LEVEL_INFO, "stored", LOG_TEXT("delivery", put->guid),
                  LOG_TEXT("event", put->event), LOG_TEXT("action", text_or_null(put->action)),
                  LOG_TEXT("plugin", firing->plugin), LOG_TEXT("installation", put->installation),
                  LOG_TEXT("source", timer ? "timer" : "schedule"),
                  LOG_NUMBER("bytes", (int64_t)put->body_bytes),
                  LOG_NUMBER("runs", (int64_t)put->n_runs));
    } else if (put->operation.result == INBOX_FIRE_BUSY) {
        log_event(SNEK_LEVEL_WARNING, "schedule_skipped", LOG_TEXT("plugin", firing->plugin),
                  LOG_TEXT("schedule", put->action), LOG_TEXT("installation", put->installation),
                  LOG_TEXT("repository", text_or_null(put->repository)),
                  LOG_TEXT("reason", "the run of its last time has not ended"));
    } else if (put->operation.result < 0) {
        log_event(SNEK_LEVEL_ERROR, "firing_failed", LOG_TEXT("delivery", put->guid),
                  LOG_TEXT("plugin", firing->plugin),
                  LOG_TEXT("reason", put->operation.error.text));
    }
}

bool firing_finish(struct firing *firing, bool inform) {
    const struct delivery_router *router = firing->router;
    int result = firing->put.operation.result;
    log_result(firing);
    if (inform && firing->put.n_runs > 0) {
        router->on_stored(router->context, &firing->put, &firing->body);
    }
    inbox_put_finish(&firing->put);
    buffer_finish(&firing->body);
    return result == INBOX_STORED;
}
