/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs, in PostgreSQL: claimed, renewed, finished, counted. */
#include "inbox/postgres/operations.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/common/codec.h"
#include "inbox/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of bodies in one share of a claim, because they are in memory twice for a moment.
 * The next claim fetches more. */
#define CLAIM_BYTES_MAX ((uint64_t)32 << 20)
/* Due runs that another host has locked are looked at again after this. */
#define CONTENDED_MS 100

/* ---- CLAIM: what lapsed is made due, then two statements a share. */

static int claim_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_RECLAIM);
    pg_query_number(&query, claim->now_ms);
    pg_query_number(&query, claim->host);
    pg_query_take(&query, store_list_numbers("{}", claim->live, claim->n_live));
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    int64_t token = claim->first_token;
    for (size_t i = 0; i < claim->n_shares; i++) {
        const struct inbox_claim_share *share = &claim->shares[i];
        uint64_t bytes =
            share->payload_bytes < CLAIM_BYTES_MAX ? share->payload_bytes : CLAIM_BYTES_MAX;
        query = pg_query_begin(PG_SQL_RUNS_CLAIM);
        pg_query_text(&query, share->plugin);
        pg_query_number(&query, claim->now_ms);
        pg_query_bool(&query, share->alone && share->runs > 0);
        pg_query_number(&query, share->runs);
        pg_query_number(&query, claim->host);
        pg_query_number(&query, claim->lease_ms);
        pg_query_number(&query, (int64_t)bytes);
        pg_query_number(&query, token);
        pg_query_text(&query, turns_last(&store->turns, share->plugin));
        token += share->runs + 1;
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
        query = pg_query_begin(PG_SQL_RUNS_NEXT_DUE);
        pg_query_text(&query, share->plugin);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void copy_column(const PGresult *result, int row, int column, char *out, size_t room) {
    snprintf(out, room, "%s", pg_text(result, row, column));
}

static int take_row(struct postgres_store *store, struct inbox_claim *claim, size_t share,
                    const PGresult *result, int row, struct error *err) {
    struct inbox_run *run = ARRAY_ADD(claim->runs, claim->n_runs);
    size_t bytes = (size_t)PQgetlength(result, row, 11);
    if (!run) {
        return pg_no_memory(store, err, "claiming runs");
    }
    run->id = pg_number(result, row, 0);
    run->attempt = pg_number(result, row, 1);
    run->token = pg_number(result, row, 15);
    run->crashes = pg_number(result, row, 2);
    run->suspect = pg_bool(result, row, 3);
    run->share = share;
    run->received_ms = pg_number(result, row, 4);
    copy_column(result, row, 5, run->guid, sizeof run->guid);
    copy_column(result, row, 6, run->event, sizeof run->event);
    copy_column(result, row, 7, run->action, sizeof run->action);
    copy_column(result, row, 8, run->installation, sizeof run->installation);
    run->repository = strdup(pg_text(result, row, 9));
    run->sender = strdup(pg_text(result, row, 10));
    run->payload = payload_new(bytes);
    if (!run->repository || !run->sender || !run->payload) {
        return pg_no_memory(store, err, "claiming runs");
    }
    memcpy(run->payload->data, PQgetvalue(result, row, 11), bytes);
    run->payload_bytes = (size_t)pg_number(result, row, 12);
    run->payload_codec = PQgetisnull(result, row, 11) ? CODEC_LOST : pg_number(result, row, 13);
    run->due_ms = pg_number(result, row, 14);
    return 0;
}

static int64_t due_of(const PGresult *result, int column) {
    return PQgetisnull(result, 0, column) ? INT64_MAX : pg_number(result, 0, column);
}

/* Takes the second result of a share. If runs are due and the claim got none, another host has
 * locked them. Then the next claim waits a little instead of repeating at once. */
static void take_next_due(struct inbox_claim *claim, size_t index, const PGresult *result) {
    struct inbox_claim_share *share = &claim->shares[index];
    int64_t ordinary_ms = due_of(result, 0), suspect_ms = due_of(result, 1);
    int64_t due_ms = ordinary_ms < suspect_ms ? ordinary_ms : suspect_ms;
    bool none = true;
    for (size_t i = 0; i < claim->n_runs; i++) {
        none = none && claim->runs[i].share != index;
    }
    share->suspects_due = suspect_ms <= claim->now_ms;
    if (none && share->runs > 0 && ordinary_ms <= claim->now_ms) {
        due_ms = claim->now_ms + CONTENDED_MS;
    }
    if (due_ms < claim->next_due_ms) {
        claim->next_due_ms = due_ms;
    }
}

static int claim_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    if (nth == 0) {
        return 0;
    }
    size_t share = (nth - 1) / 2;
    if (nth % 2 == 0) {
        take_next_due(claim, share, result);
        return 0;
    }
    size_t first = claim->n_runs;
    for (int row = 0; row < PQntuples(result); row++) {
        if (take_row(store, claim, share, result, row, err) < 0) {
            return -1;
        }
    }
    turns_took(&store->turns, claim->shares[share].plugin, claim, first);
    return claim->n_runs > 0; /* their journals are read */
}

static int claim_settle(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    return postgres_read_journals(store, CONTAINER_OF(operation, struct inbox_claim, operation),
                                  err);
}

const struct postgres_operation postgres_claim = {
    .send = claim_send, .take = claim_take, .settle = claim_settle};

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

static int finish_send(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    const struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    bool parks = finish->how == INBOX_PARK;
    bool again = parks || finish->how == INBOX_RETRY || finish->how == INBOX_REQUEUE;
    enum postgres_sql sql = again ? PG_SQL_RUN_AGAIN : PG_SQL_RUN_END;
    struct pg_query query = pg_query_begin(parks ? PG_SQL_RUN_PARK : sql);
    if (again) {
        pg_query_number(&query, finish->how != INBOX_RETRY);
        pg_query_number(&query, finish->due_ms);
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
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    static const enum postgres_sql cuts[] = {PG_SQL_JOURNAL_CUT_BACK, PG_SQL_JOURNAL_CUT_RESPONSES};
    for (size_t i = 0; finish->how == INBOX_DONE && finish->has_journal && i < 2; i++) {
        query = pg_query_begin(cuts[i]);
        pg_query_number(&query, finish->run);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    return 0;
}

const struct postgres_operation postgres_finish = {.send = finish_send, .take = leased_take};

/* ---- STATS ---- */

static int stats_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    (void)operation;
    struct pg_query query = pg_query_begin(PG_SQL_STATS);
    return pg_send(store, &query, err);
}

static int stats_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    struct inbox_stats *stats = CONTAINER_OF(operation, struct inbox_stats, operation);
    stats->queued = pg_number(result, 0, 0);
    stats->running = pg_number(result, 0, 1);
    stats->dead = pg_number(result, 0, 2);
    stats->in_doubt = pg_number(result, 0, 3);
    stats->oldest_due_ms = due_of(result, 4);
    stats->parked = pg_number(result, 0, 5);
    return 0;
}

const struct postgres_operation postgres_stats = {.send = stats_send, .take = stats_take};
