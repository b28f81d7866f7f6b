/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps one comment with the size of a pull request up to date. */
#include <snekomatic/snekomatic.h>

static int32_t measure(struct snek_run *run) {
    return snek_sticky_comment(run, "size",
                               snek_print(run, "This changes %s files: +%s -%s",
                                          snek_text(run, "pull_request.changed_files"),
                                          snek_text(run, "pull_request.additions"),
                                          snek_text(run, "pull_request.deletions")));
}

static const struct snek_permission permissions[] = {{"pull_requests", "write"}};
static const struct snek_subscription subscriptions[] = {
    {.event = "pull_request", .action = "opened", .handler = measure},
    {.event = "pull_request", .action = "synchronize", .handler = measure}};

SNEK_PLUGIN(.name = "sticky", .version = "1.0", .summary = "Shows the size of pull requests.",
            .order = SNEK_ORDER_ITEM, SNEK_TABLE(permissions), SNEK_TABLE(subscriptions))
