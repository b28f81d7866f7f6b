/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of `snekomatic check` that judge credentials: who can read and change their files, and
 * whether a webhook secret can be guessed. One thread. */
#ifndef SNEK_CLI_SECRET_CHECK_H
#define SNEK_CLI_SECRET_CHECK_H

#include "base/secret.h"
#include "cli/findings.h"

#include <stddef.h>

/* `path` NULL: the credential comes from the environment. */
void secret_check_file(const char *label, const char *path, struct findings *findings);
void secret_check_length(const struct secret *secrets, size_t n_secrets, struct findings *findings);

#endif
