/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The smallest plugin: it replies to the command /hello. */
#include <snekomatic/snekomatic.h>

static int32_t hello(struct snek_run *run) {
    return snek_reply(run, "Hello! 🐍");
}

static const struct snek_permission permissions[] = {{"issues", "write"},
                                                     {"pull_requests", "write"}};
static const struct snek_command commands[] = {
    {.name = "hello", .usage = "/hello", .handler = hello}};

SNEK_PLUGIN(.name = "hello", .version = "1.0", .summary = "Answers /hello.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
