/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Claims of runs, in PostgreSQL. One statement a share locks the runs that the claim may take, with
 * their sizes. The host decides which of them fit, and then leases and loads those only. */
#include "base/array.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/list.h"
#include "inbox/common/codec.h"
#include "inbox/common/share.h"
#include "inbox/postgres/operations.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Due runs that another host has locked are looked at again after this. */
#define CONTENDED_MS 100

/* ---- the first batch: reclaim, release and read the holds, runs outside of their lines, and the
 * due runs of each share ---- */

/* The results before those of the shares. */
enum { RECLAIMED, RELEASED, HOLDS, OUTSIDE, FIRST_SHARE };

static int claim_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    int64_t others_due_ms = atomic_exchange(&store->others_due_ms, 0);
    if (others_due_ms != 0) {
        turns_queued_elsewhere(&store->turns, others_due_ms);
    }
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_RECLAIM);
    pg_query_number(&query, claim->now_ms);
    pg_query_number(&query, claim->host);
    pg_query_take(&query, store_list_numbers("{}", claim->live, claim->n_live));
    if (pg_send(store, &query, err) < 0 || postgres_send_holds(store, claim, err) < 0 ||
        postgres_send_due(store, claim->now_ms, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < claim->n_shares; i++) {
        const struct inbox_claim_share *share = &claim->shares[i];
        uint64_t bytes = share->most_bytes < INT64_MAX ? share->most_bytes : INT64_MAX;
        query = pg_query_begin(PG_SQL_RUNS_DUE);
        pg_query_text(&query, share->plugin);
        pg_query_number(&query, claim->now_ms);
        pg_query_bool(&query, share->alone && share->runs > 0);
        pg_query_number(&query, share->runs);
        pg_query_number(&query, (int64_t)bytes);
        pg_query_text(&query, turns_last(&store->turns, share->plugin));
        pg_query_number(&query, share->first);
        pg_query_number(&query, turns_due_from(&store->turns, share->plugin, claim->now_ms));
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int choose(struct postgres_store *store, struct inbox_claim *claim, size_t index, int64_t id,
                  struct error *err) {
    struct inbox_run *run = ARRAY_ADD(claim->runs, claim->n_runs);
    if (!run) {
        return pg_no_memory(store, err, "claiming runs");
    }
    run->id = id;
    run->token = claim->first_token + (int64_t)claim->n_runs - 1;
    run->share = index;
    return 0;
}

/* The rows are in the order in which the runs have their turns. */
static int choose_runs(struct postgres_store *store, struct inbox_claim *claim, size_t index,
                       const PGresult *result, struct error *err) {
    struct share_room room = share_begin(&claim->shares[index]);
    size_t first = claim->n_runs;
    int rows = PQntuples(result);
    for (int row = 0; row < rows; row++) {
        struct share_candidate candidate = {.id = pg_number(result, row, 0),
                                            .due_ms = pg_number(result, row, 1),
                                            .bytes = (uint64_t)pg_number(result, row, 2)};
        if (share_takes(&room, &candidate) && choose(store, claim, index, candidate.id, err) < 0) {
            return -1;
        }
    }
    if (claim->n_runs == first && rows > 0) {
        turns_passed(&store->turns, claim->shares[index].plugin, pg_text(result, rows - 1, 3));
    }
    return 0;
}

static int claim_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    int taken = 0;
    if (nth == HOLDS) {
        taken = postgres_take_holds(store, result, &claim->holds, &claim->n_holds, err);
    } else if (nth == OUTSIDE) {
        postgres_take_due(store, result);
    } else if (nth >= FIRST_SHARE) {
        taken = choose_runs(store, claim, nth - FIRST_SHARE, result, err);
    }
    if (taken < 0) {
        return -1;
    }
    /* The second batch follows. */
    return 1;
}

/* ---- the second batch: the chosen runs, their journals, and what is due next ---- */

static int take_row(struct postgres_store *store, struct inbox_run *run, const PGresult *result,
                    int row, struct error *err) {
    size_t bytes = (size_t)PQgetlength(result, row, 11);
    run->attempt = pg_number(result, row, 1);
    run->crashes = pg_number(result, row, 2);
    run->suspect = pg_bool(result, row, 3);
    run->received_ms = pg_number(result, row, 4);
    pg_copy(result, row, 5, run->guid, sizeof run->guid);
    pg_copy(result, row, 6, run->event, sizeof run->event);
    pg_copy(result, row, 7, run->action, sizeof run->action);
    pg_copy(result, row, 8, run->installation, sizeof run->installation);
    pg_copy(result, row, 15, run->item, sizeof run->item);
    pg_copy(result, row, 16, run->order_key, sizeof run->order_key);
    run->coalesce_key = pg_number(result, row, 17);
    run->waited_ms = pg_number(result, row, 18);
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

/* The rows are in the order of the claim's runs. The runs are locked, so no other host can have
 * taken one. But a PUT of the same group may have replaced one: the claim leaves it out. */
static int take_runs(struct postgres_store *store, struct inbox_claim *claim,
                     const PGresult *result, struct error *err) {
    int row = 0, rows = PQntuples(result);
    size_t n = 0;
    for (size_t i = 0; i < claim->n_runs; i++) {
        if (row == rows || pg_number(result, row, 0) != claim->runs[i].id) {
            continue;
        }
        struct inbox_run run = claim->runs[i];
        claim->runs[i] = (struct inbox_run){0};
        claim->runs[n] = run;
        if (take_row(store, &claim->runs[n], result, row, err) < 0) {
            return -1;
        }
        n++;
        row++;
    }
    assert(row == rows);
    claim->n_runs = n;
    return 0;
}

static void note_turns(struct postgres_store *store, const struct inbox_claim *claim) {
    for (size_t i = 0; i < claim->n_runs; i++) {
        size_t share = claim->runs[i].share;
        if (i == 0 || claim->runs[i - 1].share != share) {
            turns_took(&store->turns, claim->shares[share].plugin, claim, i);
        }
    }
}

static int64_t due_of(const PGresult *result, int row, int column) {
    return PQgetisnull(result, row, column) ? INT64_MAX : pg_number(result, row, column);
}

/* If runs are due and the claim got none, another host has locked them. Then the next claim waits a
 * little instead of repeating at once. */
static void note_due(struct postgres_store *store, struct inbox_claim *claim,
                     const int64_t *from_ms, const PGresult *result) {
    for (int row = 0; row < PQntuples(result) && (size_t)row < claim->n_shares; row++) {
        int64_t ordinary_ms = due_of(result, row, 0), suspect_ms = due_of(result, row, 1);
        turns_note_due(&store->turns, claim->shares[row].plugin, claim->now_ms, from_ms[row],
                       clock_earliest(ordinary_ms, suspect_ms));
        share_note_due(claim, (size_t)row, ordinary_ms, suspect_ms, claim->now_ms + CONTENDED_MS);
    }
}

static void bind_plugins(struct pg_query *query, const struct inbox_claim *claim) {
    struct buffer names = BUFFER_INIT(claim->n_shares * (INBOX_NAME_MAX + 1));
    int result = 0;
    for (size_t i = 0; i < claim->n_shares; i++) {
        result |= buffer_append_text(&names, i > 0 ? "\n" : "");
        result |= buffer_append_text(&names, claim->shares[i].plugin);
    }
    pg_query_take(query, buffer_steal(&names));
    query->failed = query->failed || result != 0;
}

static int take_chosen(struct postgres_store *store, struct inbox_claim *claim, struct error *err) {
    enum { TAKE, JOURNALS, NEXT_DUE, STATEMENTS };
    AUTO_FREE int64_t *ids = calloc(claim->n_runs + 1, sizeof *ids);
    AUTO_FREE int64_t *from_ms = calloc(claim->n_shares + 1, sizeof *from_ms);
    if (!ids || !from_ms) {
        return pg_no_memory(store, err, "claiming runs");
    }
    for (size_t i = 0; i < claim->n_runs; i++) {
        ids[i] = claim->runs[i].id;
    }
    struct pg_query queries[STATEMENTS] = {pg_query_begin(PG_SQL_RUNS_TAKE),
                                           pg_query_begin(PG_SQL_JOURNALS_READ),
                                           pg_query_begin(PG_SQL_RUNS_NEXT_DUE)};
    pg_query_number(&queries[TAKE], claim->host);
    pg_query_number(&queries[TAKE], claim->lease_ms);
    pg_query_number(&queries[TAKE], claim->first_token);
    pg_query_take(&queries[TAKE], store_list_numbers("{}", ids, claim->n_runs));
    pg_query_take(&queries[JOURNALS], store_list_numbers("{}", ids, claim->n_runs));
    bind_plugins(&queries[NEXT_DUE], claim);
    for (size_t i = 0; i < claim->n_shares; i++) {
        from_ms[i] = turns_due_from(&store->turns, claim->shares[i].plugin, claim->now_ms);
    }
    pg_query_take(&queries[NEXT_DUE], store_list_numbers("{}", from_ms, claim->n_shares));
    PGresult *results[STATEMENTS] = {NULL};
    int result = pg_ask_all(store, queries, results, STATEMENTS, err, "claiming runs");
    if (result == 0) {
        note_due(store, claim, from_ms, results[NEXT_DUE]);
        result = take_runs(store, claim, results[TAKE], err);
    }
    if (result == 0) {
        note_turns(store, claim);
        result = postgres_take_journals(store, claim, results[JOURNALS], err);
    }
    if (result == 0) {
        result = postgres_set_aside(store, claim, err);
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        PQclear(results[i]);
    }
    return result;
}

/* The chosen runs are taken first: a retry by hand displaces only runs that nobody takes. */
static int claim_settle(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
    if (take_chosen(store, claim, err) < 0) {
        return -1;
    }
    int queued = postgres_join_lines(store, err);
    if (queued > 0) {
        /* The next claim takes them. */
        claim->next_due_ms = claim->now_ms;
    }
    return queued < 0 ? -1 : 0;
}

const struct postgres_operation postgres_claim = {
    .send = claim_send, .take = claim_take, .settle = claim_settle};
