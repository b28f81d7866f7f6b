/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the SQLite store share: the connection, its prepared statements, and a small
 * way to run one. sqlite.c opens, commits and closes; sqlite_schema.c migrates and compares;
 * sqlite_runs.c, sqlite_items.c, sqlite_admin.c, sqlite_maintenance.c and
 * sqlite_rate_limits.c do the operations. */
#ifndef SNEK_INBOX_SQLITE_STORE_H
#define SNEK_INBOX_SQLITE_STORE_H

#include "inbox/store.h"

#include <sqlite3.h>

enum sqlite_sql {
    SQL_BEGIN,
    SQL_PROBE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_DELIVERY_FIND,
    SQL_DELIVERY_INSERT,
    SQL_DELIVERY_REPLACE,
    SQL_RUNS_UNFINISHED,
    SQL_RUNS_HASTEN,
    SQL_RUNS_UNPARK,
    SQL_RUNS_GRANT,
    SQL_RUN_QUEUE,
    SQL_RUNS_DUE,
    SQL_RUN_LEASE,
    SQL_RUN_NEXT_DUE,
    SQL_RUN_END,
    SQL_RUN_AGAIN,
    SQL_RUN_PARK,
    SQL_RUNS_RECOVER,
    SQL_RUNS_RECLAIM,
    SQL_RUN_RENEW,
    SQL_RUN_HELD,
    SQL_JOURNAL_READ,
    SQL_JOURNAL_WRITE,
    SQL_JOURNAL_COMPLETE,
    SQL_JOURNAL_CUT_BACK,
    SQL_JOURNAL_CUT_ANSWERS,
    SQL_JOURNALS_DROP,
    SQL_STATS,
    SQL_SET_HAS,
    SQL_SET_HAS_ADOPTED, /* only where the original's table is */
    SQL_SET_ADD,
    SQL_SET_REMOVE,
    SQL_KEY_GET,
    SQL_KEY_PUT,
    SQL_KEY_DELETE,
    SQL_LIST_CHUNK,
    SQL_LIST,
    SQL_LIST_QUEUED,
    SQL_LIST_RUNNING,
    SQL_LIST_PARKED,
    SQL_LIST_DEAD,
    SQL_DELIVERY_BODY,
    SQL_RUNS_RERUN,
    SQL_RUNS_DISCARD,
    SQL_PRUNE_LOOK,
    SQL_PRUNE_BODY,
    SQL_PRUNE_READS,
    SQL_PRUNE_ANSWERS,
    SQL_PRUNE_FORGET,
    SQL_PRUNE_REDELIVERIES,
    SQL_REDELIVERY_FIND,
    SQL_REDELIVERY_COUNT,
    SQL_REDELIVERY_UNCOUNT,
    SQL_REDELIVERY_FETCHED,
    SQL_REDELIVERY_ARRIVED,
    SQL_RATE_LIMIT_PUT,
    SQL_RATE_LIMIT_DELAY,
    SQL_RATE_LIMIT_GET,
    SQL_COUNT
};

struct sqlite_store {
    struct store store;
    sqlite3 *db;
    int lock_fd;  /* on the database's file, with flock(): one host a file. Closed after `db`: the
                     close of any descriptor of a file drops SQLite's own locks on it */
    bool adopted; /* the original's table is there */
    bool tool;    /* a host may have it open, too */
    bool broken;  /* of the operation that failed last: was it the store's fault? */
    sqlite3_stmt *statements[SQL_COUNT];
};

/* Sets `err` to "WHAT: why" from the connection's last error, and store->broken; -1. */
int sqlite_fail(struct sqlite_store *store, struct error *err, const char *what);

/* "why" alone, for a connection without a store; -1. */
int sqlite_error(sqlite3 *db, struct error *err, const char *what);

/* One use of a prepared statement: bind in the order of its ?1, ?2 ..., then step. The first
 * failure sticks and comes out of query_step(). Bound values are borrowed until query_end(). */
struct query {
    struct sqlite_store *store;
    sqlite3_stmt *statement;
    int bound, code;
};

struct query query_begin(struct sqlite_store *store, enum sqlite_sql sql);
void query_text(struct query *query, const char *text);
void query_number(struct query *query, int64_t number);
void query_blob(struct query *query, const void *data, size_t bytes);
void query_zeros(struct query *query, size_t bytes);
/* 1 a row, 0 no more, -1 with "WHAT: why". */
int query_step(struct query *query, struct error *err, const char *what);
/* All at once for a statement without rows: 0, or -1. */
int query_run(struct query *query, struct error *err, const char *what);
void query_end(struct query *query);

#define AUTO_QUERY CLEANUP(query_end)

/* What a row's column holds, NULL as "": copied into `out`, or to be freed (NULL: no memory). */
void column_copy(sqlite3_stmt *row, int column, char *out, size_t room);
char *column_text(sqlite3_stmt *row, int column);

/* sqlite_schema.c. `db` is the one that was just opened. */
int sqlite_check_identity(sqlite3 *db, struct error *err); /* ours, or new: else leave it alone */
int sqlite_migrate(sqlite3 *db, int64_t now_ms, struct error *err);
int sqlite_check_schema(sqlite3 *db, struct error *err);  /* could it be migrated to ours? */
int sqlite_check_version(sqlite3 *db, struct error *err); /* is it exactly ours? */
int sqlite_compare_schema(sqlite3 *db, struct error *err);
int sqlite_find_adopted(sqlite3 *db, bool *adopted, struct error *err);

/* Each does its operation and returns its result, or -1 with `error` and store->broken. */
int sqlite_put(struct sqlite_store *store, struct inbox_put *put, struct error *err);
int sqlite_claim(struct sqlite_store *store, struct inbox_claim *claim, struct error *err);
int sqlite_finish(struct sqlite_store *store, const struct inbox_finish *finish, struct error *err);
int sqlite_renew(struct sqlite_store *store, struct inbox_renew *renew, struct error *err);
int sqlite_lease_check(struct sqlite_store *store, const struct inbox_lease_check *fence,
                       struct error *err);
int sqlite_stats(struct sqlite_store *store, struct inbox_stats *stats, struct error *err);
int sqlite_item(struct sqlite_store *store, struct inbox_plugin_state *item, struct error *err);
int sqlite_list(struct sqlite_store *store, struct inbox_list *list, struct error *err);
int sqlite_body(struct sqlite_store *store, struct inbox_body *body, struct error *err);
int sqlite_change(struct sqlite_store *store, struct inbox_change *change, struct error *err);
int sqlite_prune(struct sqlite_store *store, struct inbox_prune *prune, struct error *err);
int sqlite_find_missing(struct sqlite_store *store, const struct inbox_find_missing *find,
                        struct error *err);
int sqlite_uncount_redelivery(struct sqlite_store *store,
                              const struct inbox_uncount_redelivery *uncount, struct error *err);
/* A payload was fetched: no arrival of its GUID is the one that stored it. */
int sqlite_redelivery_fetched(struct sqlite_store *store, const char *guid, struct error *err);
/* Is this arrival of a known GUID one that the host requested? 1 yes, 0 no, -1. */
int sqlite_redelivery_arrived(struct sqlite_store *store, const char *guid, struct error *err);
int sqlite_count_redelivery(struct sqlite_store *store, const struct inbox_count_redelivery *ask,
                            struct error *err);

/* Renews the lease of a run that this claim holds. 1; 0 it does not hold it; -1. */
int sqlite_renew_lease(struct sqlite_store *store, int64_t run, int64_t token, int64_t lease_ms,
                       struct error *err);

/* sqlite_runs.c, for the others. 1 and `*delivery`, 0 there is none, -1. */
int sqlite_find_delivery(struct sqlite_store *store, const char *guid, int64_t *delivery,
                         struct error *err);
/* The body straight into memory of its own, a reference, without SQLite's copy of it. */
int sqlite_read_body(struct sqlite_store *store, int64_t delivery, struct payload **payload,
                     struct error *err);
int sqlite_no_memory(struct sqlite_store *store, struct error *err, const char *what); /* -1 */
int sqlite_rate_limit(struct sqlite_store *store, struct inbox_rate_limit *wait, struct error *err);
int sqlite_intend(struct sqlite_store *store, const struct inbox_intend *intend, struct error *err);
int sqlite_complete(struct sqlite_store *store, const struct inbox_complete *answer,
                    struct error *err);

/* sqlite_journal.c, for the operations above. */
/* Does the writer's claim still hold the run? 1, and the lease lasts; 0; -1. */
int sqlite_held(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                struct error *err);
/* Writes the records; the last one's outcome is `outcome` when it is a change. 0, -1. */
int sqlite_journal_write(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                         int64_t outcome, struct error *err);
int sqlite_journal_read(struct sqlite_store *store, int64_t run, struct inbox_record **records,
                        size_t *n_records, struct error *err);
/* Of a finished run: only its effects stay, without their answers. */
int sqlite_journal_cut_back(struct sqlite_store *store, int64_t run, struct error *err);

/* Runs that a dead host left running are due again. */
int sqlite_recover(struct sqlite_store *store, int64_t now_ms, struct error *err);

#endif
