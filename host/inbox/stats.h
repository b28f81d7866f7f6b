/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How much the inbox holds, for metrics. */
#ifndef SNEK_INBOX_STATS_H
#define SNEK_INBOX_STATS_H

#include "inbox/operation.h"

#include <stdint.h>

struct inbox_stats {
    struct inbox_operation operation;
    /* Out, as all below: runs in each state. */
    int64_t queued, blocked, running, dead, parked;
    /* Intents without a response, of runs that are not running now. */
    int64_t in_doubt;
    /* Wall clock: when the first queued run is due; INT64_MAX when none is queued. */
    int64_t oldest_due_ms;
};

#endif
