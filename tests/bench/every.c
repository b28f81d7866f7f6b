/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin that handles every delivery of the benchmarks, and does nothing. */
#include "events.h"

static int32_t nothing(struct snek_run *run) {
    (void)run;
    return SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {EACH_EVENT(nothing)};
SNEK_PLUGIN(.name = "every", .version = "1", .summary = "does nothing", SNEK_TABLE(subscriptions))
