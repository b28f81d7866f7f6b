/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A delivery that the clock causes, on its way into the inbox: a timer, or a slot of a schedule. It
 * is for one plugin. Loop's thread. */
#ifndef SNEK_MAINTENANCE_FIRING_H
#define SNEK_MAINTENANCE_FIRING_H

#include "base/buffer.h"
#include "inbox/timers.h"
#include "ingest/body.h"
#include "maintenance/fetched_delivery.h"
#include "protocol/description.h"

/* The plugins of this host. */
struct plugin_directory {
    /* The description of the plugin with this index; NULL: it is not known. `*more`: there is such
     * a plugin. */
    const struct description *(*describe)(void *context, size_t index, bool *more);
    void *context;
};

struct firing {
    const struct delivery_router *router; /* borrowed */
    struct inbox_put put;
    struct inbox_firing taken;
    struct body_routing routing;
    struct inbox_put_run run;
    char plugin[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    char guid[INBOX_GUID_MAX + 1];
    struct buffer body;
};

/* Fill `taken`, `plugin`, `installation`, `guid` and `body` before. True: the inbox has the
 * operation. False: the plugin may not act there, or the body is malformed. */
bool firing_submit(struct firing *firing, const char *event, struct inbox *inbox,
                   struct mailbox *reply_to, void (*on_result)(struct inbox_operation *operation));

/* Call it once with the result: logs it, informs the router if it still exists (`inform`), and
 * frees. True: a delivery was stored. */
bool firing_finish(struct firing *firing, bool inform);

#endif
