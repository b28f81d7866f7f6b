/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `check` and `plugins` load the configured plugins as serve does, each in a worker of its own. One
 * thread. */
#ifndef SNEK_CLI_PLUGIN_INSPECTION_H
#define SNEK_CLI_PLUGIN_INSPECTION_H

#include "config/config.h"

/* Loads every enabled plugin, prints its description on standard output, and reports on standard
 * error what is wrong. Returns the number of problems. */
unsigned plugin_inspection(const struct config *config);

#endif
