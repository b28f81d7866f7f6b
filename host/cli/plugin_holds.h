/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic plugins pause|resume|release`, and the holds in its list. */
#ifndef SNEK_CLI_PLUGIN_HOLDS_H
#define SNEK_CLI_PLUGIN_HOLDS_H

#include "config/config.h"

/* argv[0] is "snekomatic plugins", and the first word after the options is the action. Returns the
 * exit status. */
int plugin_holds_act(int argc, char **argv, const char *usage);

/* Prints the holds in the configured store. Prints nothing when there is no store yet. */
void plugin_holds_print(const struct config *config);

#endif
