/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The leases under which a host holds the runs that it works on. A lease lasts for `lease_ms` by
 * the store's clock. After that the run is due again, for the host that claims next.
 *
 * Each claim of a run has a random token, which the run's row has too while the claim lasts. Every
 * operation on a claimed run carries it. An operation with another token than the row's is stale:
 * the run was claimed again, finished or discarded. An expired lease that no other claim has taken
 * is still ours, and the operation renews it. */
#ifndef SNEK_INBOX_LEASES_H
#define SNEK_INBOX_LEASES_H

#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum inbox_lease_outcome {
    /* This host does not hold the run any more: the operation wrote nothing. */
    INBOX_STALE = 1,
};

/* Renews the leases of runs that this host holds. Submit it well before they expire. Result: 0. */
struct inbox_held {
    int64_t run, token;
    /* Out: false when the lease had expired and another claim took the run. */
    bool ours;
};

struct inbox_renew {
    struct inbox_operation operation;
    int64_t lease_ms;
    /* Borrowed. */
    struct inbox_held *held;
    size_t n_held;
};

/* Asks whether this host still holds the run. 0: it does, and the lease is renewed; or
 * INBOX_STALE. Submit it when another host may have taken the run since the last renewal. */
struct inbox_lease_check {
    struct inbox_operation operation;
    int64_t run, token, lease_ms;
};

#endif
