/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What GitHub makes installations wait, in PostgreSQL. */
#include "inbox/postgres_store.h"

static int send_put(struct postgres_store *store, const struct inbox_rate_limit *wait,
                    struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RATE_LIMIT_PUT);
    pg_query_text(&query, wait->installation);
    for (size_t i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        pg_query_number(&query, wait->until_ms[i]);
    }
    return pg_send(store, &query, err);
}

static int send_delay(struct postgres_store *store, const struct inbox_rate_limit *wait,
                      struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RATE_LIMIT_DELAY);
    pg_query_number(&query, wait->until_ms[INBOX_RATE_LIMIT_ALL]);
    pg_query_text(&query, wait->installation);
    return pg_send(store, &query, err);
}

static int put_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_rate_limit *wait =
        CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    int result = send_put(store, wait, err);
    return result == 0 && wait->until_ms[INBOX_RATE_LIMIT_ALL] > 0 ? send_delay(store, wait, err)
                                                                   : result;
}

static int put_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)store, (void)operation, (void)nth, (void)result, (void)err;
    return 0;
}

const struct postgres_kind postgres_wait_put = {.send = put_send, .take = put_take};

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
    struct inbox_rate_limit *wait = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    for (int i = 0; PQntuples(result) > 0 && i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        wait->until_ms[i] = pg_number(result, 0, i);
    }
    return 0;
}

const struct postgres_kind postgres_wait_get = {.send = get_send, .take = get_take};
