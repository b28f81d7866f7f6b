/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The schema of a repository's configuration file: the plugin's table `settings` (SDK, plugin.h).
 * It is checked itself when the plugin loads, and files are compared with it. Any thread. */
#ifndef SNEK_WORKER_SETTINGS_H
#define SNEK_WORKER_SETTINGS_H

#include "base/error.h"
#include "worker/yaml.h"

#include <snekomatic/plugin.h>

#include <stdbool.h>

/* 0, or -1 and a sentence with the mistake of the plugin's author. */
int settings_check_declaration(const struct snek_plugin *plugin, struct error *err);

/* The plugin declares the values of this file. */
bool settings_describe(const struct snek_plugin *plugin, const char *name);

/* Files with more problems are reported up to the last one of these. */
#define SETTINGS_PROBLEMS_MAX 50

/* One thing that is wrong with the file: "days must be a whole number from 1 to 90". `sentence` is
 * borrowed during the call. */
typedef void (*settings_on_problem)(void *context, struct yaml_place place, const char *sentence);

/* Compares the file with the schema, and reports each problem in the order of the file. */
void settings_check_file(const struct snek_plugin *plugin, const struct yaml_document *document,
                         settings_on_problem on_problem, void *context);

#endif
