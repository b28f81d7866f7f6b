/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A configuration that the supervisor reads anew, with checked copies of its plugins' files. Only
 * this room includes it. One thread. */
#ifndef SNEK_SUPERVISOR_RELOAD_H
#define SNEK_SUPERVISOR_RELOAD_H

#include "base/error.h"
#include "config/config.h"
#include "supervisor/workers.h"

struct reload {
    const struct config *config;
    /* The same, if it was read here; NULL: it is the caller's. */
    struct config *owned;
    struct plugin_copy copies[CONFIG_PLUGINS_MAX];
    /* The memfd in which hosts with this configuration keep their plugins' descriptions. */
    int descriptions_fd;
    /* Lists for people, separated by ", ": plugins with another file, a new or a removed one; and
     * changed keys that take effect only after a restart. Cut if too long. */
    char plugins[1024], needs_restart[256];
};

/* Reads the file of `present` again, checks it, and copies the file of each enabled plugin. 0 and
 * `*next`, for reload_free(); or -1, and nothing has changed. `err` has all problems, as far as
 * they fit. */
int reload_read(const struct config *present, struct workers *workers, struct reload **next,
                struct error *err);

/* Exchanges `*config`, the workers' configuration and the descriptions with those of the reload. */
void reload_exchange(struct reload *reload, const struct config **config, struct config **owned,
                     int *descriptions_fd, struct workers *workers);

/* Opens a memfd for descriptions, or returns -1. */
int reload_open_descriptions(struct error *err);

void reload_free(struct reload *reload); /* takes NULL */

#endif
