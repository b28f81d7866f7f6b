/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The functions that routes call on a request: read its headers, respond, reject. */
#include "ingest/server.h"

#include "base/clock.h"
#include "metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

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
        /* libmicrohttpd only removes the blanks in front. */
        length--;
    }
    *bytes = length;
    return value;
}

const char *http_query(struct http_request *request, const char *name) {
    const char *value = NULL;
    enum MHD_Result found = MHD_lookup_connection_value_n(
        request->exchange->mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, NULL);
    if (found != MHD_YES) {
        return NULL;
    }
    return value ? value : "";
}

/* "" for an address that is not IP's. */
static void address_text(const struct sockaddr_storage *socket_address,
                         char address[HTTP_ADDRESS_MAX]) {
    address[0] = '\0';
    if (socket_address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)socket_address;
        inet_ntop(AF_INET, &in->sin_addr, address, HTTP_ADDRESS_MAX);
    } else if (socket_address->ss_family == AF_INET6) {
        const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *)socket_address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(ipv6);
        inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? ipv6->s6_addr + 12 : ipv6->s6_addr, address,
                  HTTP_ADDRESS_MAX);
    }
}

void http_local_address(struct http_request *request, char address[HTTP_ADDRESS_MAX]) {
    struct sockaddr_storage local = {0};
    socklen_t bytes = sizeof local;
    (void)getsockname(request->exchange->connection->fd, (struct sockaddr *)&local, &bytes);
    address_text(&local, address);
}

void http_peer_address(struct http_request *request, char address[HTTP_ADDRESS_MAX]) {
    struct sockaddr_storage peer = {0};
    socklen_t bytes = sizeof peer;
    (void)getpeername(request->exchange->connection->fd, (struct sockaddr *)&peer, &bytes);
    address_text(&peer, address);
}

bool http_peer_is_loopback(struct http_request *request) {
    char address[HTTP_ADDRESS_MAX];
    http_peer_address(request, address);
    return strncmp(address, "127.", strlen("127.")) == 0 || strcmp(address, "::1") == 0;
}

void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  const void *body, size_t body_bytes) {
    struct http_exchange *exchange = request->exchange;
    if (exchange->responded) {
        return;
    }
    exchange->responded = true;
    exchange->status = status;
    /* libmicrohttpd copies the body, but its parameter lacks the const. */
    exchange->response =
        MHD_create_response_from_buffer(body_bytes, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    http_response_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    http_response_header(request, "X-Content-Type-Options", "nosniff");
    http_response_header(request, "Referrer-Policy", "no-referrer");
    http_response_header(request, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (strncmp(content_type, "text/html", strlen("text/html")) != 0) {
        http_response_header(request, "Content-Security-Policy",
                             "default-src 'none'; frame-ancestors 'none'");
    }
    if (exchange->suspended) {
        exchange->suspended = false;
        /* libmicrohttpd reads from a resumed connection before it asks for the response, and closes
         * the connection if the client has closed its side. For a connection with a timeout of its
         * own it asks first. This timeout never expires before our own deadlines. */
        (void)MHD_set_connection_option(exchange->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                        (unsigned)OWN_TIMEOUT_S);
        /* libmicrohttpd calls http_exchange_access() in its next round. */
        MHD_resume_connection(exchange->mhd);
    }
}

void http_response_header(struct http_request *request, const char *name, const char *value) {
    if (request->exchange->response) {
        (void)MHD_add_response_header(request->exchange->response, name, value);
    }
}

void http_response_is_immutable(struct http_request *request) {
    struct MHD_Response *response = request->exchange->response;
    if (response) {
        (void)MHD_del_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                      "public, max-age=31536000, immutable");
    }
}

void http_reject(struct http_request *request, unsigned status, const char *error,
                 const char *fix) {
    struct http_exchange *exchange = request->exchange;
    AUTO_BUFFER struct buffer json = BUFFER_INIT(8192);
    if (exchange->responded) {
        return;
    }
    buffer_append_text(&json, "{\"error\":");
    buffer_append_json_string(&json, error, strlen(error));
    buffer_append_text(&json, ",\"fix\":");
    buffer_append_json_string(&json, fix, strlen(fix));
    buffer_append_text(&json, "}\n");
    http_respond(request, status, "application/json", json.data, json.bytes);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        http_response_header(request, MHD_HTTP_HEADER_RETRY_AFTER, "10");
    }
    metrics_rejected(status);
    /* The path of a route says nothing new. */
    bool unknown = !request->route;
    struct rejection rejection = {.status = status,
                                  .reason = error,
                                  .delivery = request->delivery,
                                  .method = unknown ? request->method : NULL,
                                  .path = unknown ? request->path : NULL};
    rejections_log(&exchange->ingest->rejections, clock_monotonic_ms(), &rejection);
}
