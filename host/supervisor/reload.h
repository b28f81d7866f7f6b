/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A configuration that the supervisor reads anew, with checked copies of its plugins' files. Only
 * this room includes it. One thread. */
#ifndef SNEK_SUPERVISOR_RELOAD_H
#define SNEK_SUPERVISOR_RELOAD_H

#include "base/error.h"
#include "supervisor/deployment.h"

/* A host of the new deployment loads beside the old one's. Once all plugins have loaded, the old
 * host drains. When it has ended, the new one may use the store, and becomes ready. */
enum reload_phase { RELOAD_LOADING, RELOAD_DRAINING, RELOAD_STARTING };

struct reload {
    enum reload_phase phase;
    /* Owned. The new one; in RELOAD_STARTING the old one, which comes back if the new host does not
     * become ready. */
    struct deployment *deployment;
    /* When the phase must have ended. Monotonic; INT64_MAX: it has no bound. */
    int64_t until_ms;
    /* Lists for people, separated by ", ": plugins with another file, a new or a removed one; and
     * changed keys that take effect only after a restart. Cut if too long. */
    char plugins[1024], needs_restart[256];
};

/* Reads the file of the present configuration again, checks all but its URLs, and copies the file
 * of each enabled plugin. 0 and `*next`, for reload_free(); or -1, and nothing has changed. `err`
 * has all problems, as far as they fit. */
int reload_read(const struct deployment *present, struct plugin_files *files, struct reload **next,
                struct error *err);

/* The problems of a configuration, which are lines for a terminal, as an error. Returns -1. */
int reload_problems(const char *text, struct error *err);

/* How long a host may take to load the plugins of the new configuration, by the deadlines that it
 * has for them. */
int64_t reload_load_ms(const struct reload *reload);

void reload_free(struct reload *reload); /* takes NULL */

#endif
