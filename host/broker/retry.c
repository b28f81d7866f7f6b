/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The list of waiting retries, in the order of their due times. */
#include "broker/retry.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdlib.h>

bool is_temporary(const struct http_transfer *transfer) {
    switch (transfer->status) {
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        /* No retry after a timeout: the request has used up its time. */
        return transfer->status == 0 && (transfer->outcome == SNEK_E_NETWORK ||
                                         (transfer->outcome == SNEK_E_TIMEOUT && transfer->unsent));
    }
}

bool may_repeat(const struct request_class *class, const struct http_transfer *transfer) {
    return request_reads(class) || transfer->unsent || transfer->status == 401 ||
           transfer->outcome == SNEK_E_RATE_LIMITED;
}

int64_t retry_backoff_ms(const struct retries *retries, unsigned n) {
    int64_t wait_ms = retries->first_ms;
    for (unsigned i = 1; i < n && i < 8; i++) {
        wait_ms *= 2;
    }
    return wait_ms + arc4random_uniform((uint32_t)wait_ms / 2 + 1);
}

void retries_init(struct retries *retries, int64_t first_ms) {
    TAILQ_INIT(&retries->list);
    retries->first_ms = first_ms;
}

void retry_after(struct retries *retries, struct retry *retry, int64_t wait_ms) {
    struct retry *other;
    assert(!retry->waiting);
    retry->due_ms = clock_monotonic_ms() + wait_ms;
    retry->waiting = true;
    TAILQ_FOREACH_REVERSE(other, &retries->list, retry_list, link) {
        if (other->due_ms <= retry->due_ms) {
            TAILQ_INSERT_AFTER(&retries->list, other, retry, link);
            return;
        }
    }
    TAILQ_INSERT_HEAD(&retries->list, retry, link);
}

void retry_forget(struct retries *retries, struct retry *retry) {
    if (retry->waiting) {
        TAILQ_REMOVE(&retries->list, retry, link);
        retry->waiting = false;
    }
}

int retries_wait_ms(const struct retries *retries, int most_ms) {
    const struct retry *first = TAILQ_FIRST(&retries->list);
    int64_t left_ms = first ? first->due_ms - clock_monotonic_ms() : most_ms;
    if (left_ms < 0) {
        return 0;
    }
    return left_ms < most_ms ? (int)left_ms : most_ms;
}

void retries_handle(struct retries *retries) {
    int64_t now_ms = clock_monotonic_ms();
    struct retry *first;
    while ((first = TAILQ_FIRST(&retries->list)) && first->due_ms <= now_ms) {
        retry_forget(retries, first);
        first->on_due(first);
    }
}
