/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The id of the app's bot user, in SQLite. */
#include "inbox/bot_user.h"

#include "base/list.h"
#include "inbox/sqlite/operations.h"

int sqlite_bot_user_get(struct sqlite_store *store, struct inbox_operation *operation,
                        struct error *err) {
    struct inbox_bot_user *bot = CONTAINER_OF(operation, struct inbox_bot_user, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_BOT_USER_GET);
    query_text(&query, bot->app);
    int step = query_step(&query, err, "reading the bot's user id");
    bot->user = step > 0 ? sqlite3_column_int64(query.statement, 0) : 0;
    return step < 0 ? -1 : 0;
}

int sqlite_bot_user_put(struct sqlite_store *store, struct inbox_operation *operation,
                        struct error *err) {
    const struct inbox_bot_user *bot =
        CONTAINER_OF(operation, const struct inbox_bot_user, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_BOT_USER_PUT);
    query_text(&query, bot->app);
    query_number(&query, bot->user);
    return query_run(&query, err, "storing the bot's user id");
}
