/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides whether a request is sent once more, and after how long.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_RETRY_H
#define SNEK_BROKER_RETRY_H

#include "broker/classify.h"
#include "broker/transport.h"

/* A request that may be repeated has so many tries, the first included. */
#define RETRY_TRIES_MAX 4

/* May the request be sent again after it ended like this? Only if it changes nothing, or GitHub
 * cannot have received it, or GitHub said that it did nothing with it (401, a rate limit). A write
 * that GitHub perhaps received follows the rules for effects. */
bool may_repeat(const struct request_class *class, const struct http_transfer *transfer);

/* May a retry end otherwise? After no response, a cut one, or 500, 502, 503, 504. */
bool is_temporary(const struct http_transfer *transfer);

/* ---- waiting ---- */

struct retries;

struct retry {
    void (*on_due)(struct retry *retry);
    /* False at first. */
    bool waiting;
    int64_t due_ms;
    TAILQ_ENTRY(retry) link;
};

TAILQ_HEAD(retry_list, retry);

struct retries {
    /* In the order of due times. */
    struct retry_list list;
    int64_t first_ms;
};

void retries_init(struct retries *retries, int64_t first_ms);
/* The wait before the n-th retry (from 1): doubled each time, with jitter. */
int64_t retry_backoff_ms(const struct retries *retries, unsigned n);
void retry_after(struct retries *retries, struct retry *retry, int64_t wait_ms);
/* Waiting or not. */
void retry_forget(struct retries *retries, struct retry *retry);
int retries_wait_ms(const struct retries *retries, int most_ms);
/* Calls on_due(). */
void retries_handle(struct retries *retries);

#endif
