/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts the deliveries since the last rest (rest.h). */
#include "inbox/common/rest.h"

bool rest_begins(struct rest *rest, size_t n_deliveries, int64_t now_ms) {
    if (n_deliveries > 0) {
        rest->n_deliveries += n_deliveries;
        rest->last_ms = now_ms;
        return false;
    }
    bool begins = rest->n_deliveries >= REST_BURST && now_ms - rest->last_ms >= REST_AFTER_MS;
    if (begins) {
        rest->n_deliveries = 0;
    }
    return begins;
}
