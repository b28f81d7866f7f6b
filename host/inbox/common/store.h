/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The contract between the writer and a store. The writer has the queue, the groups and the
 * results; the store has the database. A store carries out a whole group at a time. So a store
 * behind a network can first send the whole group and then read all results.
 *
 * Threads: one thread opens the store; after that only the writer's thread uses it. */
#ifndef SNEK_INBOX_COMMON_STORE_H
#define SNEK_INBOX_COMMON_STORE_H

#include "inbox/deliveries.h"
#include "inbox/holds.h"
#include "inbox/operation.h"
#include "inbox/plugin_state.h"
#include "inbox/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NO_OPERATION SIZE_MAX

struct store_failure {
    /* Index of the operation that failed; STORE_NO_OPERATION when the transaction itself failed
     * (begin, commit, a lost connection). */
    size_t failed_index;
    /* The store caused the failure, not the operation. Always true with STORE_NO_OPERATION. */
    bool broken;
    /* Nothing was committed, and a retry of the same group may succeed now: the server ended its
     * transaction because of another host's, or had closed its connection. */
    bool again;
    struct error error;
};

struct store {
    const struct store_methods *methods;
};

struct store_methods {
    /* Carries out the operations in order in one transaction, sets the result (0 or more) and the
     * outputs of each, and commits to the disk. 0; or -1 when none of them was carried out; then
     * `failure` has the reason. The results of failed operations may have been set in part: the
     * writer frees them. With `probe` the transaction writes something even if the operations only
     * read, so that its commit shows whether the store can write. */
    int (*transact)(struct store *store, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure);
    /* Takes an operation over that may take long and needs no group, and posts its result later,
     * from another thread. False: the writer carries it out. NULL where all need the writer. */
    bool (*take_over)(struct store *store, struct inbox_operation *operation);
    /* inbox_listen(); NULL where there are no other hosts. */
    void (*listen)(struct store *store, void (*on_queued)(void *context), void *context);
    /* Frees what the store keeps only to be faster. NULL where that is little. */
    void (*release_memory)(struct store *store);
    void (*free)(struct store *store);
};

/* True when the delivery reports that the app is installed (again) or has more permissions. Parked
 * runs wait for such a delivery. */
bool store_grants(const struct inbox_put *put);
/* True when the delivery reports that the app is not installed any more. Then parked runs end. */
bool store_uninstalls(const struct inbox_put *put);

/* Convert enum inbox_record_kind and enum inbox_record_state to the texts in the store, and back.
 * An unknown text becomes the last value of the enum. */
const char *store_record_kind_text(enum inbox_record_kind kind);
const char *store_record_state_text(enum inbox_record_state state);
enum inbox_record_kind store_record_kind(const char *text);
enum inbox_record_state store_record_state(const char *text);

/* The state that the audit gives an effect with this record at its intent. */
enum inbox_audit_state store_audit_state(const struct inbox_record *record);

/* How long a hold of the loop breaker lasts that begins at `at_ms`. The last one began at
 * `began_ms` and was to last for `wait_ms`; 0: there was none. */
int64_t store_loop_wait_ms(int64_t at_ms, int64_t began_ms, int64_t wait_ms);
/* Fills the hold of the loop breaker on the effect's item. */
void store_fill_loop_hold(const struct inbox_effect *effect, int64_t at_ms, int64_t wait_ms,
                          struct inbox_hold *hold);

/* How many bytes of the quota the entry or key of this operation takes, with its new value. */
int64_t store_item_bytes(const struct inbox_plugin_state *state);

/* `stats` counts the runs that wait as queued or blocked: so many of each. Counts them apart. */
void store_split_waiting(struct inbox_stats *stats, int64_t of_queued, int64_t of_blocked);

/* The column attempts.how; NULL: such an end makes no row. */
const char *store_attempt_how(enum inbox_finish_how how);

/* The column previews.action. */
const char *store_preview_action(bool discards);

/* Makes a list of numbers for SQL: `brackets[0]`, the numbers with commas, `brackets[1]`. The
 * caller frees it. NULL when memory is short. */
char *store_list_numbers(const char brackets[2], const int64_t *numbers, size_t n);

#endif
