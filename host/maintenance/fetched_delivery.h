/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A delivery whose payload the host fetched from GitHub's API, on its way into the inbox. The inbox
 * treats it as a duplicate if it has the GUID already. Mailbox's thread. */
#ifndef SNEK_MAINTENANCE_FETCHED_DELIVERY_H
#define SNEK_MAINTENANCE_FETCHED_DELIVERY_H

#include "base/buffer.h"
#include "base/error.h"
#include "inbox/deliveries.h"
#include "ingest/body.h"

/* The same as INGEST_ROUTES_MAX. */
#define FETCHED_ROUTES_MAX 64

/* Routes a delivery to the plugins, as ingest_options does. */
struct delivery_router {
    /* NULL: this process loads no plugins, so it cannot store fetched payloads. */
    void (*route)(void *context, struct inbox_put *put);
    /* May a plugin want such a delivery? Only pull mode asks. */
    bool (*wants)(void *context, const char *event, const char *action, const char *installation);
    void (*on_stored)(void *context, const struct inbox_put *put, struct buffer *body);
    void *context;
};

/* Where a fetched payload comes from. Its texts are borrowed until the result arrives. */
struct fetched_source {
    const char *guid, *event;
    /* For the log: "recovery" or "pull". */
    const char *name;
    /* GitHub's id of the entry in its list, in pull mode; otherwise 0. See inbox_put. */
    int64_t pulled;
    /* In pull mode: somebody asked GitHub for it. */
    bool redelivery;
    /* Its runs are due then, and not before now; wall clock. */
    int64_t due_ms;
};

struct fetched_delivery {
    const struct delivery_router *router; /* borrowed */
    /* See fetched_source. */
    const char *source;
    struct inbox_put put;
    struct body_routing routing;
    struct inbox_put_run runs[FETCHED_ROUTES_MAX];
    /* GitHub's response, which contains the payload. */
    struct buffer response;
};

/* Takes the memory of `response`. The result arrives at `reply_to`. 1: the inbox has the operation;
 * 0: GitHub has no payload; -1: the payload is malformed. */
int fetched_delivery_submit(struct fetched_delivery *delivery, struct buffer *response,
                            const struct fetched_source *source, struct inbox *inbox,
                            struct mailbox *reply_to,
                            void (*on_result)(struct inbox_operation *operation),
                            struct error *err);

/* Call it once with the result: logs the delivery, informs the router if it still exists
 * (`inform`), and frees. */
void fetched_delivery_finish(struct fetched_delivery *delivery, bool inform);

#endif
