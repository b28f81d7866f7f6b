/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs prepared statements, and turns their failures into errors. */
#include "inbox/sqlite/query.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_transient(int code) {
    return code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL ||
           code == SQLITE_IOERR || code == SQLITE_NOMEM;
}

int sqlite_error(sqlite3 *db, struct error *err, const char *what) {
    int code = sqlite3_errcode(db);
    int system_error = sqlite3_system_errno(db);
    bool from_system = code == SQLITE_IOERR || code == SQLITE_FULL || code == SQLITE_CANTOPEN;
    error_set(err, "%s: %s (SQLite code %d)%s%s", what, sqlite3_errmsg(db),
              sqlite3_extended_errcode(db), from_system && system_error ? ": " : "",
              from_system && system_error ? strerror(system_error) : "");
    return is_transient(code) ? error_mark_transient(err) : -1;
}

int sqlite_fail(struct sqlite_store *store, struct error *err, const char *what) {
    int code = sqlite3_errcode(store->db);
    store->broken = code != SQLITE_CONSTRAINT && code != SQLITE_TOOBIG && code != SQLITE_MISMATCH;
    return sqlite_error(store->db, err, what);
}

int sqlite_no_memory(struct sqlite_store *store, struct error *err, const char *what) {
    store->broken = true;
    return error_set(err, "%s: out of memory", what);
}

/* get_bit(bytes, n), as PostgreSQL has it. */
static void get_bit(sqlite3_context *context, int n_values, sqlite3_value **values) {
    const uint8_t *bytes = sqlite3_value_blob(values[0]);
    sqlite3_int64 bit = sqlite3_value_int64(values[1]);
    bool inside = n_values == 2 && bit >= 0 && bit / 8 < sqlite3_value_bytes(values[0]);
    sqlite3_result_int(context, inside ? bytes[bit / 8] >> (bit % 8) & 1 : 0);
}

int sqlite_add_functions(sqlite3 *db) {
    return sqlite3_create_function_v2(db, "get_bit", 2,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      get_bit, NULL, NULL, NULL);
}

/* Are the parameters $1, $2 ... of a shared statement numbered as they are named? */
static bool is_numbered(sqlite3_stmt *statement) {
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        if (name && name[0] == '$' && atoi(name + 1) != i) {
            return false;
        }
    }
    return true;
}

int sqlite_prepare(struct sqlite_store *store, enum sqlite_sql sql) {
    sqlite3_stmt **statement = &store->statements[sql];
    if (*statement) {
        return SQLITE_OK;
    }
    const char *text = sqlite_statements[sql];
    if (sql == SQL_BEGIN && store->reads_only) {
        text = "BEGIN";
    }
    int code = sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    assert(code != SQLITE_OK || is_numbered(*statement));
    return code;
}

struct query query_begin(struct sqlite_store *store, enum sqlite_sql sql) {
    int code = sqlite_prepare(store, sql);
    return (struct query){.store = store, .statement = store->statements[sql], .code = code};
}

static void note(struct query *query, int code) {
    if (query->code == SQLITE_OK) {
        query->code = code;
    }
}

void query_text(struct query *query, const char *text) {
    note(query, sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_STATIC));
}

void query_number(struct query *query, int64_t number) {
    note(query, sqlite3_bind_int64(query->statement, ++query->bound, number));
}

void query_blob(struct query *query, const void *data, size_t bytes) {
    /* A null pointer would be bound as NULL, whatever its length. */
    note(query, sqlite3_bind_blob64(query->statement, ++query->bound, bytes > 0 ? data : "", bytes,
                                    SQLITE_STATIC));
}

void query_zeros(struct query *query, size_t bytes) {
    note(query, sqlite3_bind_zeroblob64(query->statement, ++query->bound, bytes));
}

int query_step(struct query *query, struct error *err, const char *what) {
    if (query->code == SQLITE_OK) {
        int code = sqlite3_step(query->statement);
        if (code == SQLITE_ROW) {
            return 1;
        }
        if (code == SQLITE_DONE) {
            return 0;
        }
        query->code = code;
    }
    return sqlite_fail(query->store, err, what);
}

int query_run(struct query *query, struct error *err, const char *what) {
    int step = query_step(query, err, what);
    return step < 0 ? -1 : 0;
}

void query_end(struct query *query) {
    if (query->statement) {
        sqlite3_reset(query->statement);
        sqlite3_clear_bindings(query->statement);
    }
}

void column_copy(sqlite3_stmt *row, int column, char *out, size_t room) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    snprintf(out, room, "%s", text ? text : "");
}

char *column_text(sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    return strdup(text ? text : "");
}
