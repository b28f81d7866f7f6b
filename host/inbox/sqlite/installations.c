/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The installations that wait, in SQLite. */
#include "inbox/installations.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/sqlite/operations.h"

static struct inbox_waiting_installation *add(struct inbox_installations *list, sqlite3_stmt *row) {
    struct inbox_waiting_installation *added = ARRAY_ADD(list->rows, list->n_rows);
    if (added) {
        column_copy(row, 0, added->installation, sizeof added->installation);
    }
    return added;
}

static int list_limited(struct sqlite_store *store, struct inbox_installations *list,
                        struct error *err) {
    const char *what = "listing rate limits";
    AUTO_QUERY struct query query = query_begin(store, SQL_INSTALLATIONS_LIMITED);
    query_number(&query, list->now_ms);
    int step;
    while ((step = query_step(&query, err, what)) > 0) {
        struct inbox_waiting_installation *row = add(list, query.statement);
        if (!row) {
            return sqlite_no_memory(store, err, what);
        }
        for (int i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
            row->until_ms[i] = sqlite3_column_int64(query.statement, i + 1);
        }
        column_copy(query.statement, INBOX_RATE_LIMIT_RESOURCES + 1, row->repository,
                    sizeof row->repository);
    }
    return step;
}

static int list_parked(struct sqlite_store *store, struct inbox_installations *list,
                       struct error *err) {
    const char *what = "listing parked runs";
    AUTO_QUERY struct query query = query_begin(store, SQL_INSTALLATIONS_PARKED);
    int step;
    while ((step = query_step(&query, err, what)) > 0) {
        struct inbox_waiting_installation *row = add(list, query.statement);
        if (!row) {
            return sqlite_no_memory(store, err, what);
        }
        column_copy(query.statement, 1, row->plugin, sizeof row->plugin);
        row->parked = sqlite3_column_int64(query.statement, 2);
        column_copy(query.statement, 3, row->reason, sizeof row->reason);
        column_copy(query.statement, 4, row->repository, sizeof row->repository);
    }
    return step;
}

int sqlite_installations(struct sqlite_store *store, struct inbox_operation *operation,
                         struct error *err) {
    struct inbox_installations *list =
        CONTAINER_OF(operation, struct inbox_installations, operation);
    return list_limited(store, list, err) < 0 ? -1 : list_parked(store, list, err);
}

/* How many rows the statement changes; or -1. */
static int64_t change(struct sqlite_store *store, const struct inbox_installation_release *release,
                      enum sqlite_sql sql, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    query_number(&query, release->now_ms);
    query_text(&query, release->installation);
    if (query_run(&query, err, "releasing an installation") < 0) {
        return -1;
    }
    return sqlite3_changes64(store->db);
}

int sqlite_installation_release(struct sqlite_store *store, struct inbox_operation *operation,
                                struct error *err) {
    struct inbox_installation_release *release =
        CONTAINER_OF(operation, struct inbox_installation_release, operation);
    release->delayed = change(store, release, SQL_INSTALLATION_HASTEN, err);
    if (release->delayed < 0) {
        return -1;
    }
    release->limits = change(store, release, SQL_INSTALLATION_END_LIMITS, err);
    if (release->limits < 0) {
        return -1;
    }
    release->parked = change(store, release, SQL_INSTALLATION_UNPARK, err);
    return release->parked < 0 ? -1 : 0;
}
