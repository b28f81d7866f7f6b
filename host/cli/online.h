/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of `snekomatic check --online` that asks GitHub, through the same proxy and with the
 * same certificates as serve: whose key it is, and whether the App has what the plugins need. One
 * thread.
 */
#ifndef SNEK_CLI_ONLINE_H
#define SNEK_CLI_ONLINE_H

#include "cli/findings.h"
#include "cli/plugin_inspection.h"

/* Asks GitHub, prints the results, and counts what is wrong. `messages_fd` is
 * supervisor_start_signer()'s; it stays the caller's. `key_source` is where the private key comes
 * from, for people. */
void online_check(const struct config *config, int messages_fd, const char *key_source,
                  const struct inspected_plugins *plugins, struct findings *findings);

#endif
