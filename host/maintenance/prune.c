/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Passes over old deliveries, step by step, with a pause after each step. */
#include "maintenance/prune.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>

#define DAY_MS INT64_C(86400000)
/* GitHub itself redelivers within 3 days. People look at dead runs and old GUIDs for longer. */
#define DEAD_DAYS 30
#define GUID_DAYS 35
/* GitHub Enterprise Server lists deliveries for 7 days. */
#define PULLED_DAYS 10

#define PASS_INTERVAL_MS 600000
/* After a failure. */
#define RETRY_MS 60000
/* Webhooks wait for a step: about 2 ms of work in PostgreSQL. */
#define STEP_DELIVERIES 50
#define STEP_BYTES (UINT64_C(1) << 20)
/* A pass uses at most a tenth of the writer's time, so that ingest keeps nine tenths of its rate. A
 * step's time includes its wait for the writer: the busier the writer, the rarer the steps. */
#define PAUSE_FACTOR 9
#define PAUSE_MIN_MS 10

void prune_init(struct prune *prune, struct inbox *inbox, struct mailbox *mailbox,
                int64_t retention_days, int64_t audit_days, const char *configured) {
    assert(retention_days >= 0 && audit_days >= 0);
    *prune = (struct prune){.inbox = inbox,
                            .mailbox = mailbox,
                            .retention_days = retention_days,
                            .audit_days = audit_days,
                            .configured = configured};
}

void prune_close(struct prune *prune) {
    prune->closed = true;
}

static int64_t older_than(int64_t now_ms, int64_t days, int64_t least_days) {
    return now_ms - (days > least_days ? days : least_days) * DAY_MS;
}

static void end_pass(struct prune *prune, int64_t next_ms) {
    prune->step.after = (struct inbox_prune_position){0};
    prune->next_ms = next_ms;
    if (prune->bodies > 0 || prune->forgotten > 0 || prune->audited > 0) {
        log_event(SNEK_LEVEL_INFO, "pruned", LOG_NUMBER("bodies", (int64_t)prune->bodies),
                  LOG_NUMBER("deliveries", (int64_t)prune->forgotten),
                  LOG_NUMBER("audit", (int64_t)prune->audited));
    }
    if (prune->marked > 0 || prune->ended > 0) {
        log_event(SNEK_LEVEL_WARNING, "not_configured", LOG_NUMBER("runs", (int64_t)prune->marked),
                  LOG_NUMBER("ended", (int64_t)prune->ended),
                  LOG_TEXT("reason", "runs wait for plugins that are not configured; configure the "
                                     "plugin again, or end them with `snekomatic deliveries "
                                     "discard`"));
    }
    prune->bodies = prune->forgotten = prune->audited = prune->marked = prune->ended = 0;
}

static void on_step(struct inbox_operation *operation) {
    struct inbox_prune *step = CONTAINER_OF(operation, struct inbox_prune, operation);
    struct prune *prune = CONTAINER_OF(step, struct prune, step);
    int64_t now_ms = clock_monotonic_ms();
    assert(prune->under_way);
    prune->under_way = false;
    if (operation->result < 0) {
        if (!prune->failing && !prune->closed) {
            log_event(SNEK_LEVEL_ERROR, "prune_failed", LOG_TEXT("reason", operation->error.text));
        }
        prune->failing = true;
        end_pass(prune, now_ms + RETRY_MS);
        return;
    }
    prune->failing = false;
    prune->bodies += step->bodies;
    prune->forgotten += step->forgotten;
    prune->audited += step->audited;
    prune->marked += step->marked;
    prune->ended += step->ended;
    if (!step->more) {
        end_pass(prune, now_ms + PASS_INTERVAL_MS);
        return;
    }
    int64_t pause_ms = (now_ms - prune->started_ms) * PAUSE_FACTOR;
    step->after = step->next;
    prune->next_ms = now_ms + (pause_ms > PAUSE_MIN_MS ? pause_ms : PAUSE_MIN_MS);
}

int64_t prune_tick(struct prune *prune, bool allowed, int64_t now_ms) {
    if (prune->under_way || !allowed) {
        return INT64_MAX;
    }
    if (prune->next_ms > now_ms) {
        return prune->next_ms;
    }
    int64_t days = prune->retention_days, wall_ms = clock_wall_ms();
    prune->step = (struct inbox_prune){
        .operation = {.kind = INBOX_PRUNE, .reply_to = prune->mailbox, .on_result = on_step},
        .done_before_ms = older_than(wall_ms, days, 0),
        .dead_before_ms = older_than(wall_ms, days, DEAD_DAYS),
        .forget_before_ms = older_than(wall_ms, days, GUID_DAYS),
        .audit_before_ms = older_than(wall_ms, prune->audit_days, 0),
        .pulled_before_ms = older_than(wall_ms, PULLED_DAYS, 0),
        .most = STEP_DELIVERIES,
        .most_bytes = STEP_BYTES,
        .after = prune->step.after,
        .configured = prune->configured,
        .now_ms = wall_ms,
    };
    prune->under_way = true;
    prune->started_ms = now_ms;
    inbox_submit(prune->inbox, &prune->step.operation);
    return INT64_MAX;
}
