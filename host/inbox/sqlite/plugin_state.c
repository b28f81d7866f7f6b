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
    if (outcome == INBOX_PLUGIN_STATE_FULL) {
        return outcome;
    }
    if (made < 0 || outcome < 0 || sqlite_write_records(store, writer, outcome, err) < 0) {
        return -1;
    }
    return outcome;
}

/* ---- the quota ---- */

/* 1: the plugin's quota has room for so many more bytes; 0; or -1. */
static int has_room(struct sqlite_store *store, const struct inbox_plugin_state *state,
                    int64_t more_bytes, struct error *err) {
    if (state->quota_bytes == 0 || more_bytes <= 0) {
        return 1;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_USAGE_GET);
    query_text(&query, state->plugin);
    int step = query_step(&query, err, "reading a plugin's usage");
    if (step < 0) {
        return -1;
    }
    int64_t used_bytes = step > 0 ? sqlite3_column_int64(query.statement, 0) : 0;
    return used_bytes + more_bytes <= state->quota_bytes;
}

static int count_bytes(struct sqlite_store *store, const struct inbox_plugin_state *state,
                       int64_t more_bytes, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_USAGE_ADD);
    query_text(&query, state->plugin);
    query_number(&query, more_bytes);
    return query_run(&query, err, "counting a plugin's bytes");
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

static int has(struct sqlite_store *store, const struct inbox_plugin_state *state,
               struct error *err) {
    AUTO_QUERY struct query query = begin_set_query(store, SQL_SET_HAS, state);
    return query_step(&query, err, "looking into a set");
}

int sqlite_set_has(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    int found = has(store, state, err);
    return found != 0 ? found : has_adopted(store, state, err);
}

/* `more_bytes`: what the change adds to the plugin's bytes. */
static int change_set(struct sqlite_store *store, enum sqlite_sql sql,
                      const struct inbox_plugin_state *state, int64_t more_bytes,
                      struct error *err) {
    {
        AUTO_QUERY struct query query = begin_set_query(store, sql, state);
        if (query_run(&query, err, "changing a set") < 0) {
            return -1;
        }
        if (sqlite3_changes(store->db) == 0) {
            return 0;
        }
    }
    return count_bytes(store, state, more_bytes, err) < 0 ? -1 : 1;
}

static int add(struct sqlite_store *store, const struct inbox_plugin_state *state,
               struct error *err) {
    int64_t bytes = store_item_bytes(state);
    int room = has_room(store, state, bytes, err);
    if (room < 0) {
        return -1;
    }
    if (room == 0) {
        int found = has(store, state, err);
        if (found < 0) {
            return -1;
        }
        return found > 0 ? 0 : INBOX_PLUGIN_STATE_FULL;
    }
    return change_set(store, SQL_SET_ADD, state, bytes, err);
}

static int remove_entry(struct sqlite_store *store, const struct inbox_plugin_state *state,
                        struct error *err) {
    return change_set(store, SQL_SET_REMOVE, state, -store_item_bytes(state), err);
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

/* 1 and the bytes of the key's present value, 0 there is no such key, -1. */
static int find_value(struct sqlite_store *store, const struct inbox_plugin_state *state,
                      int64_t *value_bytes, struct error *err) {
    AUTO_QUERY struct query query = begin_key_query(store, SQL_KEY_BYTES, state);
    int step = query_step(&query, err, "looking for a key");
    if (step > 0) {
        *value_bytes = sqlite3_column_int64(query.statement, 0);
    }
    return step;
}

static int put(struct sqlite_store *store, const struct inbox_plugin_state *state,
               struct error *err) {
    int64_t old_bytes = 0, more_bytes = store_item_bytes(state);
    int found = find_value(store, state, &old_bytes, err);
    if (found < 0) {
        return -1;
    }
    if (found > 0) {
        more_bytes = (int64_t)state->value_in_bytes - old_bytes;
    }
    int room = has_room(store, state, more_bytes, err);
    if (room <= 0) {
        return room < 0 ? -1 : INBOX_PLUGIN_STATE_FULL;
    }
    AUTO_QUERY struct query query = begin_key_query(store, SQL_KEY_PUT, state);
    query_blob(&query, state->value_in, state->value_in_bytes);
    if (query_run(&query, err, "writing a key") < 0) {
        return -1;
    }
    return count_bytes(store, state, more_bytes, err);
}

static int delete_key(struct sqlite_store *store, const struct inbox_plugin_state *state,
                      struct error *err) {
    int64_t old_bytes = 0;
    int found = find_value(store, state, &old_bytes, err);
    if (found <= 0) {
        return found;
    }
    AUTO_QUERY struct query query = begin_key_query(store, SQL_KEY_DELETE, state);
    if (query_run(&query, err, "deleting a key") < 0) {
        return -1;
    }
    return count_bytes(store, state, -store_item_bytes(state) - old_bytes, err) < 0 ? -1 : 1;
}

int sqlite_key_put(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    return change_with_record(store, operation, put, err);
}

int sqlite_key_delete(struct sqlite_store *store, struct inbox_operation *operation,
                      struct error *err) {
    return change_with_record(store, operation, delete_key, err);
}

/* ---- reservations ---- */

/* Does the run have most names? 1, 0, -1. */
static int reserves_most(struct sqlite_store *store, int64_t run, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RESERVED);
    query_number(&query, run);
    int step = query_step(&query, err, "counting reserved names");
    return step > 0 ? sqlite3_column_int(query.statement, 0) : step;
}

int sqlite_reserve(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    {
        AUTO_QUERY struct query query = begin_key_query(store, SQL_RESERVE, state);
        query_number(&query, state->writer.run);
        if (query_run(&query, err, "reserving a name") < 0) {
            return -1;
        }
        if (sqlite3_changes(store->db) > 0) {
            return 1;
        }
    }
    int most = reserves_most(store, state->writer.run, err);
    return most > 0 ? INBOX_PLUGIN_STATE_FULL : most;
}
