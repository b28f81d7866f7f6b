/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a room joins the HTTP server: a row of this table, given in the options of ingest_new().
 * Everything here is called, and may be called, on ingest's thread only.
 *
 *   headers --> begin --> body, kept up to max_body_bytes --> handle --> http_answer --> release
 *                 |                                             |             ^
 *                 '-- http_reject: the body is not kept         '-- later ----'
 *
 * A handler that returns without an answer leaves the connection suspended until somebody answers;
 * it must hold a reference on the request meanwhile, since the server answers 503 by itself when
 * it is stopped first, and must come back through http_mailbox(). */
#ifndef SNEK_INGEST_ROUTES_H
#define SNEK_INGEST_ROUTES_H

#include "base/buffer.h"
#include "base/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange; /* the server's side of a request */
struct http_request;

struct http_route {
    const char *path;        /* exact; with a slash and a star at its end, all below it too */
    const char *methods;     /* as the header Allow says it: "GET, HEAD" */
    uint64_t max_body_bytes; /* of more, 413; 0: a body is not expected */
    void (*begin)(struct http_request *request);   /* headers are there; NULL: nothing to check */
    void (*handle)(struct http_request *request);  /* the body is there too */
    void (*release)(struct http_request *request); /* frees `state`; NULL: it has none */
    void *context;
};

struct http_request {
    const struct http_route *route;
    const char *method, *path; /* until it is answered */
    struct buffer body;        /* whole in `handle`; may be changed or taken */
    void *state;               /* the route's own */
    const char *delivery;      /* for the log; borrowed, NULL when unknown */
    struct exchange *exchange;
};

/* A header's value without the blanks around it, or NULL; until the request is answered. */
const char *http_header(struct http_request *request, const char *name, size_t *bytes);
/* A parameter of the URL, decoded, or NULL; "" for one without a value. Likewise. */
const char *http_query(struct http_request *request, const char *name);

/* Answers; what comes after the first answer is dropped. `body` is copied. The headers that every
 * answer wants are added, and for anything but HTML a policy that forbids all. */
void http_answer(struct http_request *request, unsigned status, const char *content_type,
                 const void *body, size_t body_bytes);
/* After http_answer() and before the return of the callback that called it. */
void http_answer_header(struct http_request *request, const char *name, const char *value);

/* Answers with {"error":ERROR,"fix":MEND} and logs `rejected` with the error as its reason. */
void http_reject(struct http_request *request, unsigned status, const char *error, const char *fix);

/* The body is needed no longer: frees what is left of it. */
void http_drop_body(struct http_request *request);

struct mailbox *http_mailbox(struct http_request *request);
void http_request_ref(struct http_request *request);
void http_request_unref(struct http_request *request); /* the last one releases */

#endif
