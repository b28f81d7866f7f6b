/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Of all the hosts of a store one does the maintenance: the one that the inbox elects, as long as
 * it asks again before its time is over. The host of an SQLite file is always the one. */
#include "maintenance/private.h"

#include "base/clock.h"
#include "base/log.h"

#define ASK_AGAIN_MS 5000 /* at most: how long after the end of a host another takes its part */
#define FAILED_AGAIN_MS 1000

static void tell(struct elect *elect, bool elected) {
    if (elected != elect->elected) {
        log_event(SNEK_LEVEL_INFO, elected ? "maintenance_taken" : "maintenance_elsewhere");
    }
    elect->elected = elected;
}

static void elected(struct inbox_operation *operation) {
    struct inbox_elect *asked = CONTAINER_OF(operation, struct inbox_elect, operation);
    struct elect *elect = CONTAINER_OF(asked, struct elect, asked);
    int64_t now_ms = clock_monotonic_ms(), third_ms = asked->lease_ms / 3;
    elect->under_way = false;
    if (elect->closed) {
        return;
    }
    if (operation->result < 0) { /* others say that the store fails */
        elect->next_ms = now_ms + FAILED_AGAIN_MS;
        return;
    }
    elect->until_ms = operation->result == 1 ? elect->asked_ms + asked->lease_ms : 0;
    elect->next_ms = now_ms + (third_ms < ASK_AGAIN_MS ? third_ms : ASK_AGAIN_MS);
    tell(elect, operation->result == 1);
}

int64_t elect_tick(struct maintenance *maintenance, int64_t now_ms) {
    struct elect *elect = &maintenance->elect;
    if (elect->elected && elect->until_ms <= now_ms) {
        tell(elect, false);
    }
    if (elect->under_way) {
        return INT64_MAX;
    }
    if (elect->next_ms > now_ms) {
        return elect->next_ms;
    }
    elect->asked = (struct inbox_elect){
        .operation = {.kind = INBOX_ELECT, .reply_to = &maintenance->mailbox, .on_result = elected},
        .lease = elect->lease,
        .lease_ms = maintenance->options.config->dispatch.lease_ms,
    };
    elect->under_way = true;
    elect->asked_ms = now_ms;
    inbox_submit(maintenance->options.inbox, &elect->asked.operation);
    return INT64_MAX;
}
