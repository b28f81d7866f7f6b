/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The webhook endpoint: HTTP on libmicrohttpd, the signature over the raw bytes, the routing fields
 * in one pass over them, and the response once the inbox has committed.
 *
 * Threads: ingest has a thread of its own. It runs libmicrohttpd from an epoll of ours, drains this
 * room's mailbox and enforces the absolute deadlines. (libmicrohttpd's own epoll thread can hang
 * when exactly 128 events are ready.) The host's main thread calls the functions below. The
 * callbacks run on ingest's thread. */
#ifndef SNEK_INGEST_INGEST_H
#define SNEK_INGEST_INGEST_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "inbox/deliveries.h"
#include "ingest/routes.h"

#include <stdbool.h>
#include <stdint.h>

struct ingest;

struct ingest_options {
    /* A listening socket. It stays the caller's, and ingest never shuts it down. */
    int listen_fd;
    int64_t max_body_bytes;
    /* Borrowed until ingest_free(). */
    const struct secret *webhook_secrets;
    size_t n_webhook_secrets;
    /* The last secret counts until then (wall clock); 0: for ever. */
    int64_t last_secret_until_ms;
    bool allow_sha1;
    /* Not NULL: this process receives no webhooks, for this reason. The endpoint responds 503, and
     * the members about webhooks, the inbox, route() and on_stored() are not used. Borrowed. */
    const char *not_serving, *not_serving_fix;
    /* The host pulls deliveries: the webhook endpoint responds 404. */
    bool pulls;
    /* A run is due this long after the host received its delivery. */
    int64_t delay_ms;
    /* Borrowed. */
    struct inbox *inbox;

    /* Fills put->runs (room for INGEST_ROUTES_MAX) with the plugins that want this delivery, and
     * sets the lease of the runs that this host starts from memory. The names live as long as the
     * ingest. Not called for a delivery without an installation. */
    void (*route)(void *context, struct inbox_put *put);
    /* The inbox has finished a put that route() gave runs to, successfully or not. The put is
     * borrowed. The callback may take the memory of `body`, which contains put->body. */
    void (*on_stored)(void *context, const struct inbox_put *put, struct buffer *body);
    /* on_stored() was called for each put of a group, and the responses are sent. May be NULL. */
    void (*on_group_stored)(void *context);
    /* Appends the members of /readyz's JSON object (without the braces). Returns readiness. */
    bool (*append_status)(void *context, struct buffer *json);
    void *context;

    /* Routes of other rooms, see routes.h; borrowed until ingest_free(). */
    const struct http_route *routes;
    size_t n_routes;

    /* Limits, for tests; 0 takes the default. */
    /* 10000, from the connection's start or from the first line of a later request. */
    int64_t header_deadline_ms;
    /* 90000, from a response to the first line of the next request. It is longer than the time for
     * which proxies keep idle connections (nginx: 60 s), so that none sends a request into a
     * connection that the host closes at that moment. */
    int64_t idle_deadline_ms;
    /* 30000, from the request's headers. GitHub itself gives up after 10 s. */
    int64_t body_deadline_ms;
    /* 5000; afterwards a body must arrive at 1 KiB a second. */
    int64_t body_grace_ms;
    /* 1024. Beyond it, the connection that has waited for a request for longest is closed. */
    uint32_t max_connections;
    /* Further connections, whose last request was for a route of pages (http_route.is_page). They
     * never take the place of others. Beyond it, pages get 503. 0: pages count like all requests.
     */
    uint32_t max_page_connections;
    /* 64 MiB of bodies at once, and at least one body of the largest size. Beyond it, the body that
     * has been arriving for longest is dropped. */
    uint64_t max_held_bytes;
};

#define INGEST_ROUTES_MAX 64

/* Starts to serve. Returns 0 and `*ingest`, or -1. Copies the options. */
int ingest_new(const struct ingest_options *options, struct ingest **ingest, struct error *err);

/* Accepts no new connection from now on and finishes the requests in progress. The listening socket
 * stays open for the next host. Returns at once. */
void ingest_quiesce(struct ingest *ingest);

/* Quiesces, gives the requests in progress `grace_ms` to finish, then ends the others and the
 * thread. Call it before inbox_free(), because responses wait for the inbox. The argument may be
 * NULL. */
void ingest_free(struct ingest *ingest, int64_t grace_ms);

#endif
