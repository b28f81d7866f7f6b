/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin that takes another plugin's name while the file "twin" is in the working directory.
 * While the file "crash" is there, its constructor crashes. While "hang" is there, create() does
 * not return, and with plugin.config.hang it never does. */
#include <snekomatic/snekomatic.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void crash(void) {
    if (access("crash", F_OK) == 0) {
        abort();
    }
}

static int32_t skip(struct snek_run *run) {
    return SNEK_SKIPPED;
}

static int32_t create(const struct snek_host *host, void **state) {
    const char *hang = snek_config_string(host, "hang", "");
    while (access("hang", F_OK) == 0 || strcmp(hang, "forever") == 0) {
        (void)poll(NULL, 0, 10);
    }
    return SNEK_DONE;
}

static const struct snek_subscription subscriptions[] = {{"push", NULL, skip, {{0}}, 0, 0}};

static struct snek_plugin plugin = {
    .head = {SNEK_ABI_MAGIC, SNEK_ABI_MAJOR, SNEK_ABI_MINOR, 0, 0, sizeof(struct snek_plugin)},
    .name = "twin",
    .version = "1",
    .summary = "has one of two names",
    .subscriptions = subscriptions,
    .subscriptions_count = 1,
    .subscriptions_bytes = sizeof *subscriptions,
    .create = create,
};

SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void);
SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void) {
    if (access("twin", F_OK) == 0) {
        plugin.name = "trouble";
    }
    return &plugin;
}
