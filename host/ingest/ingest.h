/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way in: HTTP on libmicrohttpd, the signature over the raw bytes, what routing needs from one
 * pass over them, and the answer once the inbox has committed.
 *
 * Threads: one of its own, which runs libmicrohttpd from an epoll of ours, opens this room's
 * mailbox and enforces the absolute deadlines. (libmicrohttpd's own epoll thread can hang when
 * exactly 128 events are ready.) The functions below are called from the host's main thread;
 * `route` and `status` are called on ingest's thread. */
#ifndef SNEK_INGEST_INGEST_H
#define SNEK_INGEST_INGEST_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "inbox/inbox.h"
#include "ingest/routes.h"

#include <stdbool.h>
#include <stdint.h>

struct ingest;

struct ingest_options {
    int listen_fd; /* listening; stays the caller's, is not shut down */
    int64_t max_body_bytes;
    const struct secret *webhook_secrets; /* borrowed until ingest_free() */
    size_t n_webhook_secrets;
    bool allow_sha1;
    int64_t delay_ms;    /* runs are due this long after they were received */
    struct inbox *inbox; /* borrowed */

    /* Fills put->runs (room for INGEST_ROUTES_MAX) with the plugins that want this delivery, and
     * the lease of those that the host goes on with from memory. The names live as long as the
     * ingest. Not called for a delivery without an installation. */
    void (*route)(void *context, struct inbox_put *put);
    /* The inbox has answered a put that route() gave runs to, whatever the answer. The put is
     * borrowed; the memory of `body`, of which put->body is a part, may be taken. */
    void (*stored)(void *context, const struct inbox_put *put, struct buffer *body);
    /* Appends the members of /readyz's JSON object (without the braces); whether we are ready. */
    bool (*status)(void *context, struct buffer *json);
    void *context;

    /* Pages of other rooms, see routes.h; borrowed until ingest_free(). */
    const struct http_route *routes;
    size_t n_routes;

    /* Limits; 0 takes the default beside. For tests. */
    /* 10000, from the connection's start or the last answer. */
    int64_t header_deadline_ms;
    /* 30000, from the request's headers; GitHub itself gives up at 10 s. */
    int64_t body_deadline_ms;
    /* 5000; past it a body must have come at 1 KiB a second. */
    int64_t body_grace_ms;
    /* 1024; of more, the one that has waited for a request for longest is closed. */
    uint32_t max_connections;
    /* 64 MiB of bodies at once, at least one of the largest size; for more, the one that has been
     * coming for longest is given up. */
    uint64_t max_held_bytes;
};

#define INGEST_ROUTES_MAX 64

/* Starts to serve. 0 and `*ingest`, or -1. Copies the options. */
int ingest_new(const struct ingest_options *options, struct ingest **ingest, struct error *err);

/* Takes no new connection from now on (the listening socket stays open for the next host), answers
 * what is under way. Returns at once. */
void ingest_quiesce(struct ingest *ingest);

/* Quiesces, gives requests under way `grace_ms` to be answered, ends the rest and the thread.
 * Before inbox_free(), since answers wait for the inbox. Takes NULL. */
void ingest_free(struct ingest *ingest, int64_t grace_ms);

#endif
