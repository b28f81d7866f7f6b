/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `check` and `plugins` load the configured plugins as serve does, each in a worker of its own. One
 * thread. */
#ifndef SNEK_CLI_PLUGIN_INSPECTION_H
#define SNEK_CLI_PLUGIN_INSPECTION_H

#include "config/config.h"
#include "protocol/description.h"
#include "worker_process/worker_process.h"

struct inspected_plugins {
    /* In the order of the configuration; NULL for a plugin that is rejected or not enabled. */
    struct description *descriptions[CONFIG_PLUGINS_MAX];
    /* Names that this version does not know, already printed. */
    unsigned warnings;
};

/* Loads every enabled plugin, prints its description on standard output, and reports on standard
 * error what is wrong. Returns the number of problems. `*plugins` is for
 * inspected_plugins_finish(). */
unsigned plugin_inspection(const struct config *config, struct inspected_plugins *plugins);
/* The same, and prints only what is wrong. */
unsigned plugin_inspection_silent(const struct config *config, struct inspected_plugins *plugins);
/* The descriptions as other rooms take them: CONFIG_PLUGINS_MAX pointers, borrowed. */
const struct description *const *inspected_plugins_list(const struct inspected_plugins *plugins);
void inspected_plugins_finish(struct inspected_plugins *plugins);

/* The explanation that a plugin's worker gives of a delivery. */
struct explained_plugin {
    /* NULL for a plugin that is rejected or not enabled. */
    struct description *description;
    struct explained *items;
    size_t n_items;
    /* Why it is rejected; NULL: it is not. */
    char *rejection;
};

/* Loads every enabled plugin, and has it explain the delivery, unless its payload is NULL (which is
 * borrowed). `explained` has room for each plugin of the configuration; explained_plugin_finish().
 */
void plugin_inspection_explain(const struct config *config,
                               const struct worker_process_run *delivery,
                               struct explained_plugin *explained);
void explained_plugin_finish(struct explained_plugin *explained);

#endif
