/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Binds, sends and reads prepared statements, and turns their failures into errors. */
#include "inbox/postgres/query.h"

#include "base/utf8.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

void pg_clear(PGresult **result) {
    PQclear(*result);
}

struct pg_query pg_query_begin(enum postgres_sql sql) {
    return (struct pg_query){.sql = sql};
}

static void bind(struct pg_query *query, const void *value, size_t bytes, bool binary) {
    assert(query->bound < PG_PARAMETERS_MAX);
    query->values[query->bound] = value;
    /* Bodies have at most 25 MiB. */
    query->lengths[query->bound] = (int)bytes;
    query->formats[query->bound++] = binary;
}

void pg_query_text(struct pg_query *query, const char *text) {
    bind(query, text, 0, false);
}

void pg_query_take(struct pg_query *query, char *text) {
    query->failed = query->failed || !text;
    query->owned[query->bound] = text;
    bind(query, text, 0, false);
}

void pg_query_take_binary(struct pg_query *query, char *value, size_t bytes) {
    query->failed = query->failed || !value;
    query->owned[query->bound] = value;
    bind(query, value, bytes, true);
}

void pg_query_shown(struct pg_query *query, const char *text) {
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t bytes = strlen(text), at = 0, length;
    while (at < bytes && (length = utf8_sequence(text + at, bytes - at)) > 0) {
        at += length;
    }
    if (at == bytes) {
        pg_query_text(query, text);
        return;
    }
    char *repaired = malloc(bytes * (sizeof replacement - 1) + 1), *end = repaired;
    for (at = 0; repaired && at<bytes; at += length> 0 ? length : 1) {
        length = utf8_sequence(text + at, bytes - at);
        size_t added = length > 0 ? length : sizeof replacement - 1;
        memcpy(end, length > 0 ? text + at : replacement, added);
        end += added;
    }
    if (repaired) {
        *end = '\0';
    }
    pg_query_take(query, repaired);
}

void pg_query_number(struct pg_query *query, int64_t number) {
    uint64_t *place = &query->numbers[query->bound];
    *place = htobe64((uint64_t)number);
    bind(query, place, sizeof *place, true);
}

void pg_query_bool(struct pg_query *query, bool value) {
    pg_query_text(query, value ? "t" : "f");
}

void pg_query_blob(struct pg_query *query, const void *data, size_t bytes) {
    /* A null pointer would be NULL. */
    bind(query, bytes > 0 ? data : "", bytes, true);
}

int pg_send(struct postgres_store *store, struct pg_query *query, struct error *err) {
    char name[16];
    snprintf(name, sizeof name, "s%d", (int)query->sql);
    int sent =
        !query->failed && PQsendQueryPrepared(store->connection, name, query->bound, query->values,
                                              query->lengths, query->formats, 1);
    for (int i = 0; i < query->bound; i++) {
        free(query->owned[i]);
        query->owned[i] = NULL;
    }
    store->sent++;
    if (sent) {
        return 0;
    }
    /* The pipeline is out of step. */
    store->lost = true;
    return query->failed ? error_set(err, "out of memory")
                         : link_lost(store->connection, err, "sending a statement");
}

/* True when the operation caused the failure: its data (exceptions, constraints, triggers, limits),
 * or it took too long or met a lock. */
static bool is_operations_fault(const char *state) {
    static const char *const classes[] = {"22", "23", "P0", "54", "40", "55P03", "57014"};
    for (size_t i = 0; state && i < sizeof classes / sizeof *classes; i++) {
        if (strncmp(state, classes[i], strlen(classes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Two hosts waited for each other's rows, and the server ended this host's transaction: "Appendix
 * A. PostgreSQL Error Codes", deadlock_detected. */
static bool is_deadlock(const char *state) {
    return state && strcmp(state, "40P01") == 0;
}

int pg_next(struct postgres_store *store, PGresult **result, struct error *err, const char *what) {
    store->broken = store->lost = true;
    store->deadlocked = false;
    if (link_wait(store->connection, err) < 0) {
        return error_wrap(err, "%s", what);
    }
    AUTO_RESULT PGresult *got = PQgetResult(store->connection);
    if (!got) {
        return link_lost(store->connection, err, what);
    }
    ExecStatusType status = PQresultStatus(got);
    bool alive = PQstatus(store->connection) == CONNECTION_OK;
    /* The others are followed by a NULL. */
    if (alive && status != PGRES_PIPELINE_SYNC) {
        if (link_wait(store->connection, err) < 0) {
            return error_wrap(err, "%s", what);
        }
        PQclear(PQgetResult(store->connection));
    }
    store->lost = !alive;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC ||
        status == PGRES_PIPELINE_ABORTED) {
        *result = STEAL(got);
        return 0;
    }
    const char *state = PQresultErrorField(got, PG_DIAG_SQLSTATE);
    /* A server that became read-only stays so for this session: another one may be writable. */
    store->lost = store->lost || (state && !store->read_only && strcmp(state, "25006") == 0);
    store->broken = store->lost || !is_operations_fault(state);
    store->deadlocked = !store->lost && is_deadlock(state);
    return link_rejected(got, err, what);
}

int pg_sync(struct postgres_store *store, struct error *err) {
    if (PQpipelineSync(store->connection)) {
        return 0;
    }
    store->lost = true;
    return link_lost(store->connection, err, "sending statements");
}

int pg_synced(struct postgres_store *store, struct error *err) {
    AUTO_RESULT PGresult *end = NULL;
    if (pg_next(store, &end, err, "ending a batch") < 0) {
        /* Also when the server could not commit: the end of the batch is still to come. */
        store->broken = store->lost = true;
        return -1;
    }
    if (PQresultStatus(end) == PGRES_PIPELINE_SYNC) {
        return 0;
    }
    store->broken = store->lost = true;
    return error_set(err, "the server's results do not match the statements that were sent");
}

/* Reads all results of the batch, also after a failure, so that the connection stays in step. The
 * first failure counts: the server rejects the statements after it. */
static int take_all(struct postgres_store *store, PGresult **results, size_t n, struct error *err,
                    const char *what) {
    bool failed = false, broken = false, deadlocked = false;
    for (size_t i = 0; i < n && !store->lost; i++) {
        if (pg_next(store, &results[i], failed ? NULL : err, what) < 0 && !failed) {
            failed = true;
            broken = store->broken;
            deadlocked = store->deadlocked;
        }
    }
    if (!failed) {
        return pg_synced(store, err);
    }
    if (!store->lost && pg_synced(store, NULL) == 0) {
        store->broken = broken;
        store->deadlocked = deadlocked;
    }
    return -1;
}

int pg_ask_all(struct postgres_store *store, struct pg_query *queries, PGresult **results, size_t n,
               struct error *err, const char *what) {
    int sent = 0;
    store->broken = true;
    for (size_t i = 0; i < n; i++) {
        results[i] = NULL;
        /* After a failure this only frees what the query owns. */
        if (pg_send(store, &queries[i], sent < 0 ? NULL : err) < 0) {
            sent = -1;
        }
    }
    if (sent < 0 || pg_sync(store, err) < 0) {
        return error_wrap(err, "%s", what);
    }
    if (take_all(store, results, n, err, what) == 0) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        PQclear(STEAL(results[i]));
    }
    return -1;
}

int pg_ask(struct postgres_store *store, struct pg_query *query, PGresult **result,
           struct error *err, const char *what) {
    return pg_ask_all(store, query, result, 1, err, what);
}

int pg_ask_number(struct postgres_store *store, struct pg_query *query, int64_t *number,
                  struct error *err, const char *what) {
    AUTO_RESULT PGresult *result = NULL;
    if (pg_ask(store, query, &result, err, what) < 0) {
        return -1;
    }
    if (PQntuples(result) == 0) {
        return 0;
    }
    *number = pg_number(result, 0, 0);
    return 1;
}

int pg_no_memory(struct postgres_store *store, struct error *err, const char *what) {
    store->broken = true;
    return error_set(err, "%s: out of memory", what);
}

int64_t pg_number(const PGresult *result, int row, int column) {
    uint64_t number;
    if (PQgetisnull(result, row, column)) {
        return 0;
    }
    /* All are cast to bigint. */
    assert(PQgetlength(result, row, column) == sizeof number);
    memcpy(&number, PQgetvalue(result, row, column), sizeof number);
    return (int64_t)be64toh(number);
}

bool pg_bool(const PGresult *result, int row, int column) {
    return !PQgetisnull(result, row, column) && PQgetvalue(result, row, column)[0] != 0;
}

const char *pg_text(const PGresult *result, int row, int column) {
    return PQgetvalue(result, row, column);
}

void pg_copy(const PGresult *result, int row, int column, char *out, size_t room) {
    snprintf(out, room, "%s", pg_text(result, row, column));
}

int64_t pg_changed(PGresult *result) {
    return strtoll(PQcmdTuples(result), NULL, 10);
}
