/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugins' sets and keys, in PostgreSQL. */
#include "inbox/postgres_store.h"

#include <string.h>

static const struct inbox_plugin_state *item_of(const struct inbox_operation *operation) {
    return CONTAINER_OF(operation, const struct inbox_plugin_state, operation);
}

static bool looks_adopted(const struct postgres_store *store,
                          const struct inbox_plugin_state *item) {
    return item->operation.kind == INBOX_SET_HAS && store->adopted && !item->scope[0] &&
           strcmp(item->set, "sent_invitation") == 0;
}

static struct pg_query query_of(const struct inbox_operation *operation) {
    static const enum postgres_sql statements[] = {
        [INBOX_SET_HAS] = PG_SQL_SET_HAS,       [INBOX_SET_ADD] = PG_SQL_SET_ADD,
        [INBOX_SET_REMOVE] = PG_SQL_SET_REMOVE, [INBOX_KEY_GET] = PG_SQL_KEY_GET,
        [INBOX_KEY_PUT] = PG_SQL_KEY_PUT,       [INBOX_KEY_DELETE] = PG_SQL_KEY_DELETE};
    const struct inbox_plugin_state *item = item_of(operation);
    enum inbox_kind kind = operation->kind;
    struct pg_query query = pg_query_begin(statements[kind]);
    pg_query_text(&query, item->plugin);
    pg_query_text(&query, item->scope);
    if (kind == INBOX_SET_HAS || kind == INBOX_SET_ADD || kind == INBOX_SET_REMOVE) {
        pg_query_text(&query, item->set);
    }
    pg_query_text(&query, item->name);
    if (kind == INBOX_KEY_PUT) {
        pg_query_blob(&query, item->value_in, item->value_in_bytes);
    }
    return query;
}

static int send(struct postgres_store *store, struct inbox_operation *operation,
                struct error *err) {
    const struct inbox_plugin_state *item = item_of(operation);
    if (item->writer.n_records > 0) {
        return 1; /* whether it may is to be known first */
    }
    struct pg_query query = query_of(operation);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    if (looks_adopted(store, item)) {
        query = pg_query_begin(PG_SQL_SET_HAS_ADOPTED);
        pg_query_text(&query, item->name);
        return pg_send(store, &query, err);
    }
    return 0;
}

static int take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                PGresult *result, struct error *err) {
    (void)nth; /* the second of SET_HAS is the original's table */
    switch (operation->kind) {
    case INBOX_SET_HAS:
        operation->result = operation->result || PQntuples(result) > 0;
        return 0;
    case INBOX_KEY_GET: {
        if (PQntuples(result) == 0) {
            return 0;
        }
        size_t bytes = (size_t)PQgetlength(result, 0, 0);
        struct buffer value = BUFFER_INIT(bytes);
        if (buffer_append(&value, PQgetvalue(result, 0, 0), bytes) < 0) {
            store->broken = true;
            return error_set(err, "reading a key: out of memory");
        }
        CONTAINER_OF(operation, struct inbox_plugin_state, operation)->value = value;
        operation->result = 1;
        return 0;
    }
    case INBOX_KEY_PUT:
        return 0;
    default:
        operation->result = pg_changed(result) > 0;
        return 0;
    }
}

/* A change that is written together with its record in the journal. */
static int settle(struct postgres_store *store, struct inbox_operation *operation,
                  struct error *err) {
    const struct inbox_journal_writer *writer = &item_of(operation)->writer;
    AUTO_RESULT PGresult *result = NULL;
    int held = postgres_held(store, writer, err);
    if (held == 0) {
        operation->result = INBOX_PLUGIN_STATE_STALE;
    }
    if (held <= 0) {
        return held;
    }
    struct pg_query query = query_of(operation);
    return pg_ask(store, &query, &result, err, "changing a set or key") < 0 ||
                   take(store, operation, 0, result, err) < 0 ||
                   postgres_journal_write(store, writer, operation->result, err) < 0
               ? -1
               : 0;
}

const struct postgres_kind postgres_item = {.send = send, .take = take, .settle = settle};
