/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One request of a client and its response. Functions that take a `struct http_exchange` read the
 * request and write the response into it. */
#ifndef SNEK_HARNESS_FAKE_HTTP_EXCHANGE_H
#define SNEK_HARNESS_FAKE_HTTP_EXCHANGE_H

#include "fake/caller.h"

#include "base/buffer.h"

#include <microhttpd.h>

/* A webhook has a payload of up to 25 MiB. */
#define EXCHANGE_BODY_MAX (26 * 1024 * 1024)
#define EXCHANGE_SEGMENTS_MAX 24
#define EXCHANGE_PARAMETERS_MAX 4

struct http_exchange {
    struct fake *fake;
    struct MHD_Connection *connection;
    bool started;

    /* The request. Path and query are ours and as sent; without a query it is NULL. */
    const char *method;
    char *path;
    char *query;
    struct buffer body;
    bool body_too_large;

    /* The path's segments, unescaped, in memory that is ours. SIZE_MAX segments: there are too
     * many, or one has a NUL. */
    char *unescaped, *resolved;
    char *segments[EXCHANGE_SEGMENTS_MAX];
    size_t n_segments;

    /* The segments in place of the route's braces, and the documentation that its errors name. */
    const char *parameters[EXCHANGE_PARAMETERS_MAX];
    char documentation[160];
    struct caller caller;
    /* The repository of a route below /repos, in the state; borrowed while locked. */
    json_t *repository;
    /* The entry in the list of requests, ours; NULL for the control API. */
    json_t *record;

    /* The response. All are ours. A text is a body that is not JSON, and wins over `response`.
     * Both NULL: no body. */
    unsigned status;
    json_t *response;
    char *response_text;
    json_t *headers;
    /* Close the connection instead of responding. */
    bool drop;
};

/* The body as an object, the caller's; NULL when it responded with an error. No body is an empty
 * object. Keys other than `allowed` (NULL-terminated) are rejected. */
json_t *exchange_body(struct http_exchange *exchange, const char *resource,
                      const char *const allowed[]);

/* The query's value of `name`, unescaped, the caller's to free; NULL when it is absent. */
char *exchange_query(const struct http_exchange *exchange, const char *name);
/* The same of a body that is a form. */
char *exchange_form(const struct http_exchange *exchange, const char *name);

#endif
