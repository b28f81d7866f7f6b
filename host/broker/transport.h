/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HTTP exchanges over one curl multi handle: bounded in number, size and time, redirects not
 * followed, certificates checked. It knows of GitHub only the headers that every request carries,
 * and of a token only that it goes into one of them.
 *
 * Threads: the broker's alone. No function calls done() but transport_perform(). */
#ifndef SNEK_BROKER_TRANSPORT_H
#define SNEK_BROKER_TRANSPORT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/proxy.h"
#include "broker/turns.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* All installations' together; ratelimits.h bounds each. As many connections, so that without
 * HTTP/2 no request waits inside curl, where its time already runs. */
#define TRANSPORT_IN_FLIGHT_MAX 1024
/* Of all answers that are coming. Past half of it no further request is begun; past the whole an
 * answer that is itself large is given up. */
#define TRANSPORT_HELD_MAX ((size_t)256 << 20)
#define TRANSPORT_SMALL_MAX ((size_t)1 << 20)
#define TRANSPORT_HEADERS_MAX (64u << 10)
#define TRANSPORT_ACCEPT "application/vnd.github+json"
#define TRANSPORT_API_VERSION "2022-11-28"

struct transport;

struct exchange {
    /* The question; borrowed until done. */
    const char *method, *url;
    const char *path;                  /* for sentences */
    const char *accept, *content_type; /* NULL: GitHub's JSON, JSON */
    const char *more_headers;          /* checked lines; NULL none */
    const char *tag;                   /* of what is kept; NULL: whatever there is is wanted */
    const char *body;                  /* NULL: none */
    size_t body_bytes;
    bool secret;                             /* the answer is wiped */
    int64_t timeout_ms;                      /* 0: the transport's */
    void (*done)(struct exchange *exchange); /* may send it again or finish it */

    /* The answer. */
    int32_t outcome; /* 0 for a 2xx, else a negative enum snek_error */
    int32_t status;  /* 0 when no whole answer came */
    bool unsent;     /* it failed before GitHub can have heard of it */
    struct error error;
    struct buffer headers, answer;

    /* The transport's. */
    struct transport *transport; /* NULL unless queued or under way */
    CURL *easy;                  /* NULL unless under way */
    struct curl_slist *sent_headers;
    bool begun;        /* the request was about to be sent … */
    long before_bytes; /* … after so many of others on its way */
    size_t header_bytes, held_bytes;
    bool crowded;     /* given up since there were too many bytes of others */
    char *curl_error; /* CURL_ERROR_SIZE */
    struct turn turn; /* its owner is the asker's: a plugin's name; NULL: the app itself */
};

struct transport_options {
    const char *user_agent, *ca_file; /* ca_file NULL: the system's */
    bool tls;                         /* https and nothing else, or http and nothing else */
    const struct proxy *proxy;        /* for https; NULL, or without a URL: none */
    int64_t timeout_ms;
};

int transport_new(const struct transport_options *options, struct transport **transport,
                  struct error *err);
void transport_free(struct transport *transport); /* takes NULL; every exchange is finished */

void exchange_init(struct exchange *exchange, size_t answer_max, bool secret);
/* Wipes and frees; whatever its state, done() is not called any more. */
void exchange_finish(struct exchange *exchange);

/* Queues the exchange; `token` is copied, and wiped when the answer is there. */
void transport_send(struct transport *transport, struct exchange *exchange, const char *token);

/* Moves everything on, and calls done(). */
void transport_perform(struct transport *transport);
/* Sleeps until something moves, one of `fds` is ready (its revents say so), or the time is up. */
void transport_wait(struct transport *transport, struct curl_waitfd *fds, unsigned n_fds,
                    int timeout_ms);

/* GitHub's clock less ours, from the last answer that had a Date; 0 before. */
int64_t transport_skew_s(const struct transport *transport);

#endif
