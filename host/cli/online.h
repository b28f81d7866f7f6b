/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef SNEK_CLI_ONLINE_H
#define SNEK_CLI_ONLINE_H

#include "config/config.h"

/* Prints which app GitHub says that the key is of, or on standard error why it does not. The number
 * of problems. `messages_fd` is supervisor_start_signer()'s. */
unsigned online_look(const struct config *config, int messages_fd);

#endif
