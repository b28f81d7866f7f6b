/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The plugins' sets and keys, in PostgreSQL. */
#include "inbox/plugin_state.h"

#include "base/list.h"
#include "inbox/postgres/operations.h"

#include <string.h>

static struct inbox_plugin_state *state_of(struct inbox_operation *operation) {
    return CONTAINER_OF(operation, struct inbox_plugin_state, operation);
}

/* A bound number is part of the query, which must not be copied then. */
static void begin_set_query(struct pg_query *query, const struct inbox_plugin_state *state) {
    static const enum postgres_sql statements[INBOX_KINDS] = {
        [INBOX_SET_HAS] = PG_SQL_SET_HAS,
        [INBOX_SET_ADD] = PG_SQL_SET_ADD,
        [INBOX_SET_REMOVE] = PG_SQL_SET_REMOVE,
    };
    *query = pg_query_begin(statements[state->operation.kind]);
    pg_query_text(query, state->plugin);
    pg_query_text(query, state->scope);
    pg_query_text(query, state->set);
    pg_query_text(query, state->name);
    if (state->operation.kind != INBOX_SET_HAS) {
        pg_query_number(query, store_item_bytes(state));
    }
    if (state->operation.kind == INBOX_SET_ADD) {
        pg_query_number(query, state->quota_bytes);
    }
}

static void begin_key_query(struct pg_query *query, const struct inbox_plugin_state *state) {
    static const enum postgres_sql statements[INBOX_KINDS] = {
        [INBOX_KEY_GET] = PG_SQL_KEY_GET,
        [INBOX_KEY_PUT] = PG_SQL_KEY_PUT,
        [INBOX_KEY_DELETE] = PG_SQL_KEY_DELETE,
    };
    *query = pg_query_begin(statements[state->operation.kind]);
    pg_query_text(query, state->plugin);
    pg_query_text(query, state->scope);
    pg_query_text(query, state->name);
    if (state->operation.kind != INBOX_KEY_GET) {
        pg_query_number(query, store_item_bytes(state));
    }
    if (state->operation.kind == INBOX_KEY_PUT) {
        pg_query_number(query, state->quota_bytes);
        pg_query_blob(query, state->value_in, state->value_in_bytes);
    }
}

/* ---- reads ---- */

static int set_has_send(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    struct pg_query query;
    begin_set_query(&query, state);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    if (!store->adopted || state->scope[0] || strcmp(state->set, "sent_invitation") != 0) {
        return 0;
    }
    query = pg_query_begin(PG_SQL_SET_HAS_ADOPTED);
    pg_query_text(&query, state->name);
    return pg_send(store, &query, err);
}

/* The second result is of the original bot's table. */
static int set_has_take(struct postgres_store *store, struct inbox_operation *operation,
                        unsigned nth, PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    operation->result = operation->result || PQntuples(result) > 0;
    return 0;
}

const struct postgres_operation postgres_set_has = {.send = set_has_send, .take = set_has_take};

static int key_get_send(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    struct pg_query query;
    begin_key_query(&query, state_of(operation));
    return pg_send(store, &query, err);
}

static int key_get_take(struct postgres_store *store, struct inbox_operation *operation,
                        unsigned nth, PGresult *result, struct error *err) {
    (void)nth;
    if (PQntuples(result) == 0) {
        return 0;
    }
    size_t bytes = (size_t)PQgetlength(result, 0, 0);
    struct buffer value = BUFFER_INIT(bytes);
    if (buffer_append(&value, PQgetvalue(result, 0, 0), bytes) < 0) {
        return pg_no_memory(store, err, "reading a key");
    }
    state_of(operation)->value = value;
    operation->result = 1;
    return 0;
}

const struct postgres_operation postgres_key_get = {.send = key_get_send, .take = key_get_take};

/* ---- changes, each with its record in the journal when it has one ---- */

/* 1 with a record: the claim must be checked first. */
static int set_change_send(struct postgres_store *store, struct inbox_operation *operation,
                           struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    if (state->writer.n_records > 0) {
        return 1;
    }
    struct pg_query query;
    begin_set_query(&query, state);
    return pg_send(store, &query, err);
}

static int key_change_send(struct postgres_store *store, struct inbox_operation *operation,
                           struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    if (state->writer.n_records > 0) {
        return 1;
    }
    struct pg_query query;
    begin_key_query(&query, state);
    return pg_send(store, &query, err);
}

static int change_take(struct postgres_store *store, struct inbox_operation *operation,
                       unsigned nth, PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    operation->result = (int)pg_number(result, 0, 0);
    return 0;
}

/* Has this claim committed the change before? 1 and `*outcome`, 0, -1. */
static int was_made(struct postgres_store *store, const struct inbox_plugin_state *state,
                    int64_t *outcome, struct error *err) {
    const struct inbox_journal_writer *writer = &state->writer;
    if (!state->repeats) {
        return 0;
    }
    const struct inbox_record *own = writer->records[writer->n_records - 1];
    struct pg_query query = pg_query_begin(PG_SQL_JOURNAL_OUTCOME);
    pg_query_number(&query, writer->run);
    pg_query_number(&query, own->number);
    pg_query_number(&query, writer->token);
    pg_query_blob(&query, own->key, sizeof own->key);
    return pg_ask_number(store, &query, outcome, err, "looking for a change's record");
}

static int settle(struct postgres_store *store, struct inbox_operation *operation,
                  struct pg_query *query, struct error *err) {
    const struct inbox_journal_writer *writer = &state_of(operation)->writer;
    int64_t outcome = 0;
    int held = postgres_held(store, writer, err);
    if (held <= 0) {
        operation->result = held == 0 ? INBOX_PLUGIN_STATE_STALE : 0;
        return held;
    }
    int made = was_made(store, state_of(operation), &outcome, err);
    if (made < 0 ||
        (made == 0 && pg_ask_number(store, query, &outcome, err, "changing a set or key") < 0)) {
        return -1;
    }
    operation->result = (int)outcome;
    if (outcome == INBOX_PLUGIN_STATE_FULL) {
        return 0;
    }
    return postgres_write_records(store, writer, operation->result, err);
}

static int set_settle(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct pg_query query;
    begin_set_query(&query, state_of(operation));
    return settle(store, operation, &query, err);
}

static int key_settle(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct pg_query query;
    begin_key_query(&query, state_of(operation));
    return settle(store, operation, &query, err);
}

const struct postgres_operation postgres_set_change = {
    .send = set_change_send, .take = change_take, .settle = set_settle};
const struct postgres_operation postgres_key_change = {
    .send = key_change_send, .take = change_take, .settle = key_settle};

/* ---- reservations ---- */

static int reserve_send(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    const struct inbox_plugin_state *state = state_of(operation);
    struct pg_query query = pg_query_begin(PG_SQL_RESERVE);
    pg_query_text(&query, state->plugin);
    pg_query_text(&query, state->scope);
    pg_query_text(&query, state->name);
    pg_query_number(&query, state->writer.run);
    return pg_send(store, &query, err);
}

const struct postgres_operation postgres_reserve = {.send = reserve_send, .take = change_take};
