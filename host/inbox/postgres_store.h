/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the PostgreSQL store share. postgres.c does groups and has the table of
 * operations; postgres_session.c connects, checks the settings and prepares the statements;
 * postgres_link.c waits for the server, never longer than it may; postgres_query.c binds and reads;
 * postgres_listen.c hears from other hosts; postgres_schema.c migrates and compares;
 * postgres_runs.c, postgres_items.c, postgres_journal.c, postgres_admin.c,
 * postgres_maintenance.c and postgres_rate_limits.c do the operations.
 *
 * A group is sent in one go (libpq's pipeline mode): each operation has a function that sends its
 * statements, and one that takes their results, in order. So an operation cannot look at a result
 * and then decide what to send; where one must (a GUID that is there already), it is settled with
 * statements of its own once the group's results are in, before the commit. */
#ifndef SNEK_INBOX_POSTGRES_STORE_H
#define SNEK_INBOX_POSTGRES_STORE_H

#include "inbox/postgres_link.h"
#include "inbox/store.h"

#include <stdatomic.h>

enum postgres_sql {
    PG_SQL_BEGIN,
    PG_SQL_PROBE,
    PG_SQL_COMMIT,
    PG_SQL_ROLLBACK,
    PG_SQL_PUT,
    PG_SQL_DELIVERY_LOCK,
    PG_SQL_DELIVERY_REPLACE,
    PG_SQL_RUNS_UNFINISHED,
    PG_SQL_RUNS_HASTEN,
    PG_SQL_RUNS_QUEUE,
    PG_SQL_RUNS_RECLAIM,
    PG_SQL_RUNS_CLAIM,
    PG_SQL_RUNS_NEXT_DUE,
    PG_SQL_RUNS_RENEW,
    PG_SQL_RUN_LEASE_CHECK,
    PG_SQL_RUN_END,
    PG_SQL_RUN_AGAIN,
    PG_SQL_RUN_PARK,
    PG_SQL_RUNS_UNPARK,
    PG_SQL_ELECT,
    PG_SQL_NOTIFY, /* only where the server knows it */
    PG_SQL_STATS,
    PG_SQL_SET_HAS,
    PG_SQL_SET_HAS_ADOPTED, /* only where the original's table is */
    PG_SQL_SET_ADD,
    PG_SQL_SET_REMOVE,
    PG_SQL_KEY_GET,
    PG_SQL_KEY_PUT,
    PG_SQL_KEY_DELETE,
    PG_SQL_DELIVERY_FIND,
    PG_SQL_DELIVERY_BODY,
    PG_SQL_LIST_CHUNK,
    PG_SQL_LIST,
    PG_SQL_LIST_QUEUED,
    PG_SQL_LIST_RUNNING,
    PG_SQL_LIST_PARKED,
    PG_SQL_LIST_DEAD,
    PG_SQL_RUNS_RERUN,
    PG_SQL_RUNS_DISCARD,
    PG_SQL_PRUNE_LOOK,
    PG_SQL_PRUNE_LOCK,
    PG_SQL_PRUNE_BODIES,
    PG_SQL_PRUNE_READS,
    PG_SQL_PRUNE_ANSWERS,
    PG_SQL_PRUNE_FORGET,
    PG_SQL_PRUNE_REDELIVERIES,
    PG_SQL_LACKS,
    PG_SQL_REDELIVERY_COUNT,
    PG_SQL_REDELIVERY_UNCOUNT,
    PG_SQL_REDELIVERY_FETCHED,
    PG_SQL_REDELIVERY_ARRIVED,
    PG_SQL_RUN_HELD,
    PG_SQL_JOURNALS_READ,
    PG_SQL_JOURNAL_WRITE,
    PG_SQL_JOURNAL_COMPLETE,
    PG_SQL_JOURNAL_CUT_BACK,
    PG_SQL_JOURNAL_CUT_ANSWERS,
    PG_SQL_JOURNALS_DROP,
    PG_SQL_RATE_LIMIT_PUT,
    PG_SQL_RATE_LIMIT_DELAY,
    PG_SQL_RATE_LIMIT_GET,
    PG_SQL_COUNT
};

struct postgres_store {
    struct store store;
    struct link_target target;
    PGconn *connection; /* NULL while there is none */
    bool ready;         /* its session is set up */
    bool lost;          /* it broke or fell silent: of no use any more */
    int64_t began_ms;   /* when its connecting began; monotonic */
    bool adopted;       /* the original's table is there */
    bool read_only;     /* a tool that only looks */
    bool notifies;      /* the server knows NOTIFY */
    bool queued;        /* runs were queued that this host did not lease: others may be told */
    int64_t told_ms;    /* when they were; monotonic */
    atomic_int backend; /* the process that serves us: what it tells is our own word */
    struct listener *listener;
    bool broken;   /* of the operation that failed last: was it the store's fault? */
    bool gave_way; /* likewise: did the server end it for the sake of another host's? */
    unsigned sent; /* statements, of the present operation */
};

/* One use of a prepared statement: bind in the order of its $1, $2 ..., then pg_send(). What is
 * bound is borrowed until then. */
#define PG_PARAMETERS_MAX 20
struct pg_query {
    enum postgres_sql sql;
    int bound;
    bool failed; /* memory was short */
    const char *values[PG_PARAMETERS_MAX];
    int lengths[PG_PARAMETERS_MAX], formats[PG_PARAMETERS_MAX];
    uint64_t numbers[PG_PARAMETERS_MAX]; /* big-endian */
    char *owned[PG_PARAMETERS_MAX];
};

struct pg_query pg_query_begin(enum postgres_sql sql);
void pg_query_text(struct pg_query *query, const char *text);
/* Text that came from strangers and is only shown: what is not UTF-8, which PostgreSQL would
 * reject, becomes U+FFFD. */
void pg_query_shown(struct pg_query *query, const char *text);
void pg_query_number(struct pg_query *query, int64_t number);
void pg_query_bool(struct pg_query *query, bool value);
void pg_query_blob(struct pg_query *query, const void *data, size_t bytes);
void pg_query_take(struct pg_query *query, char *text); /* text that becomes the query's */

/* Queues it in the pipeline, and finishes it. 0, or -1 with store->lost. */
int pg_send(struct postgres_store *store, struct pg_query *query, struct error *err);

/* Sends it and waits for its result, within the transaction, once no other result is outstanding.
 * 0 and `*result` (PQclear()), or -1. */
int pg_ask(struct postgres_store *store, struct pg_query *query, PGresult **result,
           struct error *err, const char *what);

/* Of a question whose answer is one number, or none: 1 and `*number`, 0, -1. */
int pg_ask_number(struct postgres_store *store, struct pg_query *query, int64_t *number,
                  struct error *err, const char *what);
int pg_no_memory(struct postgres_store *store, struct error *err, const char *what); /* -1 */

/* The next result of the pipeline: 0 and `*result`; -1 with "WHAT: why", store->broken and
 * store->lost. */
int pg_next(struct postgres_store *store, PGresult **result, struct error *err, const char *what);
/* The end of a batch. */
int pg_sync(struct postgres_store *store, struct error *err);
int pg_synced(struct postgres_store *store, struct error *err);

void pg_clear(PGresult **result);
#define AUTO_RESULT CLEANUP(pg_clear)

/* Of a result; all are asked for in binary. */
int64_t pg_number(const PGresult *result, int row, int column); /* bigint; 0 for NULL */
bool pg_bool(const PGresult *result, int row, int column);
const char *pg_text(const PGresult *result, int row, int column);
int64_t pg_changed(PGresult *result); /* rows that the statement touched */

/* postgres_session.c */
/* Goes on connecting, at most until `until_ms`. 0: ready; -1: not (yet), and why. */
int postgres_connect(struct postgres_store *store, int64_t until_ms, struct error *err);
void postgres_disconnect(struct postgres_store *store);
int postgres_prepare(struct postgres_store *store, struct error *err);

/* postgres_schema.c */
int postgres_check_schema(PGconn *connection, struct error *err);  /* could it be migrated to it? */
int postgres_check_version(PGconn *connection, struct error *err); /* is it exactly ours? */
int postgres_migrate(PGconn *connection, int64_t now_ms, struct error *err);
int postgres_compare_schema(PGconn *connection, struct error *err);
int postgres_find_adopted(PGconn *connection, bool *adopted, struct error *err);

/* postgres_listen.c */
void postgres_listen(struct store *store, void (*on_queued)(void *context), void *context);
void postgres_listener_free(struct listener *listener); /* takes NULL */

/* How an operation goes through a group; each returns -1 with `err` and store->broken. One without
 * send() is only settled. */
struct postgres_kind {
    /* 0; 1: it sent nothing, and settle() is to be called. */
    int (*send)(struct postgres_store *store, struct inbox_operation *operation, struct error *err);
    /* The nth result (from 0) of what send() sent. 0; 1: settle() is to be called. */
    int (*take)(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                PGresult *result, struct error *err);
    int (*settle)(struct postgres_store *store, struct inbox_operation *operation,
                  struct error *err);
};

/* postgres_runs.c */
extern const struct postgres_kind postgres_put, postgres_claim, postgres_finish, postgres_renew,
    postgres_lease_check, postgres_elect, postgres_stats;
/* postgres_items.c: all operations on sets and keys */
extern const struct postgres_kind postgres_item;
/* postgres_journal.c */
extern const struct postgres_kind postgres_intend, postgres_complete, postgres_journal;
/* Is the run still the writer's? 1, 0, -1. Nobody can take it until the group ends. */
int postgres_held(struct postgres_store *store, const struct inbox_journal_writer *writer,
                  struct error *err);
/* `outcome` is that of the change whose record comes last. */
int postgres_journal_write(struct postgres_store *store, const struct inbox_journal_writer *writer,
                           int64_t outcome, struct error *err);
int postgres_journals_read(struct postgres_store *store, struct inbox_claim *claim,
                           struct error *err); /* of all runs that were claimed */
/* postgres_admin.c */
extern const struct postgres_kind postgres_list, postgres_body, postgres_change;
/* postgres_maintenance.c */
extern const struct postgres_kind postgres_prune, postgres_find_missing, postgres_count_redelivery,
    postgres_uncount_redelivery;
/* postgres_rate_limits.c */
extern const struct postgres_kind postgres_wait_put, postgres_wait_get;

#endif
