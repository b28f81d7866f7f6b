/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The HTTP server inside this room. server.c runs the thread, the connections and their deadlines.
 * http_exchange.c handles the requests of a connection, one after the other. response.c sends
 * responses. webhook.c and endpoints.c are the routes. */
#ifndef SNEK_INGEST_SERVER_H
#define SNEK_INGEST_SERVER_H

#include "base/list.h"
#include "base/mailbox.h"
#include "ingest/ingest.h"
#include "ingest/rejections.h"
#include "ingest/routes.h"

#include <microhttpd.h>

#define OWN_ROUTES 4

/* A connection that libmicrohttpd accepted. */
struct connection {
    /* In ingest->connections. */
    TAILQ_ENTRY(connection) link;
    /* libmicrohttpd owns and closes it. */
    int fd;
    /* Monotonic. The server shuts the socket at this time. INT64_MAX: never. */
    int64_t deadline_ms;
    /* Monotonic. The connection has waited for headers, or for a body, since then. */
    int64_t since_ms;
    /* The client will send nothing more. */
    bool left;
    /* The server shut the socket; libmicrohttpd has not noticed yet. */
    bool shut;
    /* It counts as one of pages. */
    bool is_page;
    /* The server responded at least once: without an exchange, the connection is idle. */
    bool responded;
    /* The request in progress, or NULL; borrowed. */
    struct http_exchange *exchange;
};

/* A request from its first line to the end of its response. libmicrohttpd holds one reference; each
 * room that will respond later holds another. */
struct http_exchange {
    struct http_request request;
    struct ingest *ingest;
    unsigned refs;
    /* Both are NULL once libmicrohttpd has finished with the request. */
    struct connection *connection;
    struct MHD_Connection *mhd;
    /* Monotonic; when the first line was there. */
    int64_t began_us;
    /* The reason why the URI is rejected, or NULL. */
    const char *bad_uri;
    size_t uri_bytes;
    /* Content-Length; 0 also if it is unknown. */
    uint64_t announced_bytes;
    /* Bytes of the body that have arrived. */
    uint64_t seen_bytes;
    /* This body's part of ingest->held_bytes. */
    uint64_t held_bytes;
    bool started, handled, suspended;
    /* `response` waits to be sent, or no memory was left for one. */
    bool responded;
    unsigned status;
    struct MHD_Response *response;
};

struct ingest {
    struct ingest_options options;
    struct http_route own_routes[OWN_ROUTES];
    struct MHD_Daemon *daemon;
    /* A copy of the caller's, because libmicrohttpd closes it if it cannot start. */
    int listen_fd;
    int epoll_fd;
    struct mailbox mailbox;
    pthread_t thread;
    struct mail quiesce_mail, stop_mail;
    /* Set by the main thread. */
    bool quiesce_posted;
    int64_t grace_ms;

    /* Only ingest's thread uses the members below. */
    /* The newest first. */
    TAILQ_HEAD(connection_list, connection) connections;
    unsigned n_connections, n_accepted;
    /* Among them, those of pages. */
    unsigned n_page_connections;
    /* No deadline lies before this time. */
    int64_t next_deadline_ms;
    /* The size of all bodies together. */
    uint64_t held_bytes;
    unsigned n_exchanges;
    struct rejections rejections;
    /* libmicrohttpd closed a connection in this round. */
    bool closed_one;
    /* options.on_stored() was called, and options.on_group_stored() was not called since. */
    bool stored_some;
    bool quiesced, stopping;
    /* Requests that are complete from now on are rejected. */
    bool ending;
    int64_t stop_at_ms;
};

/* Shuts the connection this long from now; INT64_MAX: never. */
void connection_set_deadline(struct ingest *ingest, struct connection *connection, int64_t in_ms);

/* Counts the connection as one of pages, or not. False: there are too many of pages. */
bool connection_set_page(struct ingest *ingest, struct connection *connection, bool is_page);

/* The connections that are not of pages. */
unsigned connections_other(const struct ingest *ingest);

void http_reject_stopping(struct http_request *request);

/* The size of all bodies that are still arriving, which connections_shut_oldest_body() can free. */
uint64_t connections_arriving_bytes(const struct ingest *ingest);

/* Shuts the connection whose body has been arriving for longest, except `but`, and frees that body.
 * False if there is none. */
bool connections_shut_oldest_body(struct ingest *ingest, const struct connection *but);

/* libmicrohttpd's callbacks; `cls` is the ingest. */
void *http_exchange_new(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_bytes, void **con_cls);
void http_exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                             enum MHD_RequestTerminationCode how);

void webhook_route(struct ingest *ingest, struct http_route *route);
void endpoints_routes(struct ingest *ingest, struct http_route routes[OWN_ROUTES - 1]);

#endif
