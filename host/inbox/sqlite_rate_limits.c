/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What GitHub makes installations wait, in SQLite. */
#include "inbox/sqlite_store.h"

static int put(struct sqlite_store *store, const struct inbox_rate_limit *wait, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_PUT);
    query_text(&query, wait->installation);
    for (size_t i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        query_number(&query, wait->until_ms[i]);
    }
    return query_run(&query, err, "keeping a wait");
}

static int delay_runs(struct sqlite_store *store, const struct inbox_rate_limit *wait,
                      struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_DELAY);
    query_number(&query, wait->until_ms[INBOX_RATE_LIMIT_ALL]);
    query_text(&query, wait->installation);
    return query_run(&query, err, "delaying the runs of an installation");
}

static int get(struct sqlite_store *store, struct inbox_rate_limit *wait, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_GET);
    query_text(&query, wait->installation);
    int step = query_step(&query, err, "reading a wait");
    for (int i = 0; step > 0 && i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        wait->until_ms[i] = sqlite3_column_int64(query.statement, i);
    }
    return step < 0 ? -1 : 0;
}

int sqlite_rate_limit(struct sqlite_store *store, struct inbox_rate_limit *wait,
                      struct error *err) {
    if (wait->operation.kind == INBOX_RATE_LIMIT_GET) {
        return get(store, wait, err);
    }
    int result = put(store, wait, err);
    if (result == 0 && wait->until_ms[INBOX_RATE_LIMIT_ALL] > 0) {
        result = delay_runs(store, wait, err);
    }
    return result;
}
