/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugin of `./dev bench frames`: its handler returns at once. */
#include <snekomatic/snekomatic.h>

static int32_t nothing(struct snek_run *run) {
    (void)run;
    return SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {{"probe", NULL, nothing, {{0}}}};
SNEK_PLUGIN(.name = "bench", .version = "1", .summary = "does nothing", SNEK_TABLE(subscriptions))
