/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A room joins the HTTP server with a row of this table, which ingest_new() gets in its options.
 * All callbacks run on ingest's thread, and only that thread may call the functions below.
 *
 *   headers --> on_headers --> body, at most max_body_bytes --> on_request --> http_respond
 *                   |                                              |               ^   |
 *                   '-- http_reject: the body is discarded         '---- later ----'   '--> release
 *
 * If on_request() returns without a response, the connection stays suspended until the route
 * responds. The route must hold a reference on the request meanwhile, because the server responds
 * 503 by itself when it stops first. It must return to this thread through http_mailbox(). */
#ifndef SNEK_INGEST_ROUTES_H
#define SNEK_INGEST_ROUTES_H

#include "base/buffer.h"
#include "base/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

/* The server's side of a request. */
struct http_exchange;
struct http_request;

struct http_route {
    /* Exact. If it ends in a slash and a star, it also matches all paths below, and the path itself
     * with ".json". */
    const char *path;
    /* In the form of the header Allow: "GET, HEAD". */
    const char *methods;
    /* A larger body gets 413. 0: the route expects no body. */
    uint64_t max_body_bytes;
    /* The headers are there. NULL: there is nothing to check. */
    void (*on_headers)(struct http_request *request);
    /* The whole request is there. */
    void (*on_request)(struct http_request *request);
    /* The client sends nothing more, and has no response yet; it may still read one. May be called
     * more than once. NULL: this does not matter. */
    void (*on_left)(struct http_request *request);
    /* Its connections are counted apart: see ingest_options.max_page_connections. */
    bool is_page;
    /* Frees `state`. NULL: the route keeps no state. */
    void (*release)(struct http_request *request);
    void *context;
};

struct http_request {
    const struct http_route *route;
    /* Valid until the response. */
    const char *method, *path;
    /* Complete in on_request(), which may change or take it. */
    struct buffer body;
    /* The route's own. */
    void *state;
    /* The GUID for the log; borrowed; NULL when unknown. */
    const char *delivery;
    struct http_exchange *exchange;
};

/* A header's value without the blanks around it, or NULL; valid until the response. */
const char *http_header(struct http_request *request, const char *name, size_t *bytes);
/* A decoded parameter of the URL, "" if it has no value, or NULL; valid until the response. */
const char *http_query(struct http_request *request, const char *name);

/* The address, without a port, at which the request arrived: "127.0.0.1", "2001:db8::1". An IPv4
 * address is never in the form "::ffff:". "" if it is unknown. */
#define HTTP_ADDRESS_MAX 46
void http_local_address(struct http_request *request, char address[HTTP_ADDRESS_MAX]);

/* The address of the peer, in the same form. Behind a proxy it is the proxy's. */
void http_peer_address(struct http_request *request, char address[HTTP_ADDRESS_MAX]);
/* Is the peer this machine itself? */
bool http_peer_is_loopback(struct http_request *request);

/* Responds; later responses are ignored. Copies `body`. Adds the headers that every response needs,
 * and, except for HTML, a content security policy that forbids everything. */
void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  const void *body, size_t body_bytes);
/* Call it after http_respond(), before the callback that called http_respond() returns. */
void http_response_header(struct http_request *request, const char *name, const char *value);

/* Likewise. The URL names this content, so browsers may keep it for ever. */
void http_response_is_immutable(struct http_request *request);

/* Responds with {"error":ERROR,"fix":FIX} and logs `rejected` with the error as its reason. */
void http_reject(struct http_request *request, unsigned status, const char *error, const char *fix);

/* Frees the body early, once the route needs it no longer. */
void http_drop_body(struct http_request *request);

struct mailbox *http_mailbox(struct http_request *request);
void http_request_ref(struct http_request *request);
/* The last reference calls release(). */
void http_request_unref(struct http_request *request);

#endif
