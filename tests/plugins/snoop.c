/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin whose constructor searches the environment of the process that started its worker. The
 * summary reports the number of occurrences of "marker-of-a-secret". */
#include <snekomatic/snekomatic.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARKER "marker-of-a-secret"

static char summary[64] = "cannot read the parent's environment";

__attribute__((constructor)) static void search(void) {
    static char environment[65536];
    char path[32];
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)getppid());
    FILE *file = fopen(path, "r");
    if (!file) {
        return;
    }
    size_t bytes = fread(environment, 1, sizeof environment - 1, file), found = 0;
    fclose(file);
    for (size_t at = 0; at + strlen(MARKER) <= bytes; at++) {
        found += memcmp(environment + at, MARKER, strlen(MARKER)) == 0;
    }
    snprintf(summary, sizeof summary, "found %lu secrets", (unsigned long)found);
}

static int32_t skip(struct snek_run *run) {
    return SNEK_SKIPPED;
}

static const struct snek_subscription subscriptions[] = {{"push", NULL, skip, {{0}}, 0, 0}};

static const struct snek_plugin plugin = {
    .head = {SNEK_ABI_MAGIC, SNEK_ABI_MAJOR, SNEK_ABI_MINOR, 0, 0, sizeof(struct snek_plugin)},
    .name = "snoop",
    .version = "1",
    .summary = summary,
    .subscriptions = subscriptions,
    .subscriptions_count = 1,
    .subscriptions_bytes = sizeof *subscriptions,
};

SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void);
SNEK_EXPORT const struct snek_plugin *snek_plugin_entry(void) {
    return &plugin;
}
