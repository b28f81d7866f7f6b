/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The maintenance of the PostgreSQL store: pruning, and counting requested redeliveries. The server
 * uses the space of pruned rows again after a vacuum. */
#include "inbox/maintenance.h"

#include "base/array.h"
#include "inbox/postgres/operations.h"

#include <stdlib.h>

/* PRUNE */

/* Returns the ids of the deliveries that may be pruned, as an SQL array that the caller frees. */
static char *look(struct inbox_prune *prune, const PGresult *result) {
    struct buffer ids = BUFFER_INIT((size_t)prune->most * 24 + 2);
    uint64_t bytes = 0;
    int failed = buffer_append_text(&ids, "{"), row;
    for (row = 0; row < PQntuples(result); row++) {
        uint64_t size = (uint64_t)pg_number(result, row, 2);
        bool prunable = pg_bool(result, row, 3);
        if (prunable && prune->bodies > 0 && bytes + size > prune->most_bytes) {
            break;
        }
        prune->next.received_ms = pg_number(result, row, 0);
        prune->next.delivery = pg_number(result, row, 1);
        if (prunable) {
            failed |= buffer_printf(&ids, prune->bodies > 0 ? ",%lld" : "%lld",
                                    (long long)prune->next.delivery);
            prune->bodies++;
            bytes += size;
        }
    }
    prune->more = row < PQntuples(result) || (uint32_t)row == prune->most;
    if (buffer_append_text(&ids, "}") < 0 || failed) {
        buffer_finish(&ids);
        return NULL;
    }
    return buffer_steal(&ids);
}

/* Asks which deliveries come next. Returns the ids of those that may be pruned, as look() does. */
static char *ask_look(struct postgres_store *store, struct inbox_prune *prune, struct error *err) {
    static const char what[] = "looking for bodies to prune";
    AUTO_RESULT PGresult *looked = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_PRUNE_LOOK);
    pg_query_number(&query, prune->after.received_ms);
    pg_query_number(&query, prune->after.delivery);
    pg_query_number(&query, prune->done_before_ms);
    pg_query_number(&query, prune->dead_before_ms);
    pg_query_number(&query, prune->most);
    if (pg_ask(store, &query, &looked, err, what) < 0) {
        return NULL;
    }
    char *ids = look(prune, looked);
    if (!ids) {
        (void)pg_no_memory(store, err, what);
    }
    return ids;
}

/* The statements of a step, which go to the server in one batch. LOCK locks the rows before BODIES
 * decides, because another host may receive the GUID again at the same time, or an operator may
 * retry the runs. READS and RESPONSES delete the parts of journals that only a retry needs: a run
 * without a body cannot be retried. END ends runs whose plugin is not configured, if this step
 * looked at their deliveries. */
enum {
    LOCK,
    BODIES,
    READS,
    RESPONSES,
    END,
    FORGET,
    REDELIVERIES,
    LOOPS,
    PULLED,
    AUDIT,
    STATEMENTS,
};

static void bind_end(struct pg_query *query, const struct inbox_prune *prune) {
    pg_query_number(query, prune->now_ms);
    pg_query_text(query, prune->configured);
    pg_query_number(query, prune->after.received_ms);
    pg_query_number(query, prune->after.delivery);
    pg_query_number(query, prune->next.received_ms);
    pg_query_number(query, prune->next.delivery);
    pg_query_number(query, prune->done_before_ms);
}

/* Forgetting goes on where it was: the server would read all rows again that earlier steps deleted,
 * as long as another session's snapshot keeps them. But it may not pass the place from which this
 * step prunes bodies, because it forgets what has no body. */
static void bind_forget(struct pg_query *query, const struct inbox_prune *prune) {
    const struct inbox_prune_position *after = &prune->after;
    bool passed = after->forgotten_ms > after->received_ms ||
                  (after->forgotten_ms == after->received_ms && after->forgotten > after->delivery);
    pg_query_number(query, passed ? after->received_ms : after->forgotten_ms);
    pg_query_number(query, passed ? after->delivery : after->forgotten);
    pg_query_number(query, prune->forget_before_ms);
    pg_query_number(query, prune->most);
}

static void note_forgotten(struct inbox_prune *prune, const PGresult *result) {
    prune->forgotten = (uint32_t)PQntuples(result);
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t received_ms = pg_number(result, row, 0), id = pg_number(result, row, 1);
        if (received_ms > prune->next.forgotten_ms ||
            (received_ms == prune->next.forgotten_ms && id > prune->next.forgotten)) {
            prune->next.forgotten_ms = received_ms;
            prune->next.forgotten = id;
        }
    }
}

static void note_results(struct inbox_prune *prune, PGresult *const *results) {
    static const int bounded[] = {REDELIVERIES, LOOPS, PULLED, AUDIT};
    prune->bodies = (uint32_t)pg_changed(results[BODIES]);
    prune->ended = (uint32_t)pg_changed(results[END]);
    prune->audited = (uint32_t)pg_changed(results[AUDIT]);
    note_forgotten(prune, results[FORGET]);
    prune->more = prune->more || prune->forgotten == prune->most;
    for (size_t i = 0; i < ARRAY_LENGTH(bounded); i++) {
        prune->more = prune->more || (uint32_t)pg_changed(results[bounded[i]]) == prune->most;
    }
}

static int prune_batch(struct postgres_store *store, struct inbox_prune *prune, const char *ids,
                       struct error *err) {
    static const enum postgres_sql by_ids[] = {[LOCK] = PG_SQL_PRUNE_LOCK,
                                               [BODIES] = PG_SQL_PRUNE_BODIES,
                                               [READS] = PG_SQL_PRUNE_READS,
                                               [RESPONSES] = PG_SQL_PRUNE_RESPONSES};
    const struct {
        enum postgres_sql sql;
        int64_t before_ms;
    } by_time[] = {[REDELIVERIES] = {PG_SQL_PRUNE_REDELIVERIES, prune->forget_before_ms},
                   [LOOPS] = {PG_SQL_PRUNE_LOOPS, prune->forget_before_ms},
                   [PULLED] = {PG_SQL_PRUNE_PULLED, prune->pulled_before_ms},
                   [AUDIT] = {PG_SQL_PRUNE_AUDIT, prune->audit_before_ms}};
    struct pg_query queries[STATEMENTS];
    for (size_t i = LOCK; i <= RESPONSES; i++) {
        queries[i] = pg_query_begin(by_ids[i]);
        pg_query_text(&queries[i], ids);
    }
    pg_query_number(&queries[BODIES], prune->done_before_ms);
    pg_query_number(&queries[BODIES], prune->dead_before_ms);
    queries[END] = pg_query_begin(PG_SQL_RUNS_END_UNCONFIGURED);
    bind_end(&queries[END], prune);
    queries[FORGET] = pg_query_begin(PG_SQL_PRUNE_FORGET);
    bind_forget(&queries[FORGET], prune);
    for (size_t i = REDELIVERIES; i <= AUDIT; i++) {
        queries[i] = pg_query_begin(by_time[i].sql);
        pg_query_number(&queries[i], by_time[i].before_ms);
        pg_query_number(&queries[i], prune->most);
    }
    PGresult *results[STATEMENTS] = {NULL};
    if (pg_ask_all(store, queries, results, STATEMENTS, err, "pruning") < 0) {
        return -1;
    }
    note_results(prune, results);
    for (size_t i = 0; i < STATEMENTS; i++) {
        PQclear(results[i]);
    }
    return 0;
}

static const char looking[] = "looking for runs of plugins that are not configured";

/* 1 when the store has such runs, 0, -1. */
static int has_unwanted(struct postgres_store *store, const struct inbox_prune *prune,
                        struct error *err) {
    int64_t found;
    struct pg_query query = pg_query_begin(PG_SQL_UNWANTED);
    pg_query_text(&query, prune->configured);
    return pg_ask_number(store, &query, &found, err, looking);
}

/* `*last`: the last run of this step's marks; 0 when no run comes behind them. */
static int end_of_marks(struct postgres_store *store, const struct inbox_prune *prune,
                        int64_t *last, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_MARK_END);
    pg_query_number(&query, prune->after.marked);
    pg_query_text(&query, prune->configured);
    return pg_ask_number(store, &query, last, err, looking);
}

static int mark_unconfigured(struct postgres_store *store, struct inbox_prune *prune,
                             struct error *err) {
    int64_t last = 0;
    int any = prune->after.marked > 0;
    if (prune->after.marked == 0) {
        any = has_unwanted(store, prune, err);
    }
    if (any > 0) {
        any = end_of_marks(store, prune, &last, err);
    }
    prune->next.marked = last > 0 ? last : -1;
    if (any <= 0) {
        return any;
    }
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_MARK);
    pg_query_number(&query, prune->after.marked);
    pg_query_number(&query, last > 0 ? last : INT64_MAX);
    pg_query_text(&query, prune->configured);
    if (pg_ask(store, &query, &result, err, looking) < 0) {
        return -1;
    }
    prune->marked = (uint32_t)pg_changed(result);
    prune->more = prune->more || last > 0;
    return 0;
}

/* Among the runs that were ended may be some that held a key. */
static int repair_order(struct postgres_store *store, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_REPAIR);
    return pg_ask(store, &query, &result, err, "looking for runs that nothing blocks");
}

/* Each step also looks for what no configured plugin wants. */
static int settle_unconfigured(struct postgres_store *store, struct inbox_prune *prune,
                               struct error *err) {
    bool first = prune->after.steps == 0;
    if (!prune->configured) {
        return 0;
    }
    if (mark_unconfigured(store, prune, err) < 0 ||
        (first && postgres_forget_timers(store, prune, err) < 0)) {
        return -1;
    }
    return first || prune->ended > 0 ? repair_order(store, err) : 0;
}

static int prune_settle(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    struct inbox_prune *prune = CONTAINER_OF(operation, struct inbox_prune, operation);
    AUTO_FREE char *ids = ask_look(store, prune, err);
    return ids && prune_batch(store, prune, ids, err) == 0 ? settle_unconfigured(store, prune, err)
                                                           : -1;
}

const struct postgres_operation postgres_prune = {.settle = prune_settle};

/* ---- redeliveries ---- */

static int send_lack(struct postgres_store *store, const char *guid, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_FIND_MISSING);
    pg_query_text(&query, guid);
    return pg_send(store, &query, err);
}

static int find_missing_send(struct postgres_store *store, struct inbox_operation *operation,
                             struct error *err) {
    const struct inbox_find_missing *find =
        CONTAINER_OF(operation, struct inbox_find_missing, operation);
    for (size_t i = 0; i < find->n_guids; i++) {
        if (send_lack(store, find->guids[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int find_missing_take(struct postgres_store *store, struct inbox_operation *operation,
                             unsigned nth, PGresult *result, struct error *err) {
    (void)store, (void)err;
    const struct inbox_find_missing *find =
        CONTAINER_OF(operation, struct inbox_find_missing, operation);
    find->missing[nth] = pg_number(result, 0, 0) == 0;
    find->requests[nth] = (uint32_t)pg_number(result, 0, 1);
    find->requested_ms[nth] = pg_number(result, 0, 2);
    return 0;
}

const struct postgres_operation postgres_find_missing = {.send = find_missing_send,
                                                         .take = find_missing_take};

static int count_settle(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    const struct inbox_count_redelivery *ask =
        CONTAINER_OF(operation, struct inbox_count_redelivery, operation);
    AUTO_RESULT PGresult *found = NULL, *counted = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_FIND_MISSING);
    pg_query_text(&query, ask->guid);
    if (pg_ask(store, &query, &found, err, "reading the requested redeliveries") < 0) {
        return -1;
    }
    if (pg_number(found, 0, 0) > 0 || pg_number(found, 0, 1) >= ask->most) {
        operation->result =
            pg_number(found, 0, 0) > 0 ? INBOX_REDELIVERY_PRESENT : INBOX_REDELIVERY_EXHAUSTED;
        return 0;
    }
    query = pg_query_begin(PG_SQL_REDELIVERY_COUNT);
    pg_query_text(&query, ask->guid);
    pg_query_number(&query, ask->now_ms);
    operation->result = INBOX_REDELIVERY_COUNTED;
    return pg_ask(store, &query, &counted, err, "counting a redelivery");
}

const struct postgres_operation postgres_count_redelivery = {.settle = count_settle};

static int uncount_send(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    const struct inbox_uncount_redelivery *uncount =
        CONTAINER_OF(operation, struct inbox_uncount_redelivery, operation);
    struct pg_query query = pg_query_begin(PG_SQL_REDELIVERY_UNCOUNT);
    pg_query_number(&query, uncount->requested_ms);
    pg_query_text(&query, uncount->guid);
    return pg_send(store, &query, err);
}

const struct postgres_operation postgres_uncount_redelivery = {.send = uncount_send};

static int send_with_number(struct postgres_store *store, enum postgres_sql sql, int64_t number,
                            struct error *err) {
    struct pg_query query = pg_query_begin(sql);
    pg_query_number(&query, number);
    return pg_send(store, &query, err);
}

static int clock_set_back_send(struct postgres_store *store, struct inbox_operation *operation,
                               struct error *err) {
    struct inbox_clock_set_back *set =
        CONTAINER_OF(operation, struct inbox_clock_set_back, operation);
    int64_t last = set->after_run + INBOX_SET_BACK_STEP;
    operation->result = 0;
    if (set->after_run == 0 &&
        (send_with_number(store, PG_SQL_RUNS_OF_FUTURE, set->now_ms, err) < 0 ||
         (set->by_ms > 0 &&
          send_with_number(store, PG_SQL_RATE_LIMITS_SET_BACK, set->by_ms, err) < 0))) {
        return -1;
    }
    if (set->by_ms == 0) {
        return 0;
    }
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_SET_BACK);
    pg_query_number(&query, set->by_ms);
    pg_query_number(&query, set->now_ms);
    pg_query_number(&query, set->after_run);
    pg_query_number(&query, last);
    return pg_send(store, &query, err) < 0 ? -1
                                           : send_with_number(store, PG_SQL_RUNS_BEHIND, last, err);
}

/* Only the last statement of a step has rows. */
static int clock_set_back_take(struct postgres_store *store, struct inbox_operation *operation,
                               unsigned nth, PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    operation->result = PQntuples(result) > 0;
    return 0;
}

const struct postgres_operation postgres_clock_set_back = {.send = clock_set_back_send,
                                                           .take = clock_set_back_take};

/* ---- which host does the maintenance ---- */

static int elect_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_elect *elect = CONTAINER_OF(operation, struct inbox_elect, operation);
    struct pg_query query = pg_query_begin(PG_SQL_ELECT);
    pg_query_number(&query, elect->host);
    pg_query_number(&query, elect->lease_ms);
    pg_query_number(&query, atomic_load(&store->backend));
    if (pg_send(store, &query, err) < 0 || !elect->configured) {
        return store->lost ? -1 : 0;
    }
    query = pg_query_begin(PG_SQL_PLUGINS_CONFIGURED);
    pg_query_text(&query, elect->configured);
    pg_query_number(&query, INBOX_CONFIGURED_MS);
    return pg_send(store, &query, err);
}

static int elect_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    const struct inbox_elect *elect = CONTAINER_OF(operation, const struct inbox_elect, operation);
    (void)err;
    if (nth == 0) {
        operation->result = pg_changed(result) > 0;
        store->elected_host = operation->result > 0 ? elect->host : 0;
    }
    return 0;
}

const struct postgres_operation postgres_elect = {.send = elect_send, .take = elect_take};
