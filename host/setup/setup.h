/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The setup: a short-lived process that the supervisor starts instead of the host, on the same
 * listening socket. It leads a person through GitHub's manifest flow, stores the App's credentials,
 * and ends. Then the supervisor starts the host.
 *
 *   link in the log -> /setup -> form -> manifest -> GitHub -> /setup/callback -> files -> end
 *
 * Threads: the main one exchanges the code and writes the files; ingest's serves the pages. */
#ifndef SNEK_SETUP_SETUP_H
#define SNEK_SETUP_SETUP_H

#include "config/config.h"
#include "protocol/description.h"

#include <stdbool.h>

struct setup_options {
    /* All borrowed. Without credentials. */
    const struct config *config;
    /* The absolute path of the configuration, which may not exist yet. */
    const char *file;
    /* The plugins of `config`, in its order; NULL for one that is not enabled. */
    const struct description *const *plugins;
    size_t n_plugins;
    /* A person reads the output, and no host starts afterwards. */
    bool by_terminal;
    int listen_fd;
    /* Readable when the supervisor has ended. */
    int supervisor_fd;
};

/* Returns the exit status: EX_OK once the credentials are stored, or after SIGTERM; EX_TEMPFAIL
 * when nobody finished the setup in time; EX_CONFIG. Logs errors. */
int setup_run(const struct setup_options *options);

#endif
