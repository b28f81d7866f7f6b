/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Has the inbox sum deliveries, step by step, with a pause after each step. */
#include "maintenance/digest.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>

#define DAY_MS INT64_C(86400000)
/* Between two passes. A page counts what came since the last one. */
#define PASS_INTERVAL_MS 10000
/* After a failure. */
#define RETRY_MS 60000
/* A pass uses at most a fifth of the writer's time. */
#define PAUSE_FACTOR 4
#define PAUSE_MIN_MS 10

void digest_init(struct digest *digest, struct inbox *inbox, struct mailbox *mailbox,
                 int64_t audit_days) {
    assert(audit_days >= 0);
    *digest = (struct digest){.inbox = inbox, .mailbox = mailbox, .audit_days = audit_days};
}

void digest_close(struct digest *digest) {
    digest->closed = true;
}

static void on_step(struct inbox_operation *operation) {
    struct inbox_digest *step = CONTAINER_OF(operation, struct inbox_digest, operation);
    struct digest *digest = CONTAINER_OF(step, struct digest, step);
    int64_t now_ms = clock_monotonic_ms();
    assert(digest->under_way);
    digest->under_way = false;
    if (operation->result < 0) {
        if (!digest->failing && !digest->closed) {
            log_event(SNEK_LEVEL_ERROR, "digest_failed", LOG_TEXT("reason", operation->error.text));
        }
        digest->failing = true;
        digest->next_ms = now_ms + RETRY_MS;
        return;
    }
    digest->failing = false;
    int64_t pause_ms = (now_ms - digest->started_ms) * PAUSE_FACTOR;
    if (!step->more) {
        pause_ms = PASS_INTERVAL_MS;
    }
    digest->next_ms = now_ms + (pause_ms > PAUSE_MIN_MS ? pause_ms : PAUSE_MIN_MS);
}

int64_t digest_tick(struct digest *digest, bool allowed, int64_t now_ms) {
    if (digest->under_way || !allowed) {
        return INT64_MAX;
    }
    if (digest->next_ms > now_ms) {
        return digest->next_ms;
    }
    int64_t wall_ms = clock_wall_ms();
    digest->step = (struct inbox_digest){
        .operation = {.kind = INBOX_DIGEST, .reply_to = digest->mailbox, .on_result = on_step},
        .now_ms = wall_ms,
        .actions_before_ms = wall_ms - digest->audit_days * DAY_MS};
    digest->under_way = true;
    digest->started_ms = now_ms;
    inbox_submit(digest->inbox, &digest->step.operation);
    return INT64_MAX;
}
