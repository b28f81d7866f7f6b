/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How much the inbox holds, for metrics. */
#ifndef SNEK_INBOX_STATS_H
#define SNEK_INBOX_STATS_H

#include "inbox/operation.h"

#include <stdint.h>

struct inbox_stats {
    struct inbox_operation operation;
    /* See inbox_put. */
    const char *configured;
    /* Out, like all below: runs in each state. A count ends at 100,000, because counting more would
     * delay the webhooks that wait for the writer. */
    int64_t queued, blocked, running, dead, parked, held;
    /* Runs whose handler asked to wait. `queued` and `blocked` do not count them. */
    int64_t waiting;
    /* Runs among the queued, blocked and parked ones whose plugin no host has configured. */
    int64_t not_configured;
    /* Timers that have not fired. Counted up to 100,000, too. */
    int64_t timers;
    /* Intents without a response, of runs that are not running now. */
    int64_t in_doubt;
    /* Wall clock: when the first queued run is due; INT64_MAX when none is queued. */
    int64_t oldest_due_ms;
    /* Wall clock: the first intent among those of `in_doubt`; 0: none. */
    int64_t oldest_in_doubt_ms;
    /* Wall clock: when the delivery of the first run came that is among those of `waiting`; 0:
     * none. */
    int64_t oldest_waiting_ms;
};

#endif
