/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugins' sets and keys, in SQLite. */
#include "inbox/sqlite/operations.h"

#include "base/list.h"
#include "inbox/plugin_state.h"

#include <string.h>

typedef int change(struct sqlite_store *store, const struct inbox_plugin_state *state,
                   struct error *err);

static struct inbox_plugin_state *state_of(struct inbox_operation *operation) {
    return CONTAINER_OF(operation, struct inbox_plugin_state, operation);
}

/* Has this claim committed the change before? 1 and `*outcome`, 0, -1. */
static int was_made(struct sqlite_store *store, const struct inbox_plugin_state *state,
                    int *outcome, struct error *err) {
    const struct inbox_journal_writer *writer = &state->writer;
    if (!state->repeats || writer->n_records == 0) {
        return 0;
    }
    const struct inbox_record *own = writer->records[writer->n_records - 1];
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNAL_OUTCOME);
    query_number(&query, writer->run);
    query_number(&query, own->number);
    query_number(&query, writer->token);
    query_blob(&query, own->key, sizeof own->key);
    int step = query_step(&query, err, "looking for a change's record");
    if (step > 0) {
        *outcome = sqlite3_column_int(query.statement, 0);
    }
    return step;
}

/* Makes the change, and writes its record with it when there is one. */
static int change_with_record(struct sqlite_store *store, struct inbox_operation *operation,
                              change *make, struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    const struct inbox_journal_writer *writer = &state->writer;
    if (writer->n_records > 0) {
        int held = sqlite_held(store, writer, err);
        if (held <= 0) {
            return held < 0 ? -1 : INBOX_PLUGIN_STATE_STALE;
        }
    }
    int outcome = 0, made = was_made(store, state, &outcome, err);
    if (made == 0) {
        outcome = make(store, state, err);
    }
    if (made < 0 || outcome < 0 || sqlite_write_records(store, writer, outcome, err) < 0) {
        return -1;
    }
    return outcome;
}

/* ---- sets ---- */

static struct query begin_set_query(struct sqlite_store *store, enum sqlite_sql sql,
                                    const struct inbox_plugin_state *state) {
    struct query query = query_begin(store, sql);
    query_text(&query, state->plugin);
    query_text(&query, state->scope);
    query_text(&query, state->set);
    query_text(&query, state->name);
    return query;
}

static int has_adopted(struct sqlite_store *store, const struct inbox_plugin_state *state,
                       struct error *err) {
    if (!store->adopted || state->scope[0] || strcmp(state->set, "sent_invitation") != 0) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_SET_HAS_ADOPTED);
    query_text(&query, state->name);
    return query_step(&query, err, "looking into the original bot's set");
}

int sqlite_set_has(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    AUTO_QUERY struct query query = begin_set_query(store, SQL_SET_HAS, state);
    int found = query_step(&query, err, "looking into a set");
    return found != 0 ? found : has_adopted(store, state, err);
}

static int change_set(struct sqlite_store *store, enum sqlite_sql sql,
                      const struct inbox_plugin_state *state, struct error *err) {
    AUTO_QUERY struct query query = begin_set_query(store, sql, state);
    if (query_run(&query, err, "changing a set") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0;
}

static int add(struct sqlite_store *store, const struct inbox_plugin_state *state,
               struct error *err) {
    return change_set(store, SQL_SET_ADD, state, err);
}

static int remove_entry(struct sqlite_store *store, const struct inbox_plugin_state *state,
                        struct error *err) {
    return change_set(store, SQL_SET_REMOVE, state, err);
}

int sqlite_set_add(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    return change_with_record(store, operation, add, err);
}

int sqlite_set_remove(struct sqlite_store *store, struct inbox_operation *operation,
                      struct error *err) {
    return change_with_record(store, operation, remove_entry, err);
}

/* ---- keys ---- */

static struct query begin_key_query(struct sqlite_store *store, enum sqlite_sql sql,
                                    const struct inbox_plugin_state *state) {
    struct query query = query_begin(store, sql);
    query_text(&query, state->plugin);
    query_text(&query, state->scope);
    query_text(&query, state->name);
    return query;
}

int sqlite_key_get(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    struct inbox_plugin_state *state = state_of(operation);
    AUTO_QUERY struct query query = begin_key_query(store, SQL_KEY_GET, state);
    int step = query_step(&query, err, "reading a key");
    if (step <= 0) {
        return step;
    }
    size_t bytes = (size_t)sqlite3_column_bytes(query.statement, 0);
    struct buffer value = BUFFER_INIT(bytes);
    if (buffer_append(&value, sqlite3_column_blob(query.statement, 0), bytes) < 0) {
        return sqlite_no_memory(store, err, "reading a key");
    }
    state->value = value;
    return 1;
}

static int put(struct sqlite_store *store, const struct inbox_plugin_state *state,
               struct error *err) {
    AUTO_QUERY struct query query = begin_key_query(store, SQL_KEY_PUT, state);
    query_blob(&query, state->value_in, state->value_in_bytes);
    return query_run(&query, err, "writing a key");
}

static int delete_key(struct sqlite_store *store, const struct inbox_plugin_state *state,
                      struct error *err) {
    AUTO_QUERY struct query query = begin_key_query(store, SQL_KEY_DELETE, state);
    if (query_run(&query, err, "deleting a key") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0;
}

int sqlite_key_put(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    return change_with_record(store, operation, put, err);
}

int sqlite_key_delete(struct sqlite_store *store, struct inbox_operation *operation,
                      struct error *err) {
    return change_with_record(store, operation, delete_key, err);
}
