/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The questions of explain.h that wait for a worker. The loop's thread. */
#ifndef SNEK_DISPATCH_EXPLAIN_DESK_H
#define SNEK_DISPATCH_EXPLAIN_DESK_H

#include "dispatch/explain.h"
#include "dispatch/plugin.h"

struct explain_desk {
    /* All borrowed. */
    struct plugin *plugins;
    size_t n_plugins;
    const struct config_plugin *configs;
    size_t n_configs;
    const struct bot_user *bot_user;
    const char *app_id;

    /* Those that a worker has. */
    struct explain *pending;
    /* Ids of questions; they are other numbers than the handles of runs only by their frames. */
    uint64_t last_id;
    bool closed;
};

/* Begins; the result may come at once, by mail. */
void explain_desk_take(struct explain_desk *desk, struct explain *explain);
/* The plugin's worker has explained; takes the items over. False: it was not asked. */
bool explain_desk_note(struct explain_desk *desk, const struct plugin *plugin, uint64_t id,
                       struct explained *items, size_t n_items);
/* Ends those that wait for too long. When the next one does; monotonic, INT64_MAX: none waits. */
int64_t explain_desk_tick(struct explain_desk *desk, int64_t now_ms);
/* Drops all that wait, and all that come. */
void explain_desk_close(struct explain_desk *desk);

#endif
