/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plugins/hello in C++20, which has designated initializers, so SNEK_PLUGIN works. */
#include <snekomatic/snekomatic.h>

static int32_t hello(struct snek_run *run) {
    return snek_reply(run, snek_print(run, "Hello, %s!", snek_argument(run, 1)));
}

static const struct snek_permission permissions[] = {{"issues", "write"}};
SNEK_INITIALIZER_BEGIN
static const struct snek_command commands[] = {
    {.name = "hello", .usage = "/hello", .handler = hello}};
SNEK_INITIALIZER_END

SNEK_PLUGIN(.name = "hello", .version = "1.0", .summary = "Answers /hello.",
            SNEK_TABLE(permissions), SNEK_TABLE(commands))
