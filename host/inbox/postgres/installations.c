/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The installations that wait, in PostgreSQL. The operations are rare, so each one waits for its
 * own results. */
#include "inbox/installations.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/postgres/operations.h"

static struct inbox_waiting_installation *add(struct inbox_installations *list,
                                              const PGresult *result, int row) {
    struct inbox_waiting_installation *added = ARRAY_ADD(list->rows, list->n_rows);
    if (added) {
        pg_copy(result, row, 0, added->installation, sizeof added->installation);
    }
    return added;
}

static int list_limited(struct postgres_store *store, struct inbox_installations *list,
                        struct error *err) {
    const char *what = "listing rate limits";
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_INSTALLATIONS_LIMITED);
    pg_query_number(&query, list->now_ms);
    if (pg_ask(store, &query, &result, err, what) < 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        struct inbox_waiting_installation *row = add(list, result, i);
        if (!row) {
            return pg_no_memory(store, err, what);
        }
        for (int column = 0; column < INBOX_RATE_LIMIT_RESOURCES; column++) {
            row->until_ms[column] = pg_number(result, i, column + 1);
        }
        pg_copy(result, i, INBOX_RATE_LIMIT_RESOURCES + 1, row->repository, sizeof row->repository);
    }
    return 0;
}

static int list_parked(struct postgres_store *store, struct inbox_installations *list,
                       struct error *err) {
    const char *what = "listing parked runs";
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_INSTALLATIONS_PARKED);
    if (pg_ask(store, &query, &result, err, what) < 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        struct inbox_waiting_installation *row = add(list, result, i);
        if (!row) {
            return pg_no_memory(store, err, what);
        }
        pg_copy(result, i, 1, row->plugin, sizeof row->plugin);
        row->parked = pg_number(result, i, 2);
        pg_copy(result, i, 3, row->reason, sizeof row->reason);
        pg_copy(result, i, 4, row->repository, sizeof row->repository);
    }
    return 0;
}

static int list_settle(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    struct inbox_installations *list =
        CONTAINER_OF(operation, struct inbox_installations, operation);
    return list_limited(store, list, err) < 0 ? -1 : list_parked(store, list, err);
}

const struct postgres_operation postgres_installations = {.settle = list_settle};

/* 0 and how many rows the statement changed; or -1. */
static int change(struct postgres_store *store, const struct inbox_installation_release *release,
                  enum postgres_sql sql, int64_t *changed, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(sql);
    pg_query_number(&query, release->now_ms);
    pg_query_text(&query, release->installation);
    if (pg_ask(store, &query, &result, err, "releasing an installation") < 0) {
        return -1;
    }
    *changed = pg_changed(result);
    return 0;
}

static int release_settle(struct postgres_store *store, struct inbox_operation *operation,
                          struct error *err) {
    struct inbox_installation_release *release =
        CONTAINER_OF(operation, struct inbox_installation_release, operation);
    if (change(store, release, PG_SQL_INSTALLATION_HASTEN, &release->delayed, err) < 0 ||
        change(store, release, PG_SQL_INSTALLATION_END_LIMITS, &release->limits, err) < 0) {
        return -1;
    }
    return change(store, release, PG_SQL_INSTALLATION_UNPARK, &release->parked, err);
}

const struct postgres_operation postgres_installation_release = {.settle = release_settle};
