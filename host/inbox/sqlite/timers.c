/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Timers and schedules, in SQLite. */
#include "inbox/timers.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/sqlite/operations.h"

/* ---- FINISH_TIMERS ---- */

static int64_t count_others(struct sqlite_store *store, const struct inbox_finish *finish,
                            const char *key, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_TIMERS_OTHERS);
    query_text(&query, finish->plugin);
    query_text(&query, finish->installation);
    query_text(&query, key);
    int step = query_step(&query, err, "counting timers");
    return step < 0 ? -1 : sqlite3_column_int64(query.statement, 0);
}

/* 1 when there is no room for the timers, 0, -1. */
static int are_too_many(struct sqlite_store *store, const struct inbox_finish *finish,
                        struct error *err) {
    int64_t more = 0;
    for (size_t i = 0; i < finish->n_timers; i++) {
        if (!finish->timers[i].body) {
            continue;
        }
        int64_t others = count_others(store, finish, finish->timers[i].key, err);
        if (others < 0 || others + more >= INBOX_TIMERS_MAX) {
            return others < 0 ? -1 : 1;
        }
        more++;
    }
    return 0;
}

static int change_timer(struct sqlite_store *store, const struct inbox_finish *finish,
                        const struct inbox_timer_change *timer, struct error *err) {
    AUTO_QUERY struct query query =
        query_begin(store, timer->body ? SQL_TIMER_SET : SQL_TIMER_CANCEL);
    query_text(&query, finish->plugin);
    query_text(&query, finish->installation);
    query_text(&query, timer->key);
    if (timer->body) {
        query_number(&query, timer->due_ms);
        query_text(&query, timer->guid);
        query_blob(&query, timer->body, timer->body_bytes);
    }
    return query_run(&query, err, "setting a timer");
}

int sqlite_finish_timers(struct sqlite_store *store, struct inbox_operation *operation,
                         struct error *err) {
    const struct inbox_finish *finish =
        CONTAINER_OF(operation, const struct inbox_finish, operation);
    int full = are_too_many(store, finish, err);
    if (full != 0) {
        return full < 0 ? -1 : INBOX_TIMERS_FULL;
    }
    int result = sqlite_finish(store, operation, err);
    for (size_t i = 0; i < finish->n_timers && result == 0; i++) {
        result = change_timer(store, finish, &finish->timers[i], err);
    }
    return result;
}

/* ---- TIMERS_DUE ---- */

int sqlite_timers_due(struct sqlite_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct inbox_timers_due *due = CONTAINER_OF(operation, struct inbox_timers_due, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_TIMERS_DUE);
    query_number(&query, due->now_ms);
    query_text(&query, due->plugins);
    query_number(&query, due->most);
    int step;
    while ((step = query_step(&query, err, "looking for timers that are due")) > 0) {
        struct inbox_due_timer *timer = ARRAY_ADD(due->timers, due->n_timers);
        if (!timer) {
            return sqlite_no_memory(store, err, "looking for timers that are due");
        }
        timer->id = sqlite3_column_int64(query.statement, 0);
        column_copy(query.statement, 1, timer->plugin, sizeof timer->plugin);
        column_copy(query.statement, 2, timer->installation, sizeof timer->installation);
        column_copy(query.statement, 3, timer->guid, sizeof timer->guid);
        timer->due_ms = sqlite3_column_int64(query.statement, 4);
        size_t bytes = (size_t)sqlite3_column_bytes(query.statement, 5);
        timer->body = (struct buffer)BUFFER_INIT(bytes);
        if (buffer_append(&timer->body, sqlite3_column_blob(query.statement, 5), bytes) < 0) {
            return sqlite_no_memory(store, err, "looking for timers that are due");
        }
    }
    return step;
}

/* ---- FIRE ---- */

/* 1 when this call deleted the timer. */
static int take_timer(struct sqlite_store *store, const struct inbox_put *put, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_TIMER_TAKE);
    query_number(&query, put->firing->timer);
    query_text(&query, put->guid);
    return query_run(&query, err, "taking a timer") < 0 ? -1 : sqlite3_changes(store->db) > 0;
}

/* 1 and the last firing; 0 when the store has not seen the schedule and target; -1. */
static int find_slot(struct sqlite_store *store, const struct inbox_put *put,
                     char guid[INBOX_GUID_MAX + 1], struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_SLOT_FIND);
    query_text(&query, put->firing->plugin);
    query_text(&query, put->firing->schedule);
    query_text(&query, put->installation);
    query_text(&query, put->firing->repository);
    int step = query_step(&query, err, "looking for a schedule's last slot");
    if (step > 0) {
        column_copy(query.statement, 1, guid, INBOX_GUID_MAX + 1);
    }
    return step;
}

static int is_unfinished(struct sqlite_store *store, const char *guid, const char *plugin,
                         struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_FIRING_UNFINISHED);
    query_text(&query, guid);
    query_text(&query, plugin);
    return query_step(&query, err, "looking for a schedule's last run");
}

/* 1 when the slot was free. */
static int set_slot(struct sqlite_store *store, const struct inbox_put *put, const char *guid,
                    struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_SLOT_TAKE);
    query_text(&query, put->firing->plugin);
    query_text(&query, put->firing->schedule);
    query_text(&query, put->installation);
    query_text(&query, put->firing->repository);
    query_number(&query, put->firing->slot_ms);
    query_text(&query, guid);
    return query_run(&query, err, "taking a schedule's slot") < 0 ? -1
                                                                  : sqlite3_changes(store->db) > 0;
}

/* 0 when the put may go on; else the operation's result. */
static int take_slot(struct sqlite_store *store, const struct inbox_put *put, struct error *err) {
    char last[INBOX_GUID_MAX + 1] = "";
    int seen = find_slot(store, put, last, err);
    int busy = seen > 0 ? is_unfinished(store, last, put->firing->plugin, err) : 0;
    if (seen < 0 || busy < 0) {
        return -1;
    }
    int taken = set_slot(store, put, seen && !busy ? put->guid : last, err);
    if (taken <= 0) {
        return taken < 0 ? -1 : INBOX_DUPLICATE;
    }
    if (!seen) {
        return INBOX_FIRE_FIRST;
    }
    return busy ? INBOX_FIRE_BUSY : 0;
}

int sqlite_fire(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    const struct inbox_put *put = CONTAINER_OF(operation, const struct inbox_put, operation);
    int result;
    if (put->firing->timer) {
        int taken = take_timer(store, put, err);
        result = taken == 0 ? INBOX_DUPLICATE : 0;
        result = taken < 0 ? -1 : result;
    } else {
        result = take_slot(store, put, err);
    }
    return result != 0 ? result : sqlite_put(store, operation, err);
}

/* ---- the app or the plugin is gone ---- */

int sqlite_uninstall_timers(struct sqlite_store *store, const char *installation,
                            struct error *err) {
    static const enum sqlite_sql steps[] = {SQL_TIMERS_UNINSTALL, SQL_SLOTS_UNINSTALL};
    for (size_t i = 0; i < 2; i++) {
        AUTO_QUERY struct query query = query_begin(store, steps[i]);
        query_text(&query, installation);
        if (query_run(&query, err, "ending timers") < 0) {
            return -1;
        }
    }
    return 0;
}

int sqlite_forget_timers(struct sqlite_store *store, const struct inbox_prune *prune,
                         struct error *err) {
    static const enum sqlite_sql steps[] = {SQL_TIMERS_FORGET, SQL_SLOTS_FORGET};
    for (size_t i = 0; i < 2; i++) {
        AUTO_QUERY struct query query = query_begin(store, steps[i]);
        query_number(&query, i == 0 ? prune->done_before_ms : prune->forget_before_ms);
        query_text(&query, prune->configured);
        if (query_run(&query, err, "forgetting timers") < 0) {
            return -1;
        }
    }
    return 0;
}
