/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rate limits of installations, in PostgreSQL. */
#include "inbox/rate_limits.h"

#include "base/list.h"
#include "inbox/common/turns.h"
#include "inbox/postgres/operations.h"

static int send_put(struct postgres_store *store, const struct inbox_rate_limit *limit,
                    struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RATE_LIMIT_PUT);
    pg_query_text(&query, limit->installation);
    for (size_t i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        pg_query_number(&query, limit->until_ms[i]);
    }
    return pg_send(store, &query, err);
}

static int send_delay(struct postgres_store *store, const struct inbox_rate_limit *limit,
                      struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RATE_LIMIT_DELAY);
    pg_query_number(&query, limit->until_ms[INBOX_RATE_LIMIT_ALL]);
    pg_query_text(&query, limit->installation);
    pg_query_number(&query, TURNS_DELAYED_MAX);
    return pg_send(store, &query, err);
}

static int put_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_rate_limit *limit =
        CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    int result = send_put(store, limit, err);
    return result == 0 && limit->until_ms[INBOX_RATE_LIMIT_ALL] > 0 ? send_delay(store, limit, err)
                                                                    : result;
}

const struct postgres_operation postgres_rate_limit_put = {.send = put_send};

static int get_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RATE_LIMIT_GET);
    pg_query_text(&query,
                  CONTAINER_OF(operation, struct inbox_rate_limit, operation)->installation);
    return pg_send(store, &query, err);
}

static int get_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    struct inbox_rate_limit *limit = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    for (int i = 0; PQntuples(result) > 0 && i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        limit->until_ms[i] = pg_number(result, 0, i);
    }
    limit->released_ms = PQntuples(result) > 0 ? pg_number(result, 0, 3) : 0;
    return 0;
}

const struct postgres_operation postgres_rate_limit_get = {.send = get_send, .take = get_take};
