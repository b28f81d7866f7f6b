/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of `snekomatic check` that talks to GitHub. One thread. */
#ifndef SNEK_CLI_ONLINE_H
#define SNEK_CLI_ONLINE_H

#include "config/config.h"

/* Prints the app that the key belongs to, or on standard error why GitHub rejects it. Returns the
 * number of problems. `messages_fd` is supervisor_start_signer()'s. */
unsigned online_check(const struct config *config, int messages_fd);

#endif
