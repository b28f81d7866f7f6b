/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The id of the app's bot user, in PostgreSQL. */
#include "inbox/bot_user.h"

#include "base/list.h"
#include "inbox/postgres/operations.h"

static int get_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    struct inbox_bot_user *bot = CONTAINER_OF(operation, struct inbox_bot_user, operation);
    struct pg_query query = pg_query_begin(PG_SQL_BOT_USER_GET);
    bot->user = 0;
    pg_query_text(&query, bot->app);
    return pg_send(store, &query, err);
}

static int get_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    if (PQntuples(result) > 0) {
        CONTAINER_OF(operation, struct inbox_bot_user, operation)->user = pg_number(result, 0, 0);
    }
    return 0;
}

const struct postgres_operation postgres_bot_user_get = {.send = get_send, .take = get_take};

static int put_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_bot_user *bot = CONTAINER_OF(operation, struct inbox_bot_user, operation);
    struct pg_query query = pg_query_begin(PG_SQL_BOT_USER_PUT);
    pg_query_text(&query, bot->app);
    pg_query_number(&query, bot->user);
    return pg_send(store, &query, err);
}

const struct postgres_operation postgres_bot_user_put = {.send = put_send};
