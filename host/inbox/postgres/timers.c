/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Timers and schedules, in PostgreSQL. */
#include "inbox/timers.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/postgres/operations.h"

/* Runs a statement whose rows do not matter: how many rows it changed, or -1. */
static int64_t change(struct postgres_store *store, struct pg_query *query, struct error *err,
                      const char *what) {
    AUTO_RESULT PGresult *result = NULL;
    return pg_ask(store, query, &result, err, what) < 0 ? -1 : pg_changed(result);
}

/* ---- FINISH_TIMERS ---- */

static int64_t count_others(struct postgres_store *store, const struct inbox_finish *finish,
                            const char *key, struct error *err) {
    int64_t others = 0;
    struct pg_query query = pg_query_begin(PG_SQL_TIMERS_OTHERS);
    pg_query_text(&query, finish->plugin);
    pg_query_text(&query, finish->installation);
    pg_query_text(&query, key);
    return pg_ask_number(store, &query, &others, err, "counting timers") < 0 ? -1 : others;
}

/* 1 when there is no room for the timers, 0, -1. */
static int are_too_many(struct postgres_store *store, const struct inbox_finish *finish,
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

static int change_timer(struct postgres_store *store, const struct inbox_finish *finish,
                        const struct inbox_timer_change *timer, struct error *err) {
    struct pg_query query = pg_query_begin(timer->body ? PG_SQL_TIMER_SET : PG_SQL_TIMER_CANCEL);
    pg_query_text(&query, finish->plugin);
    pg_query_text(&query, finish->installation);
    pg_query_text(&query, timer->key);
    if (timer->body) {
        pg_query_number(&query, timer->due_ms);
        pg_query_text(&query, timer->guid);
        pg_query_blob(&query, timer->body, timer->body_bytes);
    }
    return change(store, &query, err, "setting a timer") < 0 ? -1 : 0;
}

static int finish_settle(struct postgres_store *store, struct inbox_operation *operation,
                         struct error *err) {
    struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    int full = are_too_many(store, finish, err);
    if (full != 0) {
        operation->result = INBOX_TIMERS_FULL;
        return full < 0 ? -1 : 0;
    }
    int result = postgres_finish_now(store, finish, err);
    for (size_t i = 0; i < finish->n_timers && result == 0; i++) {
        result = change_timer(store, finish, &finish->timers[i], err);
    }
    operation->result = result;
    return result < 0 ? -1 : 0;
}

const struct postgres_operation postgres_finish_timers = {.settle = finish_settle};

/* ---- TIMERS_DUE ---- */

static int due_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_timers_due *due =
        CONTAINER_OF(operation, const struct inbox_timers_due, operation);
    struct pg_query query = pg_query_begin(PG_SQL_TIMERS_DUE);
    pg_query_number(&query, due->now_ms);
    pg_query_text(&query, due->plugins);
    pg_query_number(&query, due->most);
    return pg_send(store, &query, err);
}

static int due_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)nth;
    struct inbox_timers_due *due = CONTAINER_OF(operation, struct inbox_timers_due, operation);
    for (int row = 0; row < PQntuples(result); row++) {
        struct inbox_due_timer *timer = ARRAY_ADD(due->timers, due->n_timers);
        if (!timer) {
            return pg_no_memory(store, err, "looking for timers that are due");
        }
        timer->id = pg_number(result, row, 0);
        pg_copy(result, row, 1, timer->plugin, sizeof timer->plugin);
        pg_copy(result, row, 2, timer->installation, sizeof timer->installation);
        pg_copy(result, row, 3, timer->guid, sizeof timer->guid);
        timer->due_ms = pg_number(result, row, 4);
        size_t bytes = (size_t)PQgetlength(result, row, 5);
        timer->body = (struct buffer)BUFFER_INIT(bytes);
        if (buffer_append(&timer->body, PQgetvalue(result, row, 5), bytes) < 0) {
            return pg_no_memory(store, err, "looking for timers that are due");
        }
    }
    return 0;
}

const struct postgres_operation postgres_timers_due = {.send = due_send, .take = due_take};

/* ---- FIRE ---- */

/* 1 when this call deleted the timer. */
static int64_t take_timer(struct postgres_store *store, const struct inbox_put *put,
                          struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_TIMER_TAKE);
    pg_query_number(&query, put->firing->timer);
    pg_query_text(&query, put->guid);
    return change(store, &query, err, "taking a timer");
}

static void bind_slot(struct pg_query *query, const struct inbox_put *put) {
    pg_query_text(query, put->firing->plugin);
    pg_query_text(query, put->firing->schedule);
    pg_query_text(query, put->installation);
    pg_query_text(query, put->firing->repository);
}

/* 1 and the last firing; 0 when the store has not seen the schedule and target; -1. */
static int find_slot(struct postgres_store *store, const struct inbox_put *put,
                     char guid[INBOX_GUID_MAX + 1], struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_SLOT_FIND);
    bind_slot(&query, put);
    if (pg_ask(store, &query, &result, err, "looking for a schedule's last slot") < 0) {
        return -1;
    }
    if (PQntuples(result) > 0) {
        pg_copy(result, 0, 1, guid, INBOX_GUID_MAX + 1);
    }
    return PQntuples(result) > 0;
}

static int is_unfinished(struct postgres_store *store, const char *guid, const char *plugin,
                         struct error *err) {
    int64_t run;
    struct pg_query query = pg_query_begin(PG_SQL_FIRING_UNFINISHED);
    pg_query_text(&query, guid);
    pg_query_text(&query, plugin);
    return pg_ask_number(store, &query, &run, err, "looking for a schedule's last run");
}

/* More than 0 when the slot was free. Two hosts may try at the same time: the second waits for the
 * first one's commit, and then changes nothing. */
static int64_t set_slot(struct postgres_store *store, const struct inbox_put *put, const char *guid,
                        struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_SLOT_TAKE);
    bind_slot(&query, put);
    pg_query_number(&query, put->firing->slot_ms);
    pg_query_text(&query, guid);
    return change(store, &query, err, "taking a schedule's slot");
}

/* 0 when the put may go on; else the operation's result. */
static int take_slot(struct postgres_store *store, const struct inbox_put *put, struct error *err) {
    char last[INBOX_GUID_MAX + 1] = "";
    int seen = find_slot(store, put, last, err);
    int busy = seen > 0 ? is_unfinished(store, last, put->firing->plugin, err) : 0;
    if (seen < 0 || busy < 0) {
        return -1;
    }
    int64_t taken = set_slot(store, put, seen && !busy ? put->guid : last, err);
    if (taken <= 0) {
        return taken < 0 ? -1 : INBOX_DUPLICATE;
    }
    if (!seen) {
        return INBOX_FIRE_FIRST;
    }
    return busy ? INBOX_FIRE_BUSY : 0;
}

static int fire_settle(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    int result;
    if (put->firing->timer) {
        int64_t taken = take_timer(store, put, err);
        result = taken == 0 ? INBOX_DUPLICATE : 0;
        result = taken < 0 ? -1 : result;
    } else {
        result = take_slot(store, put, err);
    }
    if (result < 0) {
        return -1;
    }
    operation->result = result;
    return result > 0 ? 0 : postgres_put_now(store, put, err);
}

const struct postgres_operation postgres_fire = {.settle = fire_settle};

/* ---- the app or the plugin is gone ---- */

int postgres_send_uninstall_timers(struct postgres_store *store, const char *installation,
                                   struct error *err) {
    static const enum postgres_sql steps[] = {PG_SQL_TIMERS_UNINSTALL, PG_SQL_SLOTS_UNINSTALL};
    for (size_t i = 0; i < 2; i++) {
        struct pg_query query = pg_query_begin(steps[i]);
        pg_query_text(&query, installation);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int postgres_forget_timers(struct postgres_store *store, const struct inbox_prune *prune,
                           struct error *err) {
    static const enum postgres_sql steps[] = {PG_SQL_TIMERS_FORGET, PG_SQL_SLOTS_FORGET};
    for (size_t i = 0; i < 2; i++) {
        struct pg_query query = pg_query_begin(steps[i]);
        pg_query_number(&query, i == 0 ? prune->done_before_ms : prune->forget_before_ms);
        pg_query_text(&query, prune->configured);
        if (change(store, &query, err, "forgetting timers") < 0) {
            return -1;
        }
    }
    return 0;
}
