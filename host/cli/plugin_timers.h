/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic plugins timers`: the timers that plugins have set and that have not fired. */
#ifndef SNEK_CLI_PLUGIN_TIMERS_H
#define SNEK_CLI_PLUGIN_TIMERS_H

/* Runs the verb with its arguments; `usage` is its help. The exit status. */
int plugin_timers_list(int argc, char **argv, const char *usage);

#endif
