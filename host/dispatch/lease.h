/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the leases of the runs in this host's memory: renews each long before it expires. The host
 * knows by its own clock until when no other host can have taken a run. A host that was stopped for
 * longer goes on with its runs; the store rejects what they write if another host has taken them.
 * Threads: the loop's. */
#ifndef SNEK_DISPATCH_LEASE_H
#define SNEK_DISPATCH_LEASE_H

#include "dispatch/run.h"
#include "inbox/leases.h"

struct lease_keeper {
    struct run_table *table;
    struct inbox_renew renew;
    bool renewing;
    /* Monotonic clock. */
    int64_t asked_ms, next_ms;
};

void lease_init(struct lease_keeper *keeper, struct run_table *table);
void lease_tick(struct lease_keeper *keeper, int64_t now_ms);
int64_t lease_next_ms(const struct lease_keeper *keeper);

#endif
