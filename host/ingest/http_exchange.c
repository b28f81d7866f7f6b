/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One request on its way through libmicrohttpd: checks its headers, collects its body within the
 * limits, calls its route, and sends the response. */
#include "ingest/server.h"

#include "base/clock.h"
#include "ingest/strict.h"
#include "metrics/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The lowest average rate of a body after the grace period. */
#define BODY_BYTES_A_SECOND 1024

void *http_exchange_new(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct ingest *ingest = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info ? info->socket_context : NULL;
    struct http_exchange *exchange = connection && uri ? calloc(1, sizeof *exchange) : NULL;
    if (!exchange) {
        /* http_exchange_access() then closes the connection. */
        return NULL;
    }
    exchange->request.exchange = exchange;
    exchange->ingest = ingest;
    exchange->refs = 1;
    exchange->connection = connection;
    exchange->mhd = mhd;
    exchange->began_us = clock_monotonic_us();
    exchange->bad_uri = strict_check_uri(uri);
    exchange->uri_bytes = strlen(uri);
    /* One request after the other. */
    assert(!connection->exchange);
    connection->exchange = exchange;
    if (connection->responded) {
        connection_set_deadline(ingest, connection, ingest->options.header_deadline_ms);
    }
    ingest->n_exchanges++;
    return exchange;
}

void http_request_ref(struct http_request *request) {
    request->exchange->refs++;
}

void http_request_unref(struct http_request *request) {
    struct http_exchange *exchange = request->exchange;
    assert(exchange->refs > 0);
    if (--exchange->refs > 0) {
        return;
    }
    http_drop_body(request);
    if (request->route && request->route->release) {
        request->route->release(request);
    }
    assert(exchange->ingest->n_exchanges > 0 && !exchange->connection);
    exchange->ingest->n_exchanges--;
    free(exchange);
}

void http_drop_body(struct http_request *request) {
    struct http_exchange *exchange = request->exchange;
    buffer_finish(&request->body);
    assert(exchange->ingest->held_bytes >= exchange->held_bytes);
    exchange->ingest->held_bytes -= exchange->held_bytes;
    exchange->held_bytes = 0;
}

struct mailbox *http_mailbox(struct http_request *request) {
    return &request->exchange->ingest->mailbox;
}

static bool lists_method(const char *methods, const char *method) {
    size_t bytes = strlen(method);
    for (const char *at = methods; *at; at += strspn(at, ", ")) {
        size_t name_bytes = strcspn(at, ", ");
        if (name_bytes == bytes && memcmp(at, method, bytes) == 0) {
            return true;
        }
        at += name_bytes;
    }
    return false;
}

static bool matches(const struct http_route *route, const char *path) {
    size_t bytes = strlen(route->path);
    if (bytes > 2 && strcmp(route->path + bytes - 2, "/*") == 0) {
        return strncmp(path, route->path, bytes - 2) == 0 &&
               (path[bytes - 2] == '\0' || path[bytes - 2] == '/' ||
                strcmp(path + bytes - 2, ".json") == 0);
    }
    return strcmp(path, route->path) == 0;
}

static const struct http_route *find_route(const struct ingest *ingest, const char *path) {
    for (size_t i = 0; i < OWN_ROUTES; i++) {
        if (matches(&ingest->own_routes[i], path)) {
            return &ingest->own_routes[i];
        }
    }
    for (size_t i = 0; i < ingest->options.n_routes; i++) {
        if (matches(&ingest->options.routes[i], path)) {
            return &ingest->options.routes[i];
        }
    }
    return NULL;
}

static void reject_over_budget(struct http_request *request) {
    http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                "the host holds too many request bodies at once", "send the request again later");
}

static void reject_too_large(struct http_request *request) {
    http_reject(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large",
                "send less, or raise server.max_body_bytes");
}

/* Would `more` bytes exceed the budget of all requests together? */
static bool over_budget(const struct ingest *ingest, uint64_t more) {
    return more > ingest->options.max_held_bytes - ingest->held_bytes;
}

/* Would they exceed it even if no other body were still arriving? */
static bool has_no_room(const struct ingest *ingest, uint64_t more) {
    if (!over_budget(ingest, more)) {
        return false;
    }
    uint64_t whole = ingest->held_bytes - connections_arriving_bytes(ingest);
    return more > ingest->options.max_held_bytes - whole;
}

/* A stranger must not fill the budget with bodies that never end. So the body that has been
 * arriving for longest makes room for the newest one. A webhook's body arrives within
 * milliseconds. */
static bool make_room(struct http_exchange *exchange, uint64_t bytes) {
    while (over_budget(exchange->ingest, bytes)) {
        if (!connections_shut_oldest_body(exchange->ingest, exchange->connection)) {
            return false;
        }
    }
    return true;
}

/* A body must arrive at a minimum rate and be complete in time. */
static void set_body_deadline(struct http_exchange *exchange) {
    const struct ingest_options *options = &exchange->ingest->options;
    int64_t from_ms = exchange->connection->since_ms;
    int64_t in_ms =
        options->body_grace_ms + (int64_t)(exchange->seen_bytes * 1000 / BODY_BYTES_A_SECOND);
    in_ms = in_ms < options->body_deadline_ms ? in_ms : options->body_deadline_ms;
    connection_set_deadline(exchange->ingest, exchange->connection,
                            from_ms + in_ms - clock_monotonic_ms());
}

/* Rejects what the headers alone allow to reject. */
static void check_headers(struct http_exchange *exchange) {
    struct ingest *ingest = exchange->ingest;
    struct http_request *request = &exchange->request;
    const struct http_route *route = find_route(ingest, request->path);
    if (!route) {
        http_reject(request, MHD_HTTP_NOT_FOUND, "there is nothing at this path",
                    "send webhooks to /webhook/github");
        return;
    }
    if (!lists_method(route->methods, request->method)) {
        http_reject(request, MHD_HTTP_METHOD_NOT_ALLOWED, "this path does not accept this method",
                    "use a method that the header Allow lists");
        http_response_header(request, MHD_HTTP_HEADER_ALLOW, route->methods);
        return;
    }
    if (!connection_set_page(ingest, exchange->connection, route->is_page)) {
        http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many browsers have pages open",
                    "close other windows, and load the page again");
        http_response_header(request, MHD_HTTP_HEADER_CONNECTION, "close");
        return;
    }
    if (exchange->announced_bytes > route->max_body_bytes) {
        reject_too_large(request);
        return;
    }
    request->route = route;
    request->body = (struct buffer)BUFFER_INIT(route->max_body_bytes);
    if (route->on_headers) {
        route->on_headers(request);
    }
    /* The budget counts bytes when they arrive, not when they are announced. Otherwise three
     * requests that announce much and send nothing would lock out everybody else. Reserved pages
     * that nobody has written yet cost nothing. */
    if (!exchange->responded && exchange->announced_bytes > 0 &&
        (has_no_room(ingest, exchange->announced_bytes) ||
         buffer_reserve(&request->body, exchange->announced_bytes) < 0)) {
        reject_over_budget(request);
    }
}

/* An eighth of the connections is kept free for new clients. */
static bool is_crowded(const struct ingest *ingest) {
    uint32_t max = ingest->options.max_connections;
    return connections_other(ingest) > max - max / 8;
}

static enum MHD_Result queue(struct http_exchange *exchange) {
    struct ingest *ingest = exchange->ingest;
    if (!exchange->response) {
        return MHD_NO;
    }
    /* libmicrohttpd before 1.0 accepts a chunk line that ends in a bare LF. A proxy in front of the
     * host may read it differently. So nothing after a chunked body counts as another request. */
    size_t bytes;
    bool chunked = http_header(&exchange->request, MHD_HTTP_HEADER_TRANSFER_ENCODING, &bytes);
    if (ingest->quiesced || chunked || is_crowded(ingest)) {
        (void)MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    connection_set_deadline(ingest, exchange->connection, ingest->options.header_deadline_ms);
    enum MHD_Result result =
        MHD_queue_response(exchange->mhd, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    return result;
}

/* A rejected body is still read up to this size, so that the response reaches a client that writes
 * everything before it reads. */
static uint64_t discard_max(const struct ingest *ingest) {
    return 2 * (uint64_t)ingest->options.max_body_bytes;
}

static enum MHD_Result begin(struct http_exchange *exchange, const struct strict_request *strict) {
    struct ingest *ingest = exchange->ingest;
    struct http_request *request = &exchange->request;
    exchange->connection->since_ms = clock_monotonic_ms();
    set_body_deadline(exchange);
    const char *ambiguous =
        exchange->bad_uri ? exchange->bad_uri : strict_check(exchange->mhd, strict);
    if (ambiguous) {
        http_reject(request, MHD_HTTP_BAD_REQUEST, ambiguous,
                    "send a request that has only one meaning (RFC 9112)");
        /* The end of the body is unknown, so the connection closes. */
        return queue(exchange);
    }
    size_t bytes;
    const char *length = http_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH, &bytes);
    exchange->announced_bytes = length ? strtoull(length, NULL, 10) : 0;
    check_headers(exchange);
    const char *expect = http_header(request, MHD_HTTP_HEADER_EXPECT, &bytes);
    bool waits = expect && strcasecmp(expect, "100-continue") == 0;
    if (exchange->responded && (waits || exchange->announced_bytes > discard_max(ingest))) {
        /* libmicrohttpd closes the connection after this response. */
        return queue(exchange);
    }
    return MHD_YES;
}

static enum MHD_Result add_body(struct http_exchange *exchange, const char *data, size_t bytes) {
    struct ingest *ingest = exchange->ingest;
    struct http_request *request = &exchange->request;
    exchange->seen_bytes += bytes;
    if (exchange->seen_bytes > discard_max(ingest)) {
        /* Endless chunks; libmicrohttpd accepts no response in between. */
        return MHD_NO;
    }
    set_body_deadline(exchange);
    if (exchange->responded) {
        return MHD_YES;
    }
    if (exchange->seen_bytes > request->route->max_body_bytes) {
        reject_too_large(request);
    } else if (!make_room(exchange, bytes) || buffer_append(&request->body, data, bytes) < 0) {
        reject_over_budget(request);
    } else {
        exchange->held_bytes += bytes;
        ingest->held_bytes += bytes;
    }
    if (exchange->responded) {
        http_drop_body(request);
    }
    return MHD_YES;
}

/* The request is complete, or the response that it was suspended for has arrived. */
static enum MHD_Result finish(struct http_exchange *exchange) {
    if (!exchange->responded && !exchange->handled) {
        exchange->handled = true;
        if (exchange->ingest->ending) {
            /* No thread would resume it later. */
            http_reject_stopping(&exchange->request);
        } else {
            exchange->request.route->on_request(&exchange->request);
        }
        if (exchange->responded) {
            http_drop_body(&exchange->request);
        }
    }
    if (exchange->responded) {
        return queue(exchange);
    }
    connection_set_deadline(exchange->ingest, exchange->connection, INT64_MAX);
    assert(!exchange->suspended);
    exchange->suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return MHD_YES;
}

/* A request to a proxy contains the whole URL, and RFC 9112 section 3.2.2 requires every server to
 * accept that. Its host does not matter here, like the header Host. */
static const char *path_of(const char *target) {
    size_t scheme = 0;
    if (strncasecmp(target, "http://", 7) == 0) {
        scheme = 7;
    } else if (strncasecmp(target, "https://", 8) == 0) {
        scheme = 8;
    }
    size_t host = scheme ? strcspn(target + scheme, "/") : 0;
    if (host == 0) {
        return target;
    }
    const char *path = target + scheme + host;
    return *path ? path : "/";
}

enum MHD_Result http_exchange_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_bytes, void **con_cls) {
    struct http_exchange *exchange = *con_cls;
    (void)cls;
    (void)mhd;
    if (!exchange) {
        return MHD_NO;
    }
    if (!exchange->started) {
        exchange->started = true;
        exchange->request.method = method;
        exchange->request.path = path_of(url);
        return begin(exchange, &(struct strict_request){.method = method,
                                                        .uri = url,
                                                        .version = version,
                                                        .uri_bytes = exchange->uri_bytes});
    }
    if (*data_bytes > 0) {
        size_t bytes = *data_bytes;
        *data_bytes = 0;
        return add_body(exchange, data, bytes);
    }
    return finish(exchange);
}

/* libmicrohttpd itself rejects, in HTML, requests that it cannot parse (a chunk's size, a length,
 * too many headers). It has no hook for that, so this function logs and counts them afterwards. */
static void log_library_rejection(struct ingest *ingest, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    if (info) {
        metrics_rejected(info->http_status);
        rejections_log(&ingest->rejections, clock_monotonic_ms(),
                       &(struct rejection){.status = info->http_status,
                                           .reason = "libmicrohttpd cannot parse it as HTTP"});
    }
}

void http_exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                             enum MHD_RequestTerminationCode how) {
    struct ingest *ingest = cls;
    struct http_exchange *exchange = *con_cls;
    (void)how;
    if (!exchange) {
        return;
    }
    if (!exchange->responded) {
        log_library_rejection(ingest, mhd);
    }
    /* See http_respond(). */
    (void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
    *con_cls = NULL;
    struct connection *connection = exchange->connection;
    connection->exchange = NULL;
    connection->responded = true;
    connection->since_ms = clock_monotonic_ms();
    connection_set_deadline(
        ingest, connection,
        ingest->quiesced || connection->left ? 0 : ingest->options.idle_deadline_ms);
    if (exchange->response) {
        MHD_destroy_response(exchange->response);
        exchange->response = NULL;
    }
    /* A later response is ignored. */
    exchange->responded = true;
    exchange->connection = NULL;
    exchange->mhd = NULL;
    http_request_unref(&exchange->request);
}
