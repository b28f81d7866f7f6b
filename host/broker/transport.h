/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HTTP transfers over one curl multi handle: bounded in number, size and time. It follows no
 * redirect and checks certificates. It knows only the headers that every request to GitHub carries,
 * and that a token goes into one of them.
 *
 * Threads: the broker's alone. Only transport_perform() calls on_done(). */
#ifndef SNEK_BROKER_TRANSPORT_H
#define SNEK_BROKER_TRANSPORT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/proxy.h"
#include "broker/fair_queue.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* The bound of all installations together; ratelimits.h bounds each. As many connections are
 * allowed, so that without HTTP/2 no request waits inside curl, where its time already runs. */
#define TRANSPORT_IN_FLIGHT_MAX 1024
/* The bytes of all responses that are arriving. Above half of it, no further request starts. Above
 * it, the transport gives up a response that is itself large. */
#define TRANSPORT_HELD_MAX ((size_t)256 << 20)
#define TRANSPORT_SMALL_MAX ((size_t)1 << 20)
#define TRANSPORT_HEADERS_MAX (64u << 10)
/* One response at a time of an owner (http_transfer.entry) may be larger than this. The
 * others pause meanwhile, so that one plugin cannot fill the host's memory. */
#define TRANSPORT_LARGE_FROM ((size_t)256 << 10)
#define TRANSPORT_ACCEPT "application/vnd.github+json"
#define TRANSPORT_API_VERSION "2022-11-28"

struct transport;

struct http_transfer {
    /* The request; borrowed until on_done(). */
    const char *method, *url;
    /* For sentences. */
    const char *path;
    /* NULL: GitHub's JSON, and JSON. */
    const char *accept, *content_type;
    /* Checked lines. NULL: none. */
    const char *more_headers;
    /* The cached response's tag, for If-None-Match. NULL: the request is unconditional. */
    const char *etag;
    /* NULL: none. */
    const char *body;
    size_t body_bytes;
    /* The response is wiped. */
    bool secret;
    /* 0: the transport's. */
    int64_t timeout_ms;
    /* Monotonic: its first byte must not leave later. 0: no limit. */
    int64_t not_after_ms;
    /* May send the transfer again, or finish it. */
    void (*on_done)(struct http_transfer *transfer);

    /* The result. outcome: 0 for a 2xx, else a negative enum snek_error. */
    int32_t outcome;
    /* 0 when no whole response came. */
    int32_t status;
    /* It failed before GitHub can have received it. */
    bool unsent;
    struct error error;
    struct buffer headers, response;

    /* The transport's. NULL unless queued or in progress. */
    struct transport *transport;
    /* NULL unless in progress. */
    CURL *easy;
    struct curl_slist *sent_headers;
    /* curl was about to send the request, after `before_bytes` of others (CONNECT to a proxy). */
    bool begun;
    /* `not_after_ms` had passed when it was about to. */
    bool expired;
    long before_bytes;
    size_t header_bytes, held_bytes;
    /* In the transport's list of large or of paused responses. */
    enum { TRANSFER_SMALL, TRANSFER_LARGE, TRANSFER_PAUSED } size;
    TAILQ_ENTRY(http_transfer) link_size;
    /* Given up because other responses held too many bytes. */
    bool crowded;
    /* CURL_ERROR_SIZE. */
    char *curl_error;
    /* Its owner is the plugin's name; NULL: the app itself. */
    struct fair_queue_entry entry;
};

struct transport_options {
    const char *user_agent;
    /* NULL: the system's certificates. */
    const char *ca_file;
    /* https and nothing else, or http and nothing else. */
    bool tls;
    /* For https. NULL, or without a URL: no proxy. */
    const struct proxy *proxy;
    int64_t timeout_ms;
};

int transport_new(const struct transport_options *options, struct transport **transport,
                  struct error *err);
/* Takes NULL. Every transfer is finished. */
void transport_free(struct transport *transport);

void http_transfer_init(struct http_transfer *transfer, size_t response_max, bool secret);
/* Wipes and frees, in any state; on_done() is not called any more. */
void http_transfer_finish(struct http_transfer *transfer);
/* Moves headers and body out of the transfer. */
void http_transfer_take(struct http_transfer *transfer, struct buffer *headers,
                        struct buffer *response);

/* Queues the transfer; `token` is copied, and wiped when the response has arrived. */
void transport_send(struct transport *transport, struct http_transfer *transfer, const char *token);

/* Makes progress on everything, and calls on_done(). */
void transport_perform(struct transport *transport);
/* Sleeps until there is progress to make, one of `fds` is ready (its revents say so), or the time
 * is up. */
void transport_wait(struct transport *transport, struct curl_waitfd *fds, unsigned n_fds,
                    int timeout_ms);

/* GitHub's clock less ours, from the last response that had a Date; 0 before. */
int64_t transport_skew_s(const struct transport *transport);

#endif
