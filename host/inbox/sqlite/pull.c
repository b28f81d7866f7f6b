/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The place of pull mode, in SQLite. */
#include "inbox/pull.h"

#include "base/list.h"
#include "inbox/sqlite/operations.h"

int sqlite_pull_begin(struct sqlite_store *store, struct inbox_operation *operation,
                      struct error *err) {
    static const char what[] = "reading the place of pull mode";
    struct inbox_pull_begin *begin = CONTAINER_OF(operation, struct inbox_pull_begin, operation);
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_PULL_BEGIN);
        query_number(&query, begin->now_ms);
        if (query_run(&query, err, what) < 0) {
            return -1;
        }
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_PLACE);
    if (query_step(&query, err, what) < 0) {
        return -1;
    }
    begin->place = (struct inbox_pull_place){
        .started_ms = sqlite3_column_int64(query.statement, 0),
        .oldest_ms = sqlite3_column_int64(query.statement, 1),
        .place_ms = sqlite3_column_int64(query.statement, 2),
        .full_ms = sqlite3_column_int64(query.statement, 3),
    };
    return 0;
}

static int note(struct sqlite_store *store, const struct inbox_pull_entry *entry,
                struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_NOTE);
    query_number(&query, entry->id);
    query_text(&query, entry->guid);
    query_text(&query, entry->event);
    query_number(&query, entry->redelivery);
    query_number(&query, entry->delivered_ms);
    query_number(&query, entry->wanted);
    query_number(&query, entry->once);
    return query_run(&query, err, "noting an entry of GitHub's list");
}

int sqlite_pull_note(struct sqlite_store *store, struct inbox_operation *operation,
                     struct error *err) {
    const struct inbox_pull_note *notes =
        CONTAINER_OF(operation, const struct inbox_pull_note, operation);
    for (size_t i = 0; i < notes->n_entries; i++) {
        if (note(store, &notes->entries[i], err) < 0) {
            return -1;
        }
    }
    if (notes->place_ms == 0 && notes->full_ms == 0) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_MOVE);
    query_number(&query, notes->place_ms);
    query_number(&query, notes->full_ms);
    return query_run(&query, err, "storing the place of pull mode");
}

static int count_waiting(struct sqlite_store *store, struct inbox_pull_due *due,
                         struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_WAITING);
    query_number(&query, due->now_ms);
    if (query_step(&query, err, "counting entries of GitHub's list") < 0) {
        return -1;
    }
    due->n_total = sqlite3_column_int64(query.statement, 0);
    if (due->n_total > 0) {
        if (sqlite3_column_type(query.statement, 1) != SQLITE_NULL) {
            due->next_due_ms = sqlite3_column_int64(query.statement, 1);
        }
        due->oldest_ms = sqlite3_column_int64(query.statement, 2);
    }
    return 0;
}

int sqlite_pull_due(struct sqlite_store *store, struct inbox_operation *operation,
                    struct error *err) {
    struct inbox_pull_due *due = CONTAINER_OF(operation, struct inbox_pull_due, operation);
    int step;
    if (count_waiting(store, due, err) < 0) {
        return -1;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_DUE);
    query_number(&query, due->now_ms);
    query_number(&query, (int64_t)due->most);
    while ((step = query_step(&query, err, "reading entries of GitHub's list")) > 0) {
        struct inbox_pull_waiting *waiting = &due->waiting[due->n_waiting++];
        *waiting = (struct inbox_pull_waiting){
            .id = sqlite3_column_int64(query.statement, 0),
            .redelivery = sqlite3_column_int(query.statement, 3) != 0,
            .delivered_ms = sqlite3_column_int64(query.statement, 4),
            .attempts = sqlite3_column_int64(query.statement, 5),
        };
        column_copy(query.statement, 1, waiting->guid, sizeof waiting->guid);
        column_copy(query.statement, 2, waiting->event, sizeof waiting->event);
    }
    return step;
}

int sqlite_pull_fail(struct sqlite_store *store, struct inbox_operation *operation,
                     struct error *err) {
    const struct inbox_pull_fail *failed =
        CONTAINER_OF(operation, const struct inbox_pull_fail, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_FAIL);
    query_number(&query, failed->due_ms);
    query_number(&query, failed->id);
    return query_run(&query, err, "counting a failed attempt at an entry of GitHub's list");
}

int sqlite_pull_forget(struct sqlite_store *store, struct inbox_operation *operation,
                       struct error *err) {
    (void)operation;
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_FORGET);
    return query_run(&query, err, "forgetting the place of pull mode");
}

int sqlite_take_entry(struct sqlite_store *store, struct inbox_put *put, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PULL_TAKE);
    int step;
    query_number(&query, put->pulled);
    query_text(&query, put->guid);
    while ((step = query_step(&query, err, "marking an entry of GitHub's list")) > 0) {
        bool is_it = sqlite3_column_int64(query.statement, 0) == put->pulled;
        put->took_entry = put->took_entry || is_it;
    }
    return step;
}
