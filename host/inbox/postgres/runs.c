/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs, in PostgreSQL: renewed, finished, counted. */
#include "inbox/postgres/operations.h"

#include "base/list.h"
#include "inbox/stats.h"

#include <assert.h>
#include <stdlib.h>

/* ---- leases ---- */

static int renew_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_renew *renew = CONTAINER_OF(operation, struct inbox_renew, operation);
    AUTO_FREE int64_t *runs = calloc(renew->n_held + 1, sizeof *runs);
    AUTO_FREE int64_t *tokens = calloc(renew->n_held + 1, sizeof *tokens);
    if (!runs || !tokens) {
        return pg_no_memory(store, err, "renewing leases");
    }
    for (size_t i = 0; i < renew->n_held; i++) {
        runs[i] = renew->held[i].run;
        tokens[i] = renew->held[i].token;
    }
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_RENEW);
    pg_query_number(&query, renew->lease_ms);
    pg_query_take(&query, store_list_numbers("{}", runs, renew->n_held));
    pg_query_take(&query, store_list_numbers("{}", tokens, renew->n_held));
    return pg_send(store, &query, err);
}

static int renew_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    struct inbox_renew *renew = CONTAINER_OF(operation, struct inbox_renew, operation);
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < renew->n_held; i++) {
            struct inbox_held *held = &renew->held[i];
            held->ours = held->ours || (held->run == pg_number(result, row, 0) &&
                                        held->token == pg_number(result, row, 1));
        }
    }
    return 0;
}

const struct postgres_operation postgres_renew = {.send = renew_send, .take = renew_take};

static int lease_check_send(struct postgres_store *store, struct inbox_operation *operation,
                            struct error *err) {
    const struct inbox_lease_check *check =
        CONTAINER_OF(operation, struct inbox_lease_check, operation);
    struct pg_query query = pg_query_begin(PG_SQL_RUN_LEASE_CHECK);
    pg_query_number(&query, check->lease_ms);
    pg_query_number(&query, check->run);
    pg_query_number(&query, check->token);
    return pg_send(store, &query, err);
}

/* Takes the result of a statement that names a run and its token. No row means that this host does
 * not hold the run any more. */
static int leased_take(struct postgres_store *store, struct inbox_operation *operation,
                       unsigned nth, PGresult *result, struct error *err) {
    (void)store, (void)err;
    if (nth == 0) {
        bool granted = PQntuples(result) > 0 && pg_number(result, 0, 0) > 0; /* of PARK */
        operation->result = granted ? INBOX_GRANTED : 0;
        if (pg_changed(result) == 0) {
            operation->result = INBOX_STALE;
        }
    }
    return 0;
}

const struct postgres_operation postgres_lease_check = {.send = lease_check_send,
                                                        .take = leased_take};

/* ---- FINISH ---- */

static const enum postgres_sql cuts[] = {PG_SQL_JOURNAL_CUT_BACK, PG_SQL_JOURNAL_CUT_RESPONSES};

static bool may_be_superseded(const struct inbox_finish *finish) {
    return finish->coalesce_key && inbox_finish_is_queued(finish);
}

/* Statements before those of the run. */
#define ATTEMPT_STATEMENTS 2

static int send_attempt(struct postgres_store *store, const struct inbox_finish *finish,
                        struct error *err) {
    const char *how = store_attempt_how(finish->how);
    if (!how) {
        return 0;
    }
    struct pg_query query = pg_query_begin(PG_SQL_ATTEMPT_ADD);
    pg_query_number(&query, finish->now_ms);
    pg_query_text(&query, how);
    pg_query_shown(&query, finish->label);
    pg_query_shown(&query, finish->reason);
    pg_query_number(&query, finish->run);
    pg_query_number(&query, finish->token);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_ATTEMPTS_CUT);
    pg_query_number(&query, finish->run);
    return pg_send(store, &query, err);
}

/* A run that another host may take now keeps its due time, which may be long ago. */
static void note_again(struct postgres_store *store, const struct inbox_finish *finish) {
    if (finish->due_ms <= finish->now_ms) {
        postgres_queued(store, finish->plugin, finish->due_ms);
    } else {
        turns_queued(&store->turns, finish->plugin, finish->due_ms);
    }
}

static int finish_send(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    const struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    bool parks = finish->how == INBOX_PARK;
    bool again = inbox_finish_is_queued(finish);
    enum postgres_sql sql = again ? PG_SQL_RUN_AGAIN : PG_SQL_RUN_END;
    if (send_attempt(store, finish, err) < 0 ||
        (may_be_superseded(finish) && postgres_send_superseded(store, finish, err) < 0)) {
        return -1;
    }
    struct pg_query query = pg_query_begin(parks ? PG_SQL_RUN_PARK : sql);
    if (again) {
        pg_query_bool(&query, finish->keeps_place);
    }
    if (again || parks) {
        note_again(store, finish);
        pg_query_number(&query, finish->how != INBOX_RETRY);
        pg_query_number(&query, finish->due_ms);
        if (again) {
            pg_query_number(&query, finish->waited_ms);
        }
    } else {
        pg_query_text(&query, finish->how == INBOX_DONE ? "done" : "dead");
        pg_query_number(&query, finish->now_ms);
    }
    pg_query_shown(&query, finish->label);
    pg_query_shown(&query, finish->reason);
    pg_query_bool(&query, finish->suspect);
    pg_query_number(&query, finish->crashes);
    pg_query_number(&query, finish->run);
    pg_query_number(&query, finish->token);
    if (pg_send(store, &query, err) < 0 ||
        (finish->order_key[0] &&
         postgres_send_promote(store, finish->plugin, finish->order_key, err) < 0)) {
        return -1;
    }
    for (size_t i = 0; finish->how == INBOX_DONE && finish->has_journal && i < 2; i++) {
        query = pg_query_begin(cuts[i]);
        pg_query_number(&query, finish->run);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int finish_take(struct postgres_store *store, struct inbox_operation *operation,
                       unsigned nth, PGresult *result, struct error *err) {
    struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    if (store_attempt_how(finish->how)) {
        if (nth < ATTEMPT_STATEMENTS) {
            return 0;
        }
        nth -= ATTEMPT_STATEMENTS;
    }
    bool first = nth == 0;
    if (may_be_superseded(finish)) {
        if (first) {
            operation->result = pg_changed(result) > 0 ? INBOX_SUPERSEDED : 0;
            return 0;
        }
        nth--;
    }
    if (nth == 0 && operation->result == INBOX_SUPERSEDED) {
        return 0;
    }
    if (nth == 1 && finish->order_key[0] && PQntuples(result) > 0) {
        finish->next_due_ms = pg_number(result, 0, 0);
        postgres_queued(store, finish->plugin, finish->next_due_ms);
    }
    return leased_take(store, operation, nth, result, err);
}

static void begin_end(struct pg_query *query, const struct inbox_finish *finish) {
    *query = pg_query_begin(PG_SQL_RUN_END);
    pg_query_text(query, "done");
    pg_query_number(query, finish->now_ms);
    pg_query_shown(query, finish->label);
    pg_query_shown(query, finish->reason);
    pg_query_bool(query, finish->suspect);
    pg_query_number(query, finish->crashes);
    pg_query_number(query, finish->run);
    pg_query_number(query, finish->token);
}

int postgres_finish_now(struct postgres_store *store, struct inbox_finish *finish,
                        struct error *err) {
    AUTO_RESULT PGresult *ended = NULL;
    struct pg_query query;
    assert(finish->how == INBOX_DONE);
    begin_end(&query, finish);
    if (pg_ask(store, &query, &ended, err, "finishing a run") < 0) {
        return -1;
    }
    if (pg_changed(ended) == 0) {
        return INBOX_STALE;
    }
    if (finish->order_key[0]) {
        query = pg_query_begin(PG_SQL_ORDER_PROMOTE);
        pg_query_text(&query, finish->plugin);
        pg_query_text(&query, finish->order_key);
        int promoted = pg_ask_number(store, &query, &finish->next_due_ms, err,
                                     "looking for the next run of a key");
        if (promoted < 0) {
            return -1;
        }
        if (promoted > 0) {
            postgres_queued(store, finish->plugin, finish->next_due_ms);
        }
    }
    for (size_t i = 0; finish->has_journal && i < 2; i++) {
        AUTO_RESULT PGresult *result = NULL;
        query = pg_query_begin(cuts[i]);
        pg_query_number(&query, finish->run);
        if (pg_ask(store, &query, &result, err, "cutting a journal") < 0) {
            return -1;
        }
    }
    return 0;
}

const struct postgres_operation postgres_finish = {.send = finish_send, .take = finish_take};

/* ---- STATS ---- */

static int stats_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_STATS);
    pg_query_text(&query, CONTAINER_OF(operation, struct inbox_stats, operation)->configured);
    return pg_send(store, &query, err);
}

static int64_t number_or_zero(const PGresult *result, int column) {
    return PQgetisnull(result, 0, column) ? 0 : pg_number(result, 0, column);
}

void postgres_read_stats(struct inbox_stats *stats, PGresult *result) {
    stats->queued = pg_number(result, 0, 0);
    stats->running = pg_number(result, 0, 1);
    stats->dead = pg_number(result, 0, 2);
    stats->in_doubt = pg_number(result, 0, 3);
    stats->oldest_due_ms = PQgetisnull(result, 0, 4) ? INT64_MAX : pg_number(result, 0, 4);
    stats->parked = pg_number(result, 0, 5);
    stats->blocked = pg_number(result, 0, 6);
    stats->not_configured = pg_number(result, 0, 7);
    stats->held = pg_number(result, 0, 8);
    store_split_waiting(stats, pg_number(result, 0, 9), pg_number(result, 0, 10));
    stats->timers = pg_number(result, 0, 11);
    stats->oldest_in_doubt_ms = number_or_zero(result, 12);
    stats->oldest_waiting_ms = number_or_zero(result, 13);
}

static int stats_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    postgres_read_stats(CONTAINER_OF(operation, struct inbox_stats, operation), result);
    return 0;
}

const struct postgres_operation postgres_stats = {.send = stats_send, .take = stats_take};
