/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* When the inbox gives memory back to the system: once after each burst of deliveries. */
#ifndef SNEK_INBOX_COMMON_REST_H
#define SNEK_INBOX_COMMON_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer deliveries leave little behind, and the next one would have to take it again. */
#define REST_BURST 200
/* A burst is over when no delivery came for so long. */
#define REST_AFTER_MS 5000

/* Zeroed: nothing came yet. */
struct rest {
    /* Since the last rest. */
    size_t n_deliveries;
    int64_t last_ms;
};

/* A group with so many deliveries has ended; 0: it only had other operations. The host's count of
 * the runs makes such a group every 5 s. Monotonic time. Returns true when a rest begins. */
bool rest_begins(struct rest *rest, size_t n_deliveries, int64_t now_ms);

#endif
