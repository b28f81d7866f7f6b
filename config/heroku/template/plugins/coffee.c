/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Responds to /coffee with a coffee. Change this plugin, or add another one beside it. */
#include <snekomatic/snekomatic.h>

static int32_t coffee(struct snek_run *run) {
    return snek_reply(run, "Here you are: ☕");
}

static const struct snek_permission permissions[] = {{"issues", "write"},
                                                     {"pull_requests", "write"}};
static const struct snek_command commands[] = {
    {.name = "coffee", .usage = "/coffee", .handler = coffee}};

SNEK_PLUGIN(.name = "coffee", .version = "1.0", .summary = "Answers /coffee.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
