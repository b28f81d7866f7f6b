/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The needs of all plugins of a host: the permissions and events that its GitHub App must have.
 * Any thread. */
#ifndef SNEK_GITHUB_APP_NEEDS_H
#define SNEK_GITHUB_APP_NEEDS_H

#include "github_app/permissions.h"
#include "protocol/description.h"

#include <stddef.h>
#include <stdint.h>

/* A set of plugins is a number with a bit for each. */
#define APP_NEEDS_PLUGINS_MAX 64

struct app_need {
    /* The API's name. */
    char *name;
    /* The level of a permission; PERMISSION_NONE for an event. */
    enum permission_level level;
    /* The part of it that plugins cannot do without; PERMISSION_NONE: it is optional to all. */
    enum permission_level required;
    /* The plugins that need it: bit N stands for descriptions[N]. */
    uint64_t plugins;
};

struct app_needs {
    /* In the order of GitHub's form. A permission that only an event needs is there too. */
    struct app_need *permissions;
    size_t n_permissions;
    /* Sorted by name. Without the events that GitHub sends to every App and those that the host
     * makes. The events of comment commands are there. */
    struct app_need *events;
    size_t n_events;
};

/* Merges what at most APP_NEEDS_PLUGINS_MAX descriptions need; NULLs are skipped. 0, or -1 when
 * memory is short. `*needs` is then, and on success, for app_needs_finish(). */
int app_needs_merge(struct app_needs *needs, const struct description *const *descriptions,
                    size_t count);
void app_needs_finish(struct app_needs *needs);

/* NULL: the App does not need it. */
const struct app_need *app_needs_permission(const struct app_needs *needs, const char *name);

#endif
