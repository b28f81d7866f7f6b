/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the console's statements in SQLite (common/console.h). */
#include "inbox/common/console.h"

#include "base/clock.h"
#include "base/list.h"
#include "inbox/common/console_parts.h"
#include "inbox/sqlite/operations.h"

#include <assert.h>

struct source {
    struct console_store base;
    struct sqlite_store *store;
};

static int no_memory(struct console_store *base, struct error *err, const char *what) {
    return sqlite_no_memory(CONTAINER_OF(base, struct source, base)->store, err, what);
}

static void bind(struct query *query, const struct console_value *value) {
    switch (value->kind) {
    case CONSOLE_NUMBER:
        query_number(query, value->number);
        break;
    case CONSOLE_TEXT:
        query_text(query, value->text);
        break;
    case CONSOLE_BLOB:
        query_blob(query, value->blob, value->blob_bytes);
        break;
    }
}

static int64_t number(const struct console_row *row, int column) {
    return sqlite3_column_int64(row->result, column);
}

static bool boolean(const struct console_row *row, int column) {
    return sqlite3_column_int(row->result, column) != 0;
}

static const char *text(const struct console_row *row, int column) {
    const char *value = (const char *)sqlite3_column_text(row->result, column);
    return value ? value : "";
}

/* The store has the monotonic clock: see SQL_RUNS_RECLAIM. */
static int64_t lease_ms(int64_t until) {
    return clock_wall_ms() + until - clock_monotonic_ms();
}

static int ask(struct console_store *base, enum console_sql sql, const struct console_value *values,
               size_t n_values, int (*on_row)(void *context, const struct console_row *row),
               void *context, struct error *err, const char *what) {
    struct sqlite_store *store = CONTAINER_OF(base, struct source, base)->store;
    AUTO_QUERY struct query query = query_begin(store, SQL_CONSOLE + (int)sql);
    assert(!query.statement || (int)n_values == sqlite3_bind_parameter_count(query.statement));
    for (size_t i = 0; i < n_values; i++) {
        bind(&query, &values[i]);
    }
    const struct console_row row = {.methods = base->methods, .result = query.statement};
    int step;
    while ((step = query_step(&query, err, what)) > 0) {
        int taken = on_row(context, &row);
        if (taken != 0) {
            return taken < 0 ? sqlite_no_memory(store, err, what) : 0;
        }
    }
    return step;
}

static const struct console_methods methods = {.ask = ask,
                                               .no_memory = no_memory,
                                               .number = number,
                                               .boolean = boolean,
                                               .text = text,
                                               .lease_ms = lease_ms};

int sqlite_console(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    struct source source = {.base = {.methods = &methods}, .store = store};
    return console_perform(&source.base, operation, err);
}

int sqlite_entry(sqlite3_stmt *row, struct inbox_entry *entry) {
    const struct console_row at = {.methods = &methods, .result = row};
    return console_entry(&at, entry);
}
