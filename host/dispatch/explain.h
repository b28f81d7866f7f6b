/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Explains why a delivery has a run of a plugin, or has none: by today's configuration, and by what
 * the plugin's worker finds in the stored payload. No handler is called.
 *
 *   dispatch_explain() --mail--> loop's thread: the host's own reasons
 *                                 '--FRAME_EXPLAIN--> worker --FRAME_EXPLAINED--> on_result() */
#ifndef SNEK_DISPATCH_EXPLAIN_H
#define SNEK_DISPATCH_EXPLAIN_H

#include "base/mailbox.h"
#include "base/payload.h"
#include "config/config.h"
#include "protocol/description.h"
#include "protocol/explained.h"

#include <stdbool.h>
#include <stddef.h>

struct dispatch;
struct explain_desk;

/* The conditions that the host checks before the worker, in this order. */
enum explain_host {
    /* Nothing: the plugin gets such a delivery. */
    EXPLAIN_ROUTED,
    /* [[plugin]] enabled = false. */
    EXPLAIN_DISABLED,
    /* No worker has described the plugin yet. */
    EXPLAIN_NOT_LOADED,
    /* The payload names no installation. */
    EXPLAIN_NO_INSTALLATION,
    /* plugin.installations does not have it; plugin.repositories does not. */
    EXPLAIN_INSTALLATION,
    EXPLAIN_REPOSITORY,
    /* No subscription, schedule or command of the plugin is for this event and action. */
    EXPLAIN_EVENT,
    /* Only its commands are for this event and action, and the payload has none of them. */
    EXPLAIN_COMMAND,
};

/* The routing fields of the delivery, and its payload (NULL: it was pruned). Borrowed texts. */
struct explain_delivery {
    const char *guid, *event, *action, *installation, *repository;
    int64_t received_ms;
    const char *payload;
    size_t payload_bytes;
};

/* The first reason of the host; EXPLAIN_ROUTED: there is none. `description` NULL: not loaded. Any
 * thread. */
enum explain_host explain_host_reason(const struct config_plugin *plugin,
                                      const struct description *description,
                                      const struct explain_delivery *delivery);

#define EXPLAIN_SENTENCE_MAX 300
/* For people. */
void explain_host_sentence(enum explain_host reason, const struct explain_delivery *delivery,
                           char out[EXPLAIN_SENTENCE_MAX + 1]);
/* "routed", "disabled" ...: for programs. */
const char *explain_host_name(enum explain_host reason);

struct explain_result {
    enum explain_host host;
    /* The worker's findings; free(). NULL when the worker could not be asked: it is not running, it
     * died, or it took longer than EXPLAIN_TIMEOUT_MS. */
    struct explained *items;
    size_t n_items;
};
#define EXPLAIN_TIMEOUT_MS 5000

/* One question. It belongs to dispatch from dispatch_explain() until one of its functions is
 * called. */
struct explain {
    struct explain_delivery delivery;
    /* The plugin's index in the configuration. */
    size_t plugin;
    /* The stored payload; dispatch takes this reference over. NULL: it was pruned. */
    struct payload *payload;
    /* The mailbox on whose thread on_result() is called. Borrowed. */
    struct mailbox *reply_to;
    void (*on_result)(struct explain *explain);
    /* Instead of on_result(), after dispatch_close_explanations(). The loop's thread. */
    void (*on_dropped)(struct explain *explain);

    /* Out. */
    struct explain_result result;

    /* Only dispatch uses these. */
    struct mail mail;
    struct explain_desk *desk;
    uint64_t id;
    int64_t until_ms;
    struct explain *next;
};
/* Any thread, while dispatch lives. */
void dispatch_explain(struct dispatch *dispatch, struct explain *explain);
/* The mailboxes of clients go: further questions are dropped, and those that wait. The loop's
 * thread. */
void dispatch_close_explanations(struct dispatch *dispatch);

#endif
