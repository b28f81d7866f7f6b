/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic setup --by-hand`: a person fills in GitHub's form. */
#ifndef SNEK_CLI_SETUP_BY_HAND_H
#define SNEK_CLI_SETUP_BY_HAND_H

#include "config/config.h"

/* Prints what to enter, asks on standard input for what GitHub shows, and stores it. `file` is the
 * absolute path of the configuration, which may not exist yet. Returns the exit status. */
int setup_by_hand(const struct config *config, const char *file);

#endif
