/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin of a later minor, with more at the end of its structs than this host knows. */
#include <snekomatic/snekomatic.h>

struct later_command {
    struct snek_command known;
    const char *shortcut;
};

struct later_plugin {
    struct snek_plugin known;
    const char *homepage;
};

static int32_t first(struct snek_run *run) {
    snek_log(run, SNEK_LOG_INFO, "first");
    return SNEK_DONE;
}

static int32_t second(struct snek_run *run) {
    snek_log(run, SNEK_LOG_INFO, "second");
    return SNEK_DONE;
}

static const struct later_command commands[] = {
    {{"first", "/first", SNEK_ROLE_ANYBODY, 0, first, NULL}, "f"},
    {{"second", "/second", SNEK_ROLE_ANYBODY, 0, second, NULL}, "s"},
};

static const struct later_plugin plugin = {
    .known = {.head = {SNEK_ABI_MAGIC, SNEK_ABI_MAJOR, 7, 0, 0, sizeof(struct later_plugin)},
              .name = "future",
              .version = "8",
              .summary = "knows more",
              .commands = (const struct snek_command *)(const void *)commands,
              .commands_count = 2,
              .commands_bytes = sizeof(struct later_command)},
    .homepage = "later",
};

SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void);
SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void) {
    return &plugin.known;
}
