/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the console's statements in PostgreSQL (common/console.h). */
#include "inbox/common/console.h"

#include "base/list.h"
#include "inbox/common/console_parts.h"
#include "inbox/postgres/operations.h"

struct source {
    struct console_store base;
    struct postgres_store *store;
};

static int no_memory(struct console_store *base, struct error *err, const char *what) {
    return pg_no_memory(CONTAINER_OF(base, struct source, base)->store, err, what);
}

static void bind(struct pg_query *query, const struct console_value *value) {
    switch (value->kind) {
    case CONSOLE_NUMBER:
        pg_query_number(query, value->number);
        break;
    case CONSOLE_TEXT:
        if (value->text) {
            pg_query_shown(query, value->text);
        } else {
            pg_query_text(query, NULL);
        }
        break;
    case CONSOLE_BLOB:
        pg_query_blob(query, value->blob, value->blob_bytes);
        break;
    }
}

static int64_t number(const struct console_row *row, int column) {
    return pg_number(row->result, row->index, column);
}

static bool boolean(const struct console_row *row, int column) {
    return pg_bool(row->result, row->index, column);
}

static const char *text(const struct console_row *row, int column) {
    return pg_text(row->result, row->index, column);
}

/* The store has the server's wall clock. */
static int64_t lease_ms(int64_t until) {
    return until;
}

static int ask(struct console_store *base, enum console_sql sql, const struct console_value *values,
               size_t n_values, int (*on_row)(void *context, const struct console_row *row),
               void *context, struct error *err, const char *what) {
    struct postgres_store *store = CONTAINER_OF(base, struct source, base)->store;
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_CONSOLE + (int)sql);
    for (size_t i = 0; i < n_values; i++) {
        bind(&query, &values[i]);
    }
    if (pg_ask(store, &query, &result, err, what) < 0) {
        return -1;
    }
    int taken = 0;
    for (int i = 0; on_row && taken == 0 && i < PQntuples(result); i++) {
        const struct console_row row = {.methods = base->methods, .result = result, .index = i};
        taken = on_row(context, &row);
    }
    return taken < 0 ? pg_no_memory(store, err, what) : 0;
}

static const struct console_methods methods = {.ask = ask,
                                               .no_memory = no_memory,
                                               .number = number,
                                               .boolean = boolean,
                                               .text = text,
                                               .lease_ms = lease_ms};

static int settle(struct postgres_store *store, struct inbox_operation *operation,
                  struct error *err) {
    struct source source = {.base = {.methods = &methods}, .store = store};
    int result = console_perform(&source.base, operation, err);
    if (result > 0) {
        operation->result = result;
    }
    return result < 0 ? -1 : 0;
}

const struct postgres_operation postgres_console = {.settle = settle};

int postgres_entry(PGresult *result, int row, struct inbox_entry *entry) {
    const struct console_row at = {.methods = &methods, .result = result, .index = row};
    return console_entry(&at, entry);
}
