/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A deployment: a configuration with the copies of its plugins' files, and the file in which its
 * hosts keep the plugins' descriptions. All hosts that the supervisor starts for it, one after the
 * other, run the same code with the same settings. A reload makes a new one. Only this room
 * includes it. One thread. */
#ifndef SNEK_SUPERVISOR_DEPLOYMENT_H
#define SNEK_SUPERVISOR_DEPLOYMENT_H

#include "base/error.h"
#include "config/config.h"
#include "plugin_file/plugin_file.h"

struct deployment {
    const struct config *config;
    /* The same, if it belongs to the deployment; NULL: it is the caller's. */
    struct config *owned_config;
    /* All workers of a plugin load this copy of its file. A reload makes it, or the plugin's first
     * start. */
    struct plugin_copy copies[CONFIG_PLUGINS_MAX];
    /* A memfd; see messages.h. */
    int descriptions_fd;
};

/* Without a configuration. NULL and `err` when there is no memory or no memfd. */
struct deployment *deployment_new(struct error *err);
void deployment_free(struct deployment *deployment); /* takes NULL */

#endif
