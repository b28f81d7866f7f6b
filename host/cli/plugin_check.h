/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic check --plugin FILE`: tries what a good plugin survives. */
#ifndef SNEK_CLI_PLUGIN_CHECK_H
#define SNEK_CLI_PLUGIN_CHECK_H

#include <stdbool.h>

/* Do these arguments of `check` have --plugin? */
bool plugin_check_is_asked(int argc, char **argv);

/* The whole verb with --plugin; `usage` is its help. Returns the exit status. */
int plugin_check(int argc, char **argv, const char *usage);

#endif
