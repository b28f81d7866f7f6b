/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a route asks of a request and says to it. */
#include "ingest/server.h"

#include "base/clock.h"
#include "metrics/metrics.h"

#include <string.h>

#define OWN_TIMEOUT_S 3600

const char *http_header(struct http_request *request, const char *name, size_t *bytes) {
    const char *value = NULL;
    size_t length = 0;
    if (MHD_lookup_connection_value_n(request->exchange->mhd, MHD_HEADER_KIND, name, strlen(name),
                                      &value, &length) != MHD_YES ||
        !value) {
        return NULL;
    }
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
        length--; /* libmicrohttpd takes them off in front only */
    }
    *bytes = length;
    return value;
}

const char *http_query(struct http_request *request, const char *name) {
    const char *value = NULL;
    enum MHD_Result found = MHD_lookup_connection_value_n(
        request->exchange->mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, NULL);
    return found != MHD_YES ? NULL : value ? value : "";
}

void http_answer(struct http_request *request, unsigned status, const char *content_type,
                 const void *body, size_t body_bytes) {
    struct exchange *exchange = request->exchange;
    if (exchange->answered) {
        return;
    }
    exchange->answered = true;
    exchange->status = status;
    /* The library copies; its parameter lacks the const. */
    exchange->response =
        MHD_create_response_from_buffer(body_bytes, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    http_answer_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    http_answer_header(request, "X-Content-Type-Options", "nosniff");
    http_answer_header(request, "Referrer-Policy", "no-referrer");
    http_answer_header(request, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (strncmp(content_type, "text/html", strlen("text/html")) != 0) {
        http_answer_header(request, "Content-Security-Policy",
                           "default-src 'none'; frame-ancestors 'none'");
    }
    if (exchange->suspended) {
        exchange->suspended = false;
        /* libmicrohttpd reads from a resumed connection before it asks for the answer, and closes
         * it when the client has closed its side; those with a timeout of their own it asks first.
         * The deadlines are ours: this one passes none of them. */
        (void)MHD_set_connection_option(exchange->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                        (unsigned)OWN_TIMEOUT_S);
        MHD_resume_connection(exchange->mhd); /* calls exchange_access() in its next round */
    }
}

void http_answer_header(struct http_request *request, const char *name, const char *value) {
    if (request->exchange->response) {
        (void)MHD_add_response_header(request->exchange->response, name, value);
    }
}

void http_reject(struct http_request *request, unsigned status, const char *error,
                 const char *fix) {
    struct exchange *exchange = request->exchange;
    AUTO_BUFFER struct buffer json = BUFFER_INIT(8192);
    if (exchange->answered) {
        return;
    }
    (void)buffer_append_text(&json, "{\"error\":");
    (void)buffer_append_json_string(&json, error, strlen(error));
    (void)buffer_append_text(&json, ",\"fix\":");
    (void)buffer_append_json_string(&json, fix, strlen(fix));
    (void)buffer_append_text(&json, "}\n");
    http_answer(request, status, "application/json", json.data, json.bytes);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        http_answer_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "10");
    }
    metrics_rejected(status);
    rejections_log(&exchange->ingest->rejections, clock_monotonic_ms(), status, error,
                   request->delivery);
}
