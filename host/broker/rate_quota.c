/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the lowest count of a quota until its reset. */
#include "broker/rate_quota.h"

/* Resets that differ by less are the same one: it is in whole seconds, and responses take time. */
#define SAME_RESET_MS 5000

bool rate_quota_learn(struct rate_quota *quota, const struct rate_quota *seen) {
    bool was_reset = seen->reset_ms > quota->reset_ms + SAME_RESET_MS;
    /* A reset before the known one: a clock was set, or that one was wrong. */
    bool is_earlier = seen->reset_ms < quota->reset_ms - SAME_RESET_MS;
    int64_t lowest = quota->remaining;
    bool same = !was_reset && !is_earlier && seen->limit == quota->limit;
    *quota = *seen;
    if (same && lowest < quota->remaining) {
        quota->remaining = lowest;
    }
    return was_reset;
}
