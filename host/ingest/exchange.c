/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One request on its way through libmicrohttpd: its headers are checked, its body is kept within
 * the limits, its route handles it, its answer is sent. */
#include "ingest/server.h"

#include "base/clock.h"
#include "ingest/strict.h"
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_BYTES_A_SECOND 1024 /* the least, on the average, once the grace is over */

void *exchange_new(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct ingest *ingest = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info ? info->socket_context : NULL;
    struct exchange *exchange = connection && uri ? calloc(1, sizeof *exchange) : NULL;
    if (!exchange) {
        return NULL; /* exchange_access() hangs up */
    }
    exchange->request.exchange = exchange;
    exchange->ingest = ingest;
    exchange->refs = 1;
    exchange->connection = connection;
    exchange->mhd = mhd;
    exchange->began_us = clock_monotonic_us();
    exchange->bad_uri = strict_check_uri(uri);
    exchange->uri_bytes = strlen(uri);
    connection->exchange = exchange;
    ingest->n_exchanges++;
    return exchange;
}

void http_request_ref(struct http_request *request) {
    request->exchange->refs++;
}

void http_request_unref(struct http_request *request) {
    struct exchange *exchange = request->exchange;
    if (--exchange->refs > 0) {
        return;
    }
    http_drop_body(request);
    if (request->route && request->route->release) {
        request->route->release(request);
    }
    exchange->ingest->n_exchanges--;
    free(exchange);
}

void http_drop_body(struct http_request *request) {
    struct exchange *exchange = request->exchange;
    buffer_finish(&request->body);
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

static bool is_at(const struct http_route *route, const char *path) {
    size_t bytes = strlen(route->path);
    if (bytes > 2 && strcmp(route->path + bytes - 2, "/*") == 0) {
        return strncmp(path, route->path, bytes - 2) == 0 &&
               (path[bytes - 2] == '\0' || path[bytes - 2] == '/');
    }
    return strcmp(path, route->path) == 0;
}

static const struct http_route *find_route(const struct ingest *ingest, const char *path) {
    for (size_t i = 0; i < OWN_ROUTES; i++) {
        if (is_at(&ingest->own_routes[i], path)) {
            return &ingest->own_routes[i];
        }
    }
    for (size_t i = 0; i < ingest->options.n_routes; i++) {
        if (is_at(&ingest->options.routes[i], path)) {
            return &ingest->options.routes[i];
        }
    }
    return NULL;
}

static void reject_for_memory(struct http_request *request) {
    http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many bodies are held at once",
                "send it again later");
}

static void reject_for_size(struct http_request *request) {
    http_reject(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large",
                "send less, or raise server.max_body_bytes");
}

/* Would `more` bytes pass what all requests together may hold? */
static bool over_budget(const struct ingest *ingest, uint64_t more) {
    return more > ingest->options.max_held_bytes - ingest->held_bytes;
}

/* Would they even if nothing else were still on its way? */
static bool has_no_room(const struct ingest *ingest, uint64_t more) {
    uint64_t whole = ingest->held_bytes - connections_coming_bytes(ingest);
    return more > ingest->options.max_held_bytes - whole;
}

/* A stranger must not fill the budget with bodies that never end: the one that has been coming for
 * longest makes room for who comes now; a webhook's is over in no time. */
static bool make_room(struct exchange *exchange, uint64_t bytes) {
    while (over_budget(exchange->ingest, bytes)) {
        if (!connections_shut_oldest_body(exchange->ingest, exchange->connection)) {
            return false;
        }
    }
    return true;
}

/* A body must come at a rate, and be whole in time. */
static void set_body_deadline(struct exchange *exchange) {
    const struct ingest_options *options = &exchange->ingest->options;
    int64_t from_ms = exchange->connection->since_ms;
    int64_t in_ms =
        options->body_grace_ms + (int64_t)(exchange->seen_bytes * 1000 / BODY_BYTES_A_SECOND);
    in_ms = in_ms < options->body_deadline_ms ? in_ms : options->body_deadline_ms;
    connection_set_deadline(exchange->ingest, exchange->connection,
                            from_ms + in_ms - clock_monotonic_ms());
}

/* The headers are there: what can be rejected by them alone is. */
static void check_headers(struct exchange *exchange) {
    struct ingest *ingest = exchange->ingest;
    struct http_request *request = &exchange->request;
    const struct http_route *route = find_route(ingest, request->path);
    if (!route) {
        http_reject(request, MHD_HTTP_NOT_FOUND, "there is nothing here",
                    "webhooks go to /webhook/github");
        return;
    }
    if (!lists_method(route->methods, request->method)) {
        http_reject(request, MHD_HTTP_METHOD_NOT_ALLOWED, "this method does nothing here",
                    "use one that the header Allow lists");
        http_answer_header(request, MHD_HTTP_HEADER_ALLOW, route->methods);
        return;
    }
    if (exchange->announced_bytes > route->max_body_bytes) {
        reject_for_size(request);
        return;
    }
    request->route = route;
    request->body = (struct buffer)BUFFER_INIT(route->max_body_bytes);
    if (route->begin) {
        route->begin(request);
    }
    /* What is held counts as it comes, not as it is announced: three requests that announce much
     * and send nothing would keep everybody else out. The pages of what is reserved and not yet
     * written cost nothing. */
    if (!exchange->answered && exchange->announced_bytes > 0 &&
        (has_no_room(ingest, exchange->announced_bytes) ||
         buffer_reserve(&request->body, exchange->announced_bytes) < 0)) {
        reject_for_memory(request);
    }
}

static enum MHD_Result queue(struct exchange *exchange) {
    struct ingest *ingest = exchange->ingest;
    if (!exchange->response) {
        return MHD_NO;
    }
    /* libmicrohttpd before 1.0 takes a chunk's line that ends in a bare LF, which a proxy before us
     * may read otherwise. So what follows chunks is never taken for another request. */
    size_t bytes;
    bool chunked = http_header(&exchange->request, MHD_HTTP_HEADER_TRANSFER_ENCODING, &bytes);
    if (ingest->quiesced || chunked) {
        (void)MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    connection_set_deadline(ingest, exchange->connection, ingest->options.header_deadline_ms);
    enum MHD_Result result =
        MHD_queue_response(exchange->mhd, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    return result;
}

/* So much of a body is read to its end although it is rejected, so that the rejection reaches a
 * client that writes all before it reads. */
static uint64_t discard_max(const struct ingest *ingest) {
    return 2 * (uint64_t)ingest->options.max_body_bytes;
}

static enum MHD_Result begin(struct exchange *exchange, const struct strict_request *strict) {
    struct ingest *ingest = exchange->ingest;
    struct http_request *request = &exchange->request;
    exchange->connection->since_ms = clock_monotonic_ms();
    set_body_deadline(exchange);
    const char *ambiguous =
        exchange->bad_uri ? exchange->bad_uri : strict_check(exchange->mhd, strict);
    if (ambiguous) {
        http_reject(request, MHD_HTTP_BAD_REQUEST, ambiguous,
                    "send a request that cannot be read in two ways (RFC 9112)");
        return queue(exchange); /* where its body ends nobody knows: hang up */
    }
    size_t bytes;
    const char *length = http_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH, &bytes);
    exchange->announced_bytes = length ? strtoull(length, NULL, 10) : 0;
    check_headers(exchange);
    const char *expect = http_header(request, MHD_HTTP_HEADER_EXPECT, &bytes);
    bool waits = expect && strcasecmp(expect, "100-continue") == 0;
    if (exchange->answered && (waits || exchange->announced_bytes > discard_max(ingest))) {
        return queue(exchange); /* libmicrohttpd hangs up after it */
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t bytes) {
    struct ingest *ingest = exchange->ingest;
    struct http_request *request = &exchange->request;
    exchange->seen_bytes += bytes;
    if (exchange->seen_bytes > discard_max(ingest)) {
        return MHD_NO; /* chunks without end; libmicrohttpd takes no answer in between */
    }
    set_body_deadline(exchange);
    if (exchange->answered) {
        return MHD_YES;
    }
    if (exchange->seen_bytes > request->route->max_body_bytes) {
        reject_for_size(request);
    } else if (!make_room(exchange, bytes) || buffer_append(&request->body, data, bytes) < 0) {
        reject_for_memory(request);
    } else {
        exchange->held_bytes += bytes;
        ingest->held_bytes += bytes;
    }
    if (exchange->answered) {
        http_drop_body(request);
    }
    return MHD_YES;
}

/* The request is whole; or the answer that it was suspended for has come. */
static enum MHD_Result finish(struct exchange *exchange) {
    if (!exchange->answered && !exchange->handled) {
        exchange->handled = true;
        if (exchange->ingest->ending) {
            http_reject_stopping(&exchange->request); /* nobody would wake it any more */
        } else {
            exchange->request.route->handle(&exchange->request);
        }
        if (exchange->answered) {
            http_drop_body(&exchange->request);
        }
    }
    if (exchange->answered) {
        return queue(exchange);
    }
    connection_set_deadline(exchange->ingest, exchange->connection, INT64_MAX);
    exchange->suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return MHD_YES;
}

/* A request to a proxy names all of the URL, and RFC 9112 section 3.2.2 has every server take that.
 * Whose host it names does not matter here, as for Host. */
static const char *path_of(const char *target) {
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    size_t host = scheme ? strcspn(target + scheme, "/") : 0;
    if (host == 0) {
        return target;
    }
    const char *path = target + scheme + host;
    return *path ? path : "/";
}

enum MHD_Result exchange_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *data_bytes, void **con_cls) {
    struct exchange *exchange = *con_cls;
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
        return take_body(exchange, data, bytes);
    }
    return finish(exchange);
}

/* What libmicrohttpd cannot read (a chunk's size, a length, more headers than it has room for) it
 * rejects by itself, in HTML, and it has no hook for that. The log and the figures tell of it. */
static void tell_of_its_rejection(struct ingest *ingest, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    if (info) {
        metrics_rejected(info->http_status);
        rejections_log(&ingest->rejections, clock_monotonic_ms(), info->http_status,
                       "libmicrohttpd cannot read it as HTTP", NULL);
    }
}

void exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                        enum MHD_RequestTerminationCode how) {
    struct ingest *ingest = cls;
    struct exchange *exchange = *con_cls;
    (void)how;
    if (!exchange) {
        return;
    }
    if (!exchange->answered) {
        tell_of_its_rejection(ingest, mhd);
    }
    (void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U); /* see http_answer() */
    *con_cls = NULL;
    struct connection *connection = exchange->connection;
    connection->exchange = NULL;
    connection->answered = true;
    connection->since_ms = clock_monotonic_ms();
    connection_set_deadline(
        ingest, connection,
        ingest->quiesced || connection->left ? 0 : ingest->options.header_deadline_ms);
    if (exchange->response) {
        MHD_destroy_response(exchange->response);
        exchange->response = NULL;
    }
    exchange->answered = true; /* whatever comes later comes too late */
    exchange->connection = NULL;
    exchange->mhd = NULL;
    http_request_unref(&exchange->request);
}
