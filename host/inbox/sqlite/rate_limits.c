/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rate limits of installations, in SQLite. */
#include "inbox/rate_limits.h"

#include "base/list.h"
#include "inbox/common/turns.h"
#include "inbox/sqlite/operations.h"

static int put(struct sqlite_store *store, const struct inbox_rate_limit *limit,
               struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_PUT);
    query_text(&query, limit->installation);
    for (size_t i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        query_number(&query, limit->until_ms[i]);
    }
    return query_run(&query, err, "storing a rate limit");
}

int sqlite_delay_runs(struct sqlite_store *store, const char *installation, int64_t until_ms,
                      struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_DELAY);
    query_number(&query, until_ms);
    query_text(&query, installation);
    query_number(&query, TURNS_DELAYED_MAX);
    return query_run(&query, err, "delaying the runs of an installation");
}

int sqlite_rate_limit_put(struct sqlite_store *store, struct inbox_operation *operation,
                          struct error *err) {
    const struct inbox_rate_limit *limit =
        CONTAINER_OF(operation, const struct inbox_rate_limit, operation);
    int result = put(store, limit, err);
    if (result == 0 && limit->until_ms[INBOX_RATE_LIMIT_ALL] > 0) {
        result = sqlite_delay_runs(store, limit->installation,
                                   limit->until_ms[INBOX_RATE_LIMIT_ALL], err);
    }
    return result;
}

int sqlite_rate_limit_get(struct sqlite_store *store, struct inbox_operation *operation,
                          struct error *err) {
    struct inbox_rate_limit *limit = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_GET);
    query_text(&query, limit->installation);
    int step = query_step(&query, err, "reading a rate limit");
    for (int i = 0; step > 0 && i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        limit->until_ms[i] = sqlite3_column_int64(query.statement, i);
    }
    limit->released_ms = step > 0 ? sqlite3_column_int64(query.statement, 3) : 0;
    return step < 0 ? -1 : 0;
}
