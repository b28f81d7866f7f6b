/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's operations (inbox/console.h), for both stores. A store only says how to ask one
 * statement. */
#ifndef SNEK_INBOX_COMMON_CONSOLE_H
#define SNEK_INBOX_COMMON_CONSOLE_H

#include "base/error.h"
#include "inbox/common/console_sql.h"
#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A parameter of a statement: a blob, a text (NULL is bound as NULL), or a number. */
struct console_value {
    enum { CONSOLE_NUMBER, CONSOLE_TEXT, CONSOLE_BLOB } kind;
    int64_t number;
    const char *text;
    const void *blob;
    size_t blob_bytes;
};

static inline struct console_value console_value_number(int64_t number) {
    return (struct console_value){.kind = CONSOLE_NUMBER, .number = number};
}
static inline struct console_value console_value_text(const char *text) {
    return (struct console_value){.kind = CONSOLE_TEXT, .text = text};
}

struct console_row;

/* One transaction of a store. */
struct console_store {
    const struct console_methods *methods;
};

struct console_methods {
    /* Asks the statement, and passes each row to on_row() until that returns 1 (enough) or -1 (out
     * of memory). NULL: no rows. 0, or -1 and `err`, "WHAT: why". */
    int (*ask)(struct console_store *store, enum console_sql sql,
               const struct console_value *values, size_t n_values,
               int (*on_row)(void *context, const struct console_row *row), void *context,
               struct error *err, const char *what);
    /* -1 and `err`. */
    int (*no_memory)(struct console_store *store, struct error *err, const char *what);
    /* A column of the row; NULL reads as 0 and "". A text is valid during on_row(). */
    int64_t (*number)(const struct console_row *row, int column);
    bool (*boolean)(const struct console_row *row, int column);
    const char *(*text)(const struct console_row *row, int column);
    /* Wall clock: when a lease ends that the store has as `until`. */
    int64_t (*lease_ms)(int64_t until);
};

struct console_row {
    const struct console_methods *methods;
    /* The store's. */
    void *result;
    int index;
};

/* The row's columns, and texts for the caller to free (NULL: out of memory). */
int64_t console_number(const struct console_row *row, int column);
bool console_boolean(const struct console_row *row, int column);
const char *console_text(const struct console_row *row, int column);
void console_copy(const struct console_row *row, int column, char *out, size_t room);
char *console_duplicate(const struct console_row *row, int column);

/* Carries out an operation of inbox/console.h. Its result, or -1. */
int console_perform(struct console_store *store, struct inbox_operation *operation,
                    struct error *err);

#endif
