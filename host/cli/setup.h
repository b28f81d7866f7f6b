/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part that `serve` and `setup` share: is there a GitHub App already, and the setup that makes
 * one. Main thread. */
#ifndef SNEK_CLI_SETUP_H
#define SNEK_CLI_SETUP_H

#include "config/config.h"
#include "supervisor/supervisor.h"

enum setup_credentials {
    SETUP_CREDENTIALS_NONE,
    SETUP_CREDENTIALS_SOME,
    SETUP_CREDENTIALS_ALL,
};

enum setup_credentials setup_credentials(const struct config *config);

/* Loads the configuration without its credentials. `path` is of -c, or NULL. A file that `path`
 * names and that does not exist is accepted: the setup writes it. 0, or EX_CONFIG after it has
 * reported the problems. */
int setup_load_config(const char *path, struct config **config);

/* The place of the configuration, which may not exist yet. The caller frees it. NULL when memory is
 * short. */
char *setup_find_file(const char *path, const struct config *config);

enum setup_reason {
    /* `serve --setup`. */
    SETUP_WANTED,
    /* `serve` without a configuration: only if the store has no delivery. */
    SETUP_AUTOMATIC,
    /* `snekomatic setup`. */
    SETUP_BY_TERMINAL,
};

/* Runs the setup's process. `config` is replaced by one with the credentials once there are some.
 * See supervisor_setup(). */
int setup_start(const char *path, enum setup_reason reason, struct config **config,
                struct supervisor_opened *opened, bool *stored);

#endif
