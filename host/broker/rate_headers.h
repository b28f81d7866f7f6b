/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads what a response says about GitHub's rate limits. From any thread; nothing is shared. */
#ifndef SNEK_BROKER_RATE_HEADERS_H
#define SNEK_BROKER_RATE_HEADERS_H

#include "base/buffer.h"
#include "broker/classify.h"

#include <stdint.h>

/* The longest wait, whatever GitHub says: its quotas are of an hour, or of less. */
#define RATE_WAIT_MAX_MS 3700000

struct rate_headers {
    /* The quota that the response speaks of. RESOURCES: one that GitHub has for single endpoints
     * (code scanning's uploads, SCIM), which says nothing about other requests. */
    enum resource resource;
    /* -1: absent. */
    int64_t limit, remaining;
    /* Until GitHub's reset, and until the time that Retry-After names. -1: absent. */
    int64_t reset_ms, retry_ms;
};

/* `resource` is the quota that the request was expected to use; `skew_s` is GitHub's clock less
 * ours. */
struct rate_headers rate_headers_read(const struct buffer *headers, enum resource resource,
                                      int64_t skew_s);

#endif
