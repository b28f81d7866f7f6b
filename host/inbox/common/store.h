/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The contract between the writer, which has the queue, the groups and the results, and a store,
 * which has a database. A store does a whole group at a time, so that a store behind a network can
 * send a group in one go and collect the results afterwards.
 *
 * Threads: opened on one thread, then used by the writer's only. */
#ifndef SNEK_INBOX_COMMON_STORE_H
#define SNEK_INBOX_COMMON_STORE_H

#include "inbox/deliveries.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NOBODY SIZE_MAX

struct store_failure {
    /* Index of the operation that failed; STORE_NOBODY when the transaction itself did (begin,
     * commit, a lost connection). */
    size_t culprit;
    /* The failure is the store's fault, not the operation's; always so with STORE_NOBODY. */
    bool broken;
    /* Nothing was committed, and the same group may go through now: it gave way to another host's
     * transaction, or its connection had been closed. */
    bool again;
    struct error error;
};

struct store {
    const struct store_methods *methods;
};

struct store_methods {
    /* Does the operations, in order, in one transaction, sets each one's result (not below 0) and
     * what it returns, and commits to the disk. 0; or -1: nothing of any of them was done, and
     * `failure` says why. The results of failed operations may have been set in part: the writer
     * frees them. With `probe` the transaction writes something even if the operations only read,
     * so that its end tells whether the store can commit. */
    int (*transact)(struct store *store, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure);
    /* inbox_listen(); NULL where there are no other hosts. */
    void (*listen)(struct store *store, void (*on_queued)(void *context), void *context);
    void (*free)(struct store *store);
};

/* Says a delivery that the app is installed (again), or has been granted more? Parked runs wait for
 * such a delivery. */
bool store_grants(const struct inbox_put *put);
/* Does it say that the app is not installed there any more? Then parked runs end. */
bool store_uninstalls(const struct inbox_put *put);

/* The stored texts of enum inbox_record_kind and enum inbox_record_state; and back: an unknown text
 * becomes the last one. */
const char *store_record_kind_text(enum inbox_record_kind kind);
const char *store_record_state_text(enum inbox_record_state state);
enum inbox_record_kind store_record_kind(const char *text);
enum inbox_record_state store_record_state(const char *text);

/* `brackets[0]`, the numbers with commas, `brackets[1]`: a list as the stores' SQL takes it. The
 * caller's to free; NULL when memory is short. */
char *store_list_numbers(const char brackets[2], const int64_t *numbers, size_t n);

#endif
