/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugins' sets and keys, in SQLite. */
#include "inbox/sqlite_store.h"

#include <string.h>

/* Is there a row? 1, 0, -1. */
static int has(struct sqlite_store *store, const struct inbox_plugin_state *item,
               struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_SET_HAS);
    query_text(&query, item->plugin);
    query_text(&query, item->scope);
    query_text(&query, item->set);
    query_text(&query, item->name);
    return query_step(&query, err, "looking into a set");
}

static int has_adopted(struct sqlite_store *store, const struct inbox_plugin_state *item,
                       struct error *err) {
    if (!store->adopted || item->scope[0] || strcmp(item->set, "sent_invitation") != 0) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_SET_HAS_ADOPTED);
    query_text(&query, item->name);
    return query_step(&query, err, "looking into the original's set");
}

static int change_set(struct sqlite_store *store, enum sqlite_sql sql,
                      const struct inbox_plugin_state *item, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    query_text(&query, item->plugin);
    query_text(&query, item->scope);
    query_text(&query, item->set);
    query_text(&query, item->name);
    if (query_run(&query, err, "changing a set") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0;
}

static int get(struct sqlite_store *store, struct inbox_plugin_state *item, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_KEY_GET);
    query_text(&query, item->plugin);
    query_text(&query, item->scope);
    query_text(&query, item->name);
    int step = query_step(&query, err, "reading a key");
    if (step <= 0) {
        return step;
    }
    size_t bytes = (size_t)sqlite3_column_bytes(query.statement, 0);
    struct buffer value = BUFFER_INIT(bytes);
    if (buffer_append(&value, sqlite3_column_blob(query.statement, 0), bytes) < 0) {
        store->broken = true;
        return error_set(err, "reading a key: out of memory");
    }
    item->value = value;
    return 1;
}

static int put(struct sqlite_store *store, const struct inbox_plugin_state *item,
               struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_KEY_PUT);
    query_text(&query, item->plugin);
    query_text(&query, item->scope);
    query_text(&query, item->name);
    query_blob(&query, item->value_in, item->value_in_bytes);
    return query_run(&query, err, "writing a key");
}

static int delete (struct sqlite_store *store, const struct inbox_plugin_state *item,
                   struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_KEY_DELETE);
    query_text(&query, item->plugin);
    query_text(&query, item->scope);
    query_text(&query, item->name);
    if (query_run(&query, err, "deleting a key") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0;
}

static int perform(struct sqlite_store *store, struct inbox_plugin_state *item, struct error *err) {
    switch (item->operation.kind) {
    case INBOX_SET_HAS: {
        int found = has(store, item, err);
        return found != 0 ? found : has_adopted(store, item, err);
    }
    case INBOX_SET_ADD:
        return change_set(store, SQL_SET_ADD, item, err);
    case INBOX_SET_REMOVE:
        return change_set(store, SQL_SET_REMOVE, item, err);
    case INBOX_KEY_GET:
        return get(store, item, err);
    case INBOX_KEY_PUT:
        return put(store, item, err);
    default:
        return delete (store, item, err);
    }
}

int sqlite_item(struct sqlite_store *store, struct inbox_plugin_state *item, struct error *err) {
    const struct inbox_journal_writer *writer = &item->writer;
    if (writer->n_records == 0) {
        return perform(store, item, err);
    }
    int held = sqlite_held(store, writer, err);
    if (held <= 0) {
        return held < 0 ? -1 : INBOX_PLUGIN_STATE_STALE;
    }
    int outcome = perform(store, item, err);
    return outcome < 0 || sqlite_journal_write(store, writer, outcome, err) < 0 ? -1 : outcome;
}
