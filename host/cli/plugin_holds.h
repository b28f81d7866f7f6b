/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic plugins pause|resume|release`, and the holds in its list. */
#ifndef SNEK_CLI_PLUGIN_HOLDS_H
#define SNEK_CLI_PLUGIN_HOLDS_H

#include "cli/store_client.h"
#include "config/config.h"

/* argv[0] is "snekomatic plugins", and the first word after the options is the action. Returns the
 * exit status. */
int plugin_holds_act(int argc, char **argv, const char *usage);

/* Prints the holds in the configured store. Prints nothing when there is no store yet. */
void plugin_holds_print(const struct config *config);

/* EX_OK if a configured plugin has the name, or the store has a run of it. Else an exit status,
 * after an error that names the nearest plugin. `force`: it offers --force. */
int plugin_holds_check_name(struct store_client *client, const struct config *config,
                            const char *plugin, bool force);

#endif
