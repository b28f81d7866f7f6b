/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Holds of plugins, in PostgreSQL. */
#include "inbox/common/holds.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/postgres/operations.h"

#include <stdlib.h>

/* ---- HOLD_PUT ---- */

/* 1: there is such a hold; 0: there is none, and there is room for it; INBOX_HOLD_TOO_MANY; -1. */
static int look(struct postgres_store *store, const struct inbox_hold *hold, struct error *err) {
    int64_t number;
    struct pg_query query = pg_query_begin(PG_SQL_HOLD_FIND);
    pg_query_text(&query, hold->plugin);
    pg_query_text(&query, inbox_hold_scope_name(hold->scope));
    pg_query_text(&query, hold->value);
    pg_query_text(&query, inbox_hold_cause_name(hold->cause));
    pg_query_number(&query, hold->since_ms);
    AUTO_RESULT PGresult *found = NULL;
    if (pg_ask(store, &query, &found, err, "looking for a hold") < 0) {
        return -1;
    }
    if (PQntuples(found) > 0 || !hold_counts(hold)) {
        return PQntuples(found) > 0;
    }
    query = pg_query_begin(PG_SQL_HOLDS_COUNT);
    pg_query_number(&query, hold->since_ms);
    int counted = pg_ask_number(store, &query, &number, err, "counting holds");
    if (counted < 0) {
        return -1;
    }
    return number < INBOX_HOLDS_MAX ? 0 : INBOX_HOLD_TOO_MANY;
}

int postgres_write_hold(struct postgres_store *store, const struct inbox_hold *hold,
                        struct error *err) {
    enum { FORGET, PUT, STATEMENTS };
    struct pg_query queries[STATEMENTS] = {pg_query_begin(PG_SQL_HOLDS_FORGET),
                                           pg_query_begin(PG_SQL_HOLD_PUT)};
    PGresult *results[STATEMENTS] = {NULL};
    pg_query_number(&queries[FORGET], hold->since_ms - HOLDS_KEPT_MS);
    pg_query_text(&queries[PUT], hold->plugin);
    pg_query_text(&queries[PUT], inbox_hold_scope_name(hold->scope));
    pg_query_shown(&queries[PUT], hold->value);
    pg_query_text(&queries[PUT], inbox_hold_cause_name(hold->cause));
    pg_query_shown(&queries[PUT], hold->reason);
    pg_query_number(&queries[PUT], hold->since_ms);
    pg_query_number(&queries[PUT], hold->until_ms);
    if (pg_ask_all(store, queries, results, STATEMENTS, err, "storing a hold") < 0) {
        return -1;
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        PQclear(results[i]);
    }
    /* The other hosts look at once. */
    store->queued = true;
    return 0;
}

static int put_settle(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_hold *hold =
        &CONTAINER_OF(operation, const struct inbox_hold_change, operation)->hold;
    int found = look(store, hold, err);
    if (found < 0) {
        return -1;
    }
    operation->result = found > 0 ? INBOX_HOLD_UNCHANGED : 0;
    if (found == INBOX_HOLD_TOO_MANY) {
        operation->result = found;
        return 0;
    }
    return postgres_write_hold(store, hold, err);
}

const struct postgres_operation postgres_hold_put = {.settle = put_settle};

/* ---- HOLD_END ---- */

static int end_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_hold_change *change =
        CONTAINER_OF(operation, const struct inbox_hold_change, operation);
    struct pg_query query = pg_query_begin(PG_SQL_HOLD_END);
    pg_query_text(&query, change->hold.plugin);
    pg_query_text(&query, inbox_hold_cause_name(change->hold.cause));
    pg_query_number(&query, change->hold.since_ms);
    pg_query_number(&query, change->all_scopes);
    pg_query_text(&query, inbox_hold_scope_name(change->hold.scope));
    pg_query_text(&query, change->hold.value);
    store->queued = true;
    return pg_send(store, &query, err);
}

static int end_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    operation->result = pg_changed(result) > 0 ? 0 : INBOX_HOLD_UNCHANGED;
    return 0;
}

const struct postgres_operation postgres_hold_end = {.send = end_send, .take = end_take};

/* ---- HOLDS ---- */

static int read_row(const PGresult *result, int row, struct inbox_hold *hold) {
    hold->id = pg_number(result, row, 0);
    pg_copy(result, row, 1, hold->plugin, sizeof hold->plugin);
    pg_copy(result, row, 3, hold->value, sizeof hold->value);
    pg_copy(result, row, 5, hold->reason, sizeof hold->reason);
    hold->since_ms = pg_number(result, row, 6);
    hold->until_ms = pg_number(result, row, 7);
    return hold_read_names(hold, pg_text(result, row, 2), pg_text(result, row, 4));
}

int postgres_take_holds(struct postgres_store *store, PGresult *result, struct inbox_hold **holds,
                        size_t *n_holds, struct error *err) {
    for (int row = 0; row < PQntuples(result); row++) {
        struct inbox_hold *hold = ARRAY_ADD(*holds, *n_holds);
        if (!hold) {
            return pg_no_memory(store, err, "reading the holds");
        }
        if (read_row(result, row, hold) < 0) {
            /* A later version stored it. */
            (*n_holds)--;
        }
    }
    return 0;
}

static int send_read(struct postgres_store *store, int64_t now_ms, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_HOLDS_READ);
    pg_query_number(&query, now_ms);
    return pg_send(store, &query, err);
}

static int holds_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    return send_read(store, CONTAINER_OF(operation, struct inbox_holds, operation)->now_ms, err);
}

static int holds_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)nth;
    struct inbox_holds *holds = CONTAINER_OF(operation, struct inbox_holds, operation);
    return postgres_take_holds(store, result, &holds->holds, &holds->n_holds, err);
}

const struct postgres_operation postgres_holds = {.send = holds_send, .take = holds_take};

/* ---- in a claim ---- */

int postgres_send_holds(struct postgres_store *store, const struct inbox_claim *claim,
                        struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_RELEASE);
    pg_query_number(&query, claim->now_ms);
    pg_query_number(&query, HOLDS_RELEASED_MAX);
    return pg_send(store, &query, err) < 0 ? -1 : send_read(store, claim->now_ms, err);
}

static int set_aside(struct postgres_store *store, const struct inbox_run *run,
                     const struct inbox_hold *hold, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_RUN_SET_ASIDE);
    pg_query_number(&query, hold->id);
    pg_query_bool(&query, hold_parts_line(hold, run));
    pg_query_number(&query, run->id);
    pg_query_number(&query, run->token);
    return pg_ask(store, &query, &result, err, "holding a run");
}

/* The next in line holds the key. This does not wait for another host that has locked the key,
 * because that one may wait for a run of this claim: then the maintenance finds the line. */
static int let_pass(struct postgres_store *store, const char *plugin, const char *key,
                    struct error *err) {
    int64_t locked = 0;
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_TRY_LOCK);
    pg_query_text(&query, plugin);
    pg_query_text(&query, key);
    if (pg_ask_number(store, &query, &locked, err, "locking a key") < 0) {
        return -1;
    }
    return locked && postgres_promote(store, plugin, key, err) < 0 ? -1 : 0;
}

int postgres_set_aside(struct postgres_store *store, struct inbox_claim *claim, struct error *err) {
    for (size_t i = 0; i < claim->n_runs;) {
        const struct inbox_run *run = &claim->runs[i];
        const struct inbox_hold *hold = hold_of_run(claim, run);
        if (!hold) {
            i++;
            continue;
        }
        if (set_aside(store, run, hold, err) < 0 ||
            (hold_parts_line(hold, run) &&
             let_pass(store, claim->shares[run->share].plugin, run->order_key, err) < 0)) {
            return -1;
        }
        hold_remove_run(claim, i);
    }
    holds_note_ends(claim);
    return 0;
}
