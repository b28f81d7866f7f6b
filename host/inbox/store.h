/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inside contract between inbox.c, which has the queue, the groups and the answers, and a
 * store, which has a database. It is a whole group at a time, not a call for each statement, so
 * that a store behind a network can send a group in one go and collect the answers afterwards.
 *
 * Threads: opened on one thread, then used by the writer's only. */
#ifndef SNEK_INBOX_STORE_H
#define SNEK_INBOX_STORE_H

#include "inbox/admin.h"
#include "inbox/deliveries.h"
#include "inbox/inbox.h"
#include "inbox/maintenance.h"
#include "inbox/plugin_state.h"
#include "inbox/rate_limits.h"
#include "inbox/stats.h"

#define STORE_NOBODY SIZE_MAX

/* Of an UPDATE of runs whose host died if the condition `died` holds, in every store's SQL (the
 * right sides are of before). From
 * the second death in a row on it may be the run's doing: a suspect, which is tried alone; what
 * dies then counts as its crash. Dispatch ends a run that has too many, see
 * run_fail_if_exhausted(). */
#define STORE_SET_HOST_DIED(died)                                                                  \
    "crashes = crashes + CASE WHEN " died " AND suspect THEN 1 ELSE 0 END,"                        \
    " suspect = (suspect OR (" died " AND label = 'host_died')),"                                  \
    " label = CASE WHEN " died " THEN 'host_died' ELSE label END,"                                 \
    " reason = CASE WHEN " died " THEN 'the host died while it ran' ELSE reason END"

struct store_failure {
    size_t culprit; /* index of the operation that failed; STORE_NOBODY when the transaction itself
                       did (begin, commit, a lost connection) */
    bool broken;    /* it is the store's fault, not the operation's; always so with STORE_NOBODY */
    bool again;     /* it gave way to another host's transaction, and may go through now */
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
    /* inbox_listen(); NULL where there is nobody else. */
    void (*listen)(struct store *store, void (*on_queued)(void *context), void *context);
    void (*free)(struct store *store);
};

/* Is the operation within the bounds of the contract? 0, or -1 and what is not: its own fault. */
int store_check(const struct inbox_operation *operation, struct error *err);

/* Is it what parked runs wait for: the app is there (again), or has been granted more? */
bool store_gives(const struct inbox_put *put);

/* A fresh slot at the end of claim->runs, of list->entries; NULL when memory is short. */
struct inbox_run *store_add_run(struct inbox_claim *claim);
struct inbox_entry *store_add_entry(struct inbox_list *list);

/* postgres.c, sqlite.c: as inbox_open(), which picks one. */
int inbox_open_postgres(const char *url, int64_t now_ms, struct inbox **inbox, struct error *err);
char *postgres_show_url(const char *url, struct error *err); /* inbox_show_url() */
int inbox_open_sqlite(const char *path, int64_t now_ms, struct inbox **inbox, struct error *err);
int inbox_open_postgres_tool(const char *url, bool write, struct inbox **inbox, struct error *err);
int inbox_open_sqlite_tool(const char *path, bool write, struct inbox **inbox, struct error *err);
int inbox_check_postgres(const char *url, struct error *err);
int inbox_check_sqlite(const char *path, struct error *err);

/* `brackets[0]`, the numbers with commas, `brackets[1]`: a list as the stores' SQL takes it. The
 * caller's to free; NULL when memory is short. */
char *store_list_numbers(const char brackets[2], const int64_t *numbers, size_t n);

/* Starts the writer; takes the store, which is freed on failure too. */
int inbox_start(struct store *store, struct inbox **inbox, struct error *err);

#endif
