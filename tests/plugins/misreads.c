/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads paths that payloads of GitHub's do not have: for the harness's warnings. */
#include <snekomatic/snekomatic.h>

static int32_t on_opened(struct snek_run *run) {
    /* Another event has it, as in a handler for several events. */
    snek_string(run, "issue.title");
    snek_string(run, "pull_request.titel");
    snek_string(run, "pull_request.labels[0].colour");
    return snek_string(run, "pull_request.title") ? SNEK_DONE : SNEK_SKIPPED;
}

static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = on_opened},
    {.event = "pull_request",
     .action = "closed",
     .handler = on_opened,
     .filters = {{"issue.title", SNEK_EXISTS, 0, {NULL}}}}};

SNEK_PLUGIN(.name = "misreads", .version = "1", .summary = "reads what is not there",
            SNEK_TABLE(subscriptions))
