/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A hostile plugin: it runs the probe that the payload names by its number, and reports the outcome
 * as its reason. */
#include "probes.h"

#include <snekomatic/snekomatic.h>

#include <stdio.h>

static int32_t on_probe(struct snek_run *run) {
    const struct world world = {.directory = snek_string(run, "directory"),
                                .victim = (int)snek_integer(run, "victim", 0),
                                .secret_at = (unsigned long long)snek_integer(run, "secret_at", 0)};
    const struct probe *probe = probe_at((size_t)snek_integer(run, "number", -1));
    char report[40];
    /* 0, 1 and negative numbers would name this process's group, init, or everybody. */
    if (!probe || !world.directory || world.victim <= 1) {
        return snek_reject(run, "a malformed payload");
    }
    snprintf(report, sizeof report, "outcome %d", probe->run(&world));
    return snek_skip(run, report);
}

static const struct snek_subscription subscriptions[] = {{"probe", NULL, on_probe, {{0}}}};
SNEK_PLUGIN(.name = "hostile", .version = "1", .summary = "runs the probe that its payload names",
            SNEK_TABLE(subscriptions))
