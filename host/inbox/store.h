/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inside contract between inbox.c, which has the queue, the groups and the answers, and a
 * store, which has a database. It is a whole group at a time, not a call for each statement, so
 * that a store behind a network can send a group in one go and collect the answers afterwards.
 *
 * Threads: opened on one thread, then used by the writer's only. */
#ifndef SNEK_INBOX_STORE_H
#define SNEK_INBOX_STORE_H

#include "inbox/inbox.h"

#define STORE_NOBODY SIZE_MAX

struct store_failure {
    size_t culprit; /* index of the operation that failed; STORE_NOBODY when the transaction itself
                       did (begin, commit, a lost connection) */
    bool broken;    /* it is the store's fault, not the operation's; always so with STORE_NOBODY */
    struct error error;
};

struct store {
    const struct store_methods *methods;
};

struct store_methods {
    /* Does the operations, in order, in one transaction, sets each one's result (not below 0) and
     * what it returns, and commits to the disk. 0; or -1: nothing of any of them was done, and
     * `failure` says why. What failed operations return may have been set in part: inbox.c frees
     * it. With `probe` the transaction writes something even if the operations only read, so that
     * its end tells whether the store can commit. */
    int (*transact)(struct store *store, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure);
    void (*free)(struct store *store);
};

/* Starts the writer; takes the store, which is freed on failure too. */
int inbox_start(struct store *store, struct inbox **inbox, struct error *err);

#endif
