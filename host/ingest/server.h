/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this room share. server.c has the thread, the connections and their deadlines;
 * exchange.c one request after the other on them; webhook.c and pages.c answer. */
#ifndef SNEK_INGEST_SERVER_H
#define SNEK_INGEST_SERVER_H

#include "base/mailbox.h"
#include "ingest/ingest.h"
#include "ingest/rejections.h"
#include "ingest/routes.h"

#include <microhttpd.h>

#define OWN_ROUTES 4

/* A connection that libmicrohttpd accepted. */
struct connection {
    struct connection *previous, *next;
    int fd;                    /* libmicrohttpd's, who closes it */
    int64_t deadline_ms;       /* monotonic; then the socket is shut. INT64_MAX: none */
    int64_t since_ms;          /* monotonic: since it waits for headers, or for a body */
    bool left;                 /* the client will send no more */
    bool shut;                 /* by us; libmicrohttpd has not taken notice yet */
    bool answered;             /* once at least: without an exchange it is idle now */
    struct exchange *exchange; /* under way, or NULL; borrowed */
};

/* A request from its first line to its last answer. One reference is libmicrohttpd's, the others
 * are of whoever will answer later. */
struct exchange {
    struct http_request request;
    struct ingest *ingest;
    unsigned refs;
    struct connection *connection; /* both NULL once libmicrohttpd is done with it */
    struct MHD_Connection *mhd;
    int64_t began_us; /* monotonic: its first line was there */
    const char *bad_uri;
    size_t uri_bytes;
    uint64_t announced_bytes; /* Content-Length; 0 also when it is unknown */
    uint64_t seen_bytes;      /* of the body */
    uint64_t held_bytes;      /* counted in ingest->held_bytes */
    bool started, handled, suspended;
    bool answered; /* `response` is to be sent, or memory was too short for one */
    unsigned status;
    struct MHD_Response *response;
};

struct ingest {
    struct ingest_options options;
    struct http_route own_routes[OWN_ROUTES];
    struct MHD_Daemon *daemon;
    int listen_fd; /* a copy of the caller's: libmicrohttpd closes it when it cannot start */
    int epoll_fd;
    struct mailbox mailbox;
    pthread_t thread;
    struct mail quiesce_mail, stop_mail;
    bool quiesce_posted; /* by the main thread */
    int64_t grace_ms;

    /* Of the thread only. */
    struct connection *connections;
    unsigned n_connections, n_accepted;
    int64_t next_deadline_ms; /* no deadline is before this */
    uint64_t held_bytes;      /* of all bodies */
    unsigned n_exchanges;
    struct rejections rejections;
    bool closed_one; /* in this round of libmicrohttpd */
    bool quiesced, stopping;
    bool ending; /* what becomes whole now is rejected */
    int64_t stop_at_ms;
};

/* The connection is to be shut this long from now; INT64_MAX: not. */
void connection_set_deadline(struct ingest *ingest, struct connection *connection, int64_t in_ms);

void http_reject_stopping(struct http_request *request);

/* Of bodies that are still coming, which connections_shut_oldest_body() could free. */
uint64_t connections_coming_bytes(const struct ingest *ingest);

/* Shuts the connection with the body that has been coming for longest, not the one given, and
 * frees what came of it; false when there is none. */
bool connections_shut_oldest_body(struct ingest *ingest, const struct connection *but);

/* libmicrohttpd's callbacks; `cls` is the ingest. */
void *exchange_new(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result exchange_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *data_bytes, void **con_cls);
void exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                        enum MHD_RequestTerminationCode how);

void webhook_route(struct ingest *ingest, struct http_route *route);
void pages_routes(struct ingest *ingest, struct http_route routes[OWN_ROUTES - 1]);

#endif
