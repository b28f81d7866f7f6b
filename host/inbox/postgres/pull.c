/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The place of pull mode, in PostgreSQL. */
#include "inbox/pull.h"

#include "base/list.h"
#include "inbox/postgres/operations.h"

static int begin_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_pull_begin *begin =
        CONTAINER_OF(operation, const struct inbox_pull_begin, operation);
    struct pg_query query = pg_query_begin(PG_SQL_PULL_BEGIN);
    pg_query_number(&query, begin->now_ms);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_PULL_PLACE);
    return pg_send(store, &query, err);
}

static int begin_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)store, (void)err;
    struct inbox_pull_begin *begin = CONTAINER_OF(operation, struct inbox_pull_begin, operation);
    if (nth == 1) {
        begin->place = (struct inbox_pull_place){
            .started_ms = pg_number(result, 0, 0),
            .oldest_ms = pg_number(result, 0, 1),
            .place_ms = pg_number(result, 0, 2),
            .full_ms = pg_number(result, 0, 3),
        };
    }
    return 0;
}

const struct postgres_operation postgres_pull_begin = {.send = begin_send, .take = begin_take};

static int send_note(struct postgres_store *store, const struct inbox_pull_entry *entry,
                     struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_PULL_NOTE);
    pg_query_number(&query, entry->id);
    pg_query_text(&query, entry->guid);
    pg_query_text(&query, entry->event);
    pg_query_number(&query, entry->redelivery);
    pg_query_number(&query, entry->delivered_ms);
    pg_query_number(&query, entry->wanted);
    pg_query_number(&query, entry->once);
    return pg_send(store, &query, err);
}

static int note_send(struct postgres_store *store, struct inbox_operation *operation,
                     struct error *err) {
    const struct inbox_pull_note *notes =
        CONTAINER_OF(operation, const struct inbox_pull_note, operation);
    for (size_t i = 0; i < notes->n_entries; i++) {
        if (send_note(store, &notes->entries[i], err) < 0) {
            return -1;
        }
    }
    if (notes->place_ms == 0 && notes->full_ms == 0) {
        return 0;
    }
    struct pg_query query = pg_query_begin(PG_SQL_PULL_MOVE);
    pg_query_number(&query, notes->place_ms);
    pg_query_number(&query, notes->full_ms);
    return pg_send(store, &query, err);
}

const struct postgres_operation postgres_pull_note = {.send = note_send};

static int due_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_pull_due *due =
        CONTAINER_OF(operation, const struct inbox_pull_due, operation);
    struct pg_query query = pg_query_begin(PG_SQL_PULL_WAITING);
    pg_query_number(&query, due->now_ms);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_PULL_DUE);
    pg_query_number(&query, due->now_ms);
    pg_query_number(&query, (int64_t)due->most);
    return pg_send(store, &query, err);
}

static int due_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)store, (void)err;
    struct inbox_pull_due *due = CONTAINER_OF(operation, struct inbox_pull_due, operation);
    if (nth == 0) {
        due->n_total = pg_number(result, 0, 0);
        due->next_due_ms = pg_number(result, 0, 1);
        if (due->next_due_ms == 0) {
            due->next_due_ms = INT64_MAX;
        }
        due->oldest_ms = due->n_total > 0 ? pg_number(result, 0, 2) : INT64_MAX;
        return 0;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct inbox_pull_waiting *waiting = &due->waiting[due->n_waiting++];
        *waiting = (struct inbox_pull_waiting){
            .id = pg_number(result, row, 0),
            .redelivery = pg_number(result, row, 3) != 0,
            .delivered_ms = pg_number(result, row, 4),
            .attempts = pg_number(result, row, 5),
        };
        pg_copy(result, row, 1, waiting->guid, sizeof waiting->guid);
        pg_copy(result, row, 2, waiting->event, sizeof waiting->event);
    }
    return 0;
}

const struct postgres_operation postgres_pull_due = {.send = due_send, .take = due_take};

static int fail_send(struct postgres_store *store, struct inbox_operation *operation,
                     struct error *err) {
    const struct inbox_pull_fail *failed =
        CONTAINER_OF(operation, const struct inbox_pull_fail, operation);
    struct pg_query query = pg_query_begin(PG_SQL_PULL_FAIL);
    pg_query_number(&query, failed->due_ms);
    pg_query_number(&query, failed->id);
    return pg_send(store, &query, err);
}

const struct postgres_operation postgres_pull_fail = {.send = fail_send};

static int forget_send(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    (void)operation;
    struct pg_query query = pg_query_begin(PG_SQL_PULL_FORGET);
    return pg_send(store, &query, err);
}

const struct postgres_operation postgres_pull_forget = {.send = forget_send};
