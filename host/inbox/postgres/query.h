/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The PostgreSQL store, and one use of a prepared statement: bind, send, read.
 *
 * The store sends a whole group before it reads a result (libpq's pipeline mode). Each operation
 * has a function that sends its statements, and one that takes their results, in order. So an
 * operation cannot decide by a result what to send next. An operation that must do so, such as a
 * PUT with a known GUID, has a settle(): it sends further statements after the results of the group
 * and before the commit. */
#ifndef SNEK_INBOX_POSTGRES_QUERY_H
#define SNEK_INBOX_POSTGRES_QUERY_H

#include "base/cleanup.h"
#include "inbox/common/store.h"
#include "inbox/common/turns.h"
#include "inbox/postgres/link.h"
#include "inbox/postgres/statements.h"

#include <stdatomic.h>

/* The most runs that join their lines in one claim. */
#define POSTGRES_JOIN_MAX 64

/* A run that is due outside of its line (deliveries.h), and whose key this session has locked. */
struct postgres_comer {
    int64_t run;
    bool by_hand;
    char plugin[INBOX_NAME_MAX + 1];
    char key[INBOX_ORDER_KEY_MAX + 1];
};

struct postgres_store {
    struct store store;
    struct link_target target;
    /* NULL while there is none. */
    PGconn *connection;
    /* The session's settings and statements are ready. */
    bool ready;
    /* The connection failed or the server stopped responding; it cannot be used any more. */
    bool lost;
    /* NULL while no name is being resolved for the next connection. */
    struct resolution *resolution;
    /* When the attempt to connect began, or the resolution; monotonic. */
    int64_t began_ms;
    struct turns turns;
    /* The database has the original bot's table. */
    bool adopted;
    /* A tool, or the console's reader. */
    bool read_only;
    /* A tool that only reads makes a few lists. The server plans them for their values, as a rare
     * plugin. Otherwise it makes each plan once. */
    bool fits_plans;
    /* The server supports NOTIFY. */
    bool notifies;
    /* Runs were queued that this host did not lease: other hosts may be notified. */
    bool queued;
    /* The first due time of these, for the other hosts' claims; 0: not known. */
    int64_t queued_due_ms;
    /* The same of the runs that other hosts have queued since this host's last claim. The listener
     * sets it. */
    _Atomic int64_t others_due_ms;
    /* When other hosts were notified; monotonic. */
    int64_t notified_ms;
    /* The server process of this session: its notifications are this host's own. */
    atomic_int backend;
    /* The writer reads it, too. NULL: none. */
    struct listener *_Atomic listener;
    /* This host's number in the election while it is the elected one; otherwise 0. */
    int64_t elected_host;
    /* Those that the claim of this group found. */
    struct postgres_comer comers[POSTGRES_JOIN_MAX];
    size_t n_comers;
    /* The store caused the last failure, not the operation. */
    bool broken;
    /* The server ended the transaction because of a deadlock with another host's. */
    bool deadlocked;
    /* Statements of the present operation that were sent. */
    unsigned sent;
    /* A statement for many deliveries failed: the next group sends one for each, which shows the
     * delivery that is the cause. */
    bool one_by_one;
};

/* One use of a prepared statement: bind in the order of its $1, $2 ..., then pg_send().
 * Bound values are borrowed until then. Once a number is bound, the query must not be copied. */
#define PG_PARAMETERS_MAX 20
struct pg_query {
    enum postgres_sql sql;
    int bound;
    /* Memory was short. */
    bool failed;
    const char *values[PG_PARAMETERS_MAX];
    int lengths[PG_PARAMETERS_MAX], formats[PG_PARAMETERS_MAX];
    /* Big-endian. */
    uint64_t numbers[PG_PARAMETERS_MAX];
    char *owned[PG_PARAMETERS_MAX];
};

struct pg_query pg_query_begin(enum postgres_sql sql);
void pg_query_text(struct pg_query *query, const char *text);
/* Binds a text that comes from outside and is only displayed. PostgreSQL rejects bytes that are not
 * UTF-8, so they become U+FFFD. */
void pg_query_shown(struct pg_query *query, const char *text);
void pg_query_number(struct pg_query *query, int64_t number);
void pg_query_bool(struct pg_query *query, bool value);
void pg_query_blob(struct pg_query *query, const void *data, size_t bytes);
/* Binds a text that the query frees. NULL means that memory was short. */
void pg_query_take(struct pg_query *query, char *text);
/* Likewise, a value in the server's binary form. */
void pg_query_take_binary(struct pg_query *query, char *value, size_t bytes);

/* Queues it in the pipeline, and finishes it. 0, or -1 with store->lost. */
int pg_send(struct postgres_store *store, struct pg_query *query, struct error *err);

/* Sends it and waits for its result, within the transaction, once no other result is outstanding.
 * 0 and `*result` (PQclear()), or -1. */
int pg_ask(struct postgres_store *store, struct pg_query *query, PGresult **result,
           struct error *err, const char *what);

/* Like pg_ask(), for several statements in one batch: 0 and each of `results` (PQclear()), or -1
 * and no results. */
int pg_ask_all(struct postgres_store *store, struct pg_query *queries, PGresult **results, size_t n,
               struct error *err, const char *what);

/* Like pg_ask(), for a result of one number or none: 1 and `*number`; 0; or -1. */
int pg_ask_number(struct postgres_store *store, struct pg_query *query, int64_t *number,
                  struct error *err, const char *what);
/* -1. */
int pg_no_memory(struct postgres_store *store, struct error *err, const char *what);

/* The next result of the pipeline: 0 and `*result`; -1 with "WHAT: why", store->broken and
 * store->lost. */
int pg_next(struct postgres_store *store, PGresult **result, struct error *err, const char *what);
/* The end of a batch. */
int pg_sync(struct postgres_store *store, struct error *err);
int pg_synced(struct postgres_store *store, struct error *err);

void pg_clear(PGresult **result);
#define AUTO_RESULT CLEANUP(pg_clear)

/* Values of a result, which is always binary. The number is a bigint; 0 for NULL. */
int64_t pg_number(const PGresult *result, int row, int column);
bool pg_bool(const PGresult *result, int row, int column);
const char *pg_text(const PGresult *result, int row, int column);
/* Copies the text into `out`, which has `room` bytes. */
void pg_copy(const PGresult *result, int row, int column, char *out, size_t room);
/* How many rows the statement touched. */
int64_t pg_changed(PGresult *result);

#endif
