/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The leases under which a host holds the runs that it works on. A lease lasts for `lease_ms` by
 * the store's clock. After that the run is due again, for the host that claims next. */
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
    int64_t run, attempt;
    /* Out: false when the lease had expired and another claim took the run. */
    bool ours;
};

struct inbox_renew {
    struct inbox_operation operation;
    int64_t lease, lease_ms;
    /* Borrowed. */
    struct inbox_held *held;
    size_t n_held;
};

/* Asks whether this host still holds the run. 0: it does, and the lease is renewed; or
 * INBOX_STALE. Submit it when another host may have taken the run since the last renewal. */
struct inbox_lease_check {
    struct inbox_operation operation;
    int64_t run, attempt, lease, lease_ms;
};

#endif
