/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* When a request is sent once more, and after how long.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_RETRY_H
#define SNEK_BROKER_RETRY_H

#include "broker/kind.h"
#include "broker/transport.h"

#define RETRY_TRIES_MAX 4 /* of a request that may be repeated, in all */

/* May the request be sent again, now that it ended as `exchange` tells? Only then: it changes
 * nothing; or GitHub cannot have heard of it; or GitHub said that it did nothing with it (401, and
 * the news of a limit). What changes something and was perhaps heard is for the effects' rules. */
bool may_repeat(const struct request_kind *kind, const struct exchange *exchange);

/* Is a repetition likely to end otherwise? No answer, a cut one, or 500, 502, 503, 504. */
bool is_passing(const struct exchange *exchange);

/* ---- waiting ---- */

struct retries;

struct retry {
    void (*due)(struct retry *retry);
    bool waiting; /* false at first */
    int64_t due_ms;
    TAILQ_ENTRY(retry) link;
};

TAILQ_HEAD(retry_list, retry);

struct retries {
    struct retry_list list; /* in the order of due times */
    int64_t first_ms;
};

void retries_init(struct retries *retries, int64_t first_ms);
/* Before the n-th repetition (from 1): doubled each time, with jitter. */
int64_t retry_backoff_ms(const struct retries *retries, unsigned n);
void retry_after(struct retries *retries, struct retry *retry, int64_t wait_ms);
void retry_forget(struct retries *retries, struct retry *retry); /* waiting or not */
int retries_wait_ms(const struct retries *retries, int most_ms);
void retries_handle(struct retries *retries); /* calls due() */

#endif
