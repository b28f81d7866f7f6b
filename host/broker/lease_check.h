/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the inbox whether a run's lease is still held, before a write that had to wait is sent.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_LEASE_CHECK_H
#define SNEK_BROKER_LEASE_CHECK_H

#include "base/error.h"
#include "base/mailbox.h"

#include <stdint.h>

struct inbox;

/* The checks in progress. The inbox holds their memory: the broker's thread ends after the last. */
struct lease_checker {
    struct inbox *inbox;
    struct mailbox *mailbox;
    unsigned in_progress;
};

struct lease_check;

struct lease_waiter {
    /* `outcome`: 0: the lease is held, and renewed; or SNEK_E_STALE or SNEK_E_STORE with `error`.
     */
    void (*on_checked)(struct lease_waiter *waiter, int32_t outcome, const struct error *error);

    /* NULL: no check is in progress. */
    struct lease_check *check;
};

struct lease_holder {
    int64_t run, token, lease_ms;
};

/* 0, or -1: no memory. */
int lease_check_begin(struct lease_checker *checker, const struct lease_holder *holder,
                      struct lease_waiter *waiter);
/* A check in progress or not; on_checked() is not called any more. */
void lease_check_forget(struct lease_waiter *waiter);

#endif
