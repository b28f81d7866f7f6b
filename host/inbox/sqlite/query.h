/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The connection of the SQLite store, and one use of a prepared statement. */
#ifndef SNEK_INBOX_SQLITE_QUERY_H
#define SNEK_INBOX_SQLITE_QUERY_H

#include "base/cleanup.h"
#include "base/error.h"
#include "inbox/common/store.h"
#include "inbox/common/turns.h"
#include "inbox/sqlite/effect_room.h"
#include "inbox/sqlite/statements.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which file lies at a path. */
struct file_identity {
    uint64_t inode;
    uint32_t device_major, device_minor;
};

struct sqlite_store {
    struct store store;
    sqlite3 *db;
    /* Has the flock() on the database's file, which admits one host. It is closed after `db`,
     * because closing any descriptor of a file drops SQLite's own locks on it. */
    int lock_fd;
    /* The absolute paths of the file and of its write-ahead log. NULL in a tool. */
    char *path, *wal_path;
    /* Which files lie there. Inode 0: not known yet. */
    struct file_identity file, wal;
    struct turns turns;
    struct effect_rooms rooms;
    /* The database has the original bot's table. */
    bool adopted;
    /* The last group found the file locked for too long. */
    bool locked;
    /* Opened by a tool: a host may have the file open too. */
    bool tool;
    /* A tool that writes nothing: its transactions take no lock against writers. */
    bool reads_only;
    /* The store caused the last failure, not the operation. */
    bool broken;
    /* NULL: not used yet. */
    sqlite3_stmt *statements[SQL_COUNT];
};

/* Sets `err` to "WHAT: why" from the connection's last error, and store->broken; -1. */
int sqlite_fail(struct sqlite_store *store, struct error *err, const char *what);
/* -1. */
int sqlite_no_memory(struct sqlite_store *store, struct error *err, const char *what);

/* "why" alone, for a connection without a store; -1. */
int sqlite_error(sqlite3 *db, struct error *err, const char *what);

/* One use of a prepared statement: bind in the order of its ?1, ?2 ..., then step. The first
 * failure sticks and comes out of query_step(). Bound values are borrowed until query_end(). */
struct query {
    struct sqlite_store *store;
    sqlite3_stmt *statement;
    int bound, code;
};

/* Prepares the statement if it was not used yet. SQLite's code. */
int sqlite_prepare(struct sqlite_store *store, enum sqlite_sql sql);

/* The statement is NULL if SQLite cannot prepare it; then query_step() fails. */
struct query query_begin(struct sqlite_store *store, enum sqlite_sql sql);
/* NULL is bound as NULL. */
void query_text(struct query *query, const char *text);
void query_number(struct query *query, int64_t number);
void query_blob(struct query *query, const void *data, size_t bytes);
void query_zeros(struct query *query, size_t bytes);
/* 1 a row, 0 no more, -1 with "WHAT: why". */
int query_step(struct query *query, struct error *err, const char *what);
/* All at once for a statement without rows: 0, or -1. */
int query_run(struct query *query, struct error *err, const char *what);
void query_end(struct query *query);

/* Adds the functions that the statements need and SQLite lacks. SQLite's code. */
int sqlite_add_functions(sqlite3 *db);

#define AUTO_QUERY CLEANUP(query_end)

/* The text of a row's column, NULL as "": copied into `out`; or the caller's to free (NULL: no
 * memory). */
void column_copy(sqlite3_stmt *row, int column, char *out, size_t room);
char *column_text(sqlite3_stmt *row, int column);

#endif
