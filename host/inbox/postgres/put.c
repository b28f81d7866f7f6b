/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stores a delivery and queues its runs, in PostgreSQL. */
#include "inbox/common/codec.h"
#include "inbox/common/name_filter.h"
#include "inbox/postgres/operations.h"
#include "inbox/postgres/put_many.h"

#include "base/buffer.h"
#include "base/list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static char *list_coalesce_keys(const struct inbox_put *put) {
    AUTO_FREE int64_t *keys = calloc(put->n_runs + 1, sizeof *keys);
    for (size_t i = 0; keys && i < put->n_runs; i++) {
        keys[i] = put->runs[i].replaceable ? put->runs[i].coalesce_key : 0;
    }
    return keys ? store_list_numbers("{}", keys, put->n_runs) : NULL;
}

/* Binds the runs to insert: the plugins' names, one in each line; an array that says which runs are
 * leased; the host; the length of the lease; the first token; the keys, one in each line; and an
 * array of the coalesce_keys under which the runs may be replaced. */
static void bind_runs(struct pg_query *query, const struct inbox_put *put, bool seen) {
    struct buffer names = BUFFER_INIT(put->n_runs * (INBOX_NAME_MAX + 1));
    struct buffer leased = BUFFER_INIT(put->n_runs * 2 + 2);
    struct buffer keys = BUFFER_INIT(put->n_runs * (INBOX_ORDER_KEY_MAX + 1));
    int result = buffer_append_text(&leased, "{");
    for (size_t i = 0; i < put->n_runs; i++) {
        const struct inbox_put_run *run = &put->runs[i];
        result |= buffer_append_text(&names, i > 0 ? "\n" : "");
        result |= buffer_append_text(&names, run->plugin);
        char key[INBOX_ORDER_KEY_MAX + 1];
        inbox_order_key(put, run->order, key);
        result |= buffer_append_text(&keys, i > 0 ? "\n" : "");
        result |= buffer_append_text(&keys, key);
        result |= buffer_append_text(&leased, i > 0 ? "," : "");
        result |= buffer_append_text(&leased, run->leased && !seen ? "t" : "f");
    }
    result |= buffer_append_text(&leased, "}");
    pg_query_take(query, buffer_steal(&names));
    pg_query_take(query, buffer_steal(&leased));
    pg_query_number(query, put->host);
    pg_query_number(query, put->lease_ms);
    pg_query_number(query, put->first_token);
    pg_query_take(query, buffer_steal(&keys));
    pg_query_take(query, list_coalesce_keys(put));
    query->failed = query->failed || result != 0;
}

void postgres_take_id(struct inbox_put *put, const PGresult *result, int row, int column) {
    for (size_t i = 0; i < put->n_runs; i++) {
        if (strcmp(put->runs[i].plugin, pg_text(result, row, column + 1)) == 0) {
            bool running = strcmp(pg_text(result, row, column + 2), "running") == 0;
            put->runs[i].id = put->runs[i].leased && !running ? 0 : pg_number(result, row, column);
            put->runs[i].token = pg_number(result, row, column + 3);
        }
    }
}

static void take_ids(struct inbox_put *put, const PGresult *result, int column) {
    for (int row = 0; row < PQntuples(result); row++) {
        postgres_take_id(put, result, row, column);
    }
}

void postgres_note_queued(struct postgres_store *store, const struct inbox_put *put) {
    for (size_t i = 0; i < put->n_runs; i++) {
        if (put->runs[i].leased) {
            /* It may be queued all the same. */
            turns_queued(&store->turns, put->runs[i].plugin, put->due_ms);
        } else {
            postgres_queued(store, put->runs[i].plugin, put->due_ms);
        }
    }
}

static void bind_delivery(struct pg_query *query, const struct inbox_put *put) {
    pg_query_shown(query, put->event);
    pg_query_shown(query, put->action);
    pg_query_shown(query, put->installation);
    pg_query_shown(query, put->repository);
    pg_query_shown(query, put->sender);
    pg_query_text(query, put->item);
    pg_query_number(query, put->received_ms);
    pg_query_number(query, put->packed ? CODEC_LZ4 : CODEC_RAW);
    pg_query_number(query, (int64_t)put->body_bytes);
    pg_query_blob(query, put->packed ? put->packed : put->body,
                  put->packed ? put->packed_bytes : put->body_bytes);
}

/* Also for a duplicate, because the change of the installation is a fact. */
static int send_unpark(struct postgres_store *store, const struct inbox_put *put,
                       struct error *err) {
    bool ends = store_uninstalls(put);
    struct pg_query query = pg_query_begin(ends ? PG_SQL_RUNS_UNINSTALL : PG_SQL_RUNS_UNPARK);
    pg_query_number(&query, ends ? put->received_ms : put->due_ms);
    pg_query_text(&query, put->installation);
    pg_query_text(&query, put->guid);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    return ends ? postgres_send_uninstall_timers(store, put->installation, err) : 0;
}

static enum postgres_sql put_statement(const struct inbox_put *put) {
    if (put->n_runs == 0) {
        return PG_SQL_PUT_ALONE;
    }
    return put->n_runs == 1 && postgres_put_is_ordinary(put) ? PG_SQL_PUT_ONE : PG_SQL_PUT;
}

/* Of PG_SQL_PUT_ONE. */
static void bind_run(struct pg_query *query, const struct inbox_put *put) {
    assert(put->n_runs == 1);
    pg_query_text(query, put->runs[0].plugin);
    pg_query_bool(query, put->runs[0].leased);
    pg_query_number(query, put->host);
    pg_query_number(query, put->lease_ms);
    pg_query_number(query, put->first_token);
}

static void bind_put(struct pg_query *query, const struct inbox_put *put) {
    bind_delivery(query, put);
    pg_query_text(query, put->guid);
    if (put->n_runs > 0) {
        pg_query_number(query, put->due_ms);
    }
    if (query->sql == PG_SQL_PUT_ONE) {
        bind_run(query, put);
    } else if (put->n_runs > 0) {
        bind_runs(query, put, false);
    }
}

/* Marks the entry from which the delivery was pulled as handled. Another host waits here until this
 * one has committed. */
static int send_take(struct postgres_store *store, const struct inbox_put *put, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_PULL_TAKE);
    pg_query_number(&query, put->pulled);
    pg_query_text(&query, put->guid);
    return pg_send(store, &query, err);
}

static int put_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct pg_query query = pg_query_begin(put_statement(put));
    bind_put(&query, put);
    postgres_note_queued(store, put);
    if (pg_send(store, &query, err) < 0 || (put->pulled && send_take(store, put, err) < 0)) {
        return -1;
    }
    if (postgres_send_supersede(store, put, err) < 0) {
        return -1;
    }
    return store_grants(put) || store_uninstalls(put) ? send_unpark(store, put, err) : 0;
}

static int put_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    if (put->pulled && nth == 1) {
        for (int row = 0; row < PQntuples(result); row++) {
            put->took_entry = put->took_entry || pg_number(result, row, 0) == put->pulled;
        }
        return 0;
    }
    nth -= put->pulled && nth > 1;
    if (nth > 0) {
        int superseded = postgres_take_superseded(store, put, nth - 1, result, err);
        if (superseded != 0) {
            return superseded < 0 ? -1 : 0;
        }
        for (int row = 0; row < PQntuples(result); row++) {
            put->unparked += pg_number(result, row, 0);
        }
        return 0;
    }
    bool known = PQntuples(result) == 0;
    operation->result = known ? INBOX_DUPLICATE : INBOX_STORED;
    take_ids(put, result, 1);
    return known || put->fetched;
}

static int run_statement(struct postgres_store *store, struct pg_query *query, struct error *err,
                         const char *what) {
    AUTO_RESULT PGresult *result = NULL;
    return pg_ask(store, query, &result, err, what);
}

static int redeliver(struct postgres_store *store, struct inbox_put *put, int64_t delivery,
                     struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_JOURNALS_DROP);
    pg_query_number(&query, delivery);
    if (run_statement(store, &query, err, "dropping journals") < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_DELIVERY_REPLACE);
    bind_delivery(&query, put);
    pg_query_number(&query, delivery);
    if (run_statement(store, &query, err, "storing a delivery again") < 0) {
        return -1;
    }
    /* It may have other names and plugins now than its filter (console.h) has. */
    query = pg_query_begin(PG_SQL_CONSOLE + CONSOLE_FILTERS_OPEN);
    pg_query_blob(&query, name_filter_open, sizeof name_filter_open);
    pg_query_number(&query, delivery);
    if (run_statement(store, &query, err, "storing a delivery again") < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_RUNS_QUEUE);
    pg_query_number(&query, delivery);
    pg_query_number(&query, put->due_ms);
    bind_runs(&query, put, true);
    pg_query_text(&query, put->installation);
    if (pg_ask(store, &query, &result, err, "queueing runs again") < 0) {
        return -1;
    }
    take_ids(put, result, 0);
    return 0;
}

/* A payload that the host fetched was stored, or its GUID is known. */
static int settle_fetched(struct postgres_store *store, const struct inbox_put *put,
                          struct error *err) {
    if (put->operation.result != INBOX_STORED) {
        return 0;
    }
    struct pg_query query = pg_query_begin(PG_SQL_REDELIVERY_FETCHED);
    pg_query_text(&query, put->guid);
    return run_statement(store, &query, err, "counting a redelivery");
}

/* Is this arrival of a known GUID one that the host requested? 1 yes, 0 no, -1. */
static int was_requested(struct postgres_store *store, const struct inbox_put *put,
                         struct error *err) {
    int64_t duplicates;
    struct pg_query query = pg_query_begin(PG_SQL_REDELIVERY_ARRIVED);
    pg_query_text(&query, put->guid);
    return pg_ask_number(store, &query, &duplicates, err, "counting a redelivery");
}

/* The inbox has this GUID. Locks its row first: if two hosts receive it at the same time, only one
 * of them finds its runs finished. */
static int put_settle(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    int64_t delivery, run;
    if (put->pulled && !put->took_entry) {
        /* Another host has handled the entry: it stays a duplicate. */
        return 0;
    }
    if (put->fetched) {
        return settle_fetched(store, put, err);
    }
    struct pg_query query = pg_query_begin(PG_SQL_DELIVERY_LOCK);
    pg_query_text(&query, put->guid);
    int found = pg_ask_number(store, &query, &delivery, err, "looking for a delivery");
    if (found < 0) {
        return -1;
    }
    if (!found) {
        store->broken = false;
        return error_set(err, "storing a delivery: it was pruned at this moment; try again");
    }
    int requested = was_requested(store, put, err);
    if (requested != 0) {
        /* It stays a duplicate. */
        return requested < 0 ? -1 : 0;
    }
    query = pg_query_begin(PG_SQL_RUNS_UNFINISHED);
    pg_query_number(&query, delivery);
    pg_query_text(&query, put->configured);
    int unfinished = pg_ask_number(store, &query, &run, err, "looking for a delivery's runs");
    if (unfinished < 0) {
        return -1;
    }
    if (!unfinished) {
        operation->result = INBOX_REDELIVERED;
        return redeliver(store, put, delivery, err);
    }
    operation->result = INBOX_DUPLICATE;
    query = pg_query_begin(PG_SQL_RUNS_HASTEN);
    pg_query_number(&query, put->due_ms);
    pg_query_number(&query, delivery);
    return run_statement(store, &query, err, "making retries due");
}

const struct postgres_operation postgres_put = {
    .send = put_send, .take = put_take, .settle = put_settle};

int postgres_put_now(struct postgres_store *store, struct inbox_put *put, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(put_statement(put));
    bind_put(&query, put);
    postgres_note_queued(store, put);
    if (pg_ask(store, &query, &result, err, "storing") < 0) {
        return -1;
    }
    bool known = PQntuples(result) == 0;
    put->operation.result = known ? INBOX_DUPLICATE : INBOX_STORED;
    take_ids(put, result, 1);
    return known ? 0 : postgres_supersede(store, put, err);
}
