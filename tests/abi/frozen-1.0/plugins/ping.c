/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* /ping: posts a comment `pong!`, then adds a heart to the text that holds the command. */
#include <snekomatic/snekomatic.h>

static int32_t ping(struct snek_run *run) {
    int32_t result = snek_reply(run, "pong!");
    return result < 0 ? result : snek_react(run, "heart");
}

static const struct snek_permission permissions[] = {{"issues", "write"},
                                                     {"pull_requests", "write"}};
static const struct snek_command commands[] = {
    {.name = "ping", .usage = "/ping: answers pong!", .handler = ping}};

SNEK_PLUGIN(.name = "ping", .version = "1.0", .summary = "Answers /ping with pong! and a heart.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
