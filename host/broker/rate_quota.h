/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One of GitHub's primary rate limits, as its responses show it. A type without state of its own:
 * whoever has one keeps it to a thread. */
#ifndef SNEK_BROKER_RATE_QUOTA_H
#define SNEK_BROKER_RATE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct rate_quota {
    /* Requests, or points of GraphQL. limit 0: not known. */
    int64_t limit, remaining;
    /* By the owner's clock. */
    int64_t reset_ms;
};

/* Takes what a response says. Responses come in another order than GitHub counted their requests:
 * until the reset, the lowest count is the latest. True: the quota was reset since the last one. */
bool rate_quota_learn(struct rate_quota *quota, const struct rate_quota *seen);

#endif
