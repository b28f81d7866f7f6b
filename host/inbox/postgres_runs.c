/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries and their runs, in PostgreSQL: stored, claimed, renewed, fenced, finished, counted;
 * and which host does the maintenance. */
#include "inbox/codec.h"
#include "inbox/postgres_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the bodies of one share of a claim: they are in memory twice for a moment. The next claim
 * fetches more. */
#define CLAIM_BYTES_MAX ((uint64_t)32 << 20)
#define CONTENDED_MS                                                                               \
    100 /* due runs that another host has locked are looked at again after this                    \
         */

/* PUT */

/* The runs to insert: $n the plugins' names, a line each, and $n+1 which are leased, as an array;
 * then the host, how long, and the first token. */
static void bind_runs(struct pg_query *query, const struct inbox_put *put, bool seen) {
    struct buffer names = BUFFER_INIT(put->n_runs * (INBOX_NAME_MAX + 1));
    struct buffer leased = BUFFER_INIT(put->n_runs * 2 + 2);
    int result = buffer_append_text(&leased, "{");
    for (size_t i = 0; i < put->n_runs; i++) {
        const struct inbox_put_run *run = &put->runs[i];
        result |= buffer_append_text(&names, i > 0 ? "\n" : "");
        result |= buffer_append_text(&names, run->plugin);
        result |= buffer_append_text(&leased, i > 0 ? "," : "");
        result |= buffer_append_text(&leased, run->leased && !seen ? "t" : "f");
    }
    result |= buffer_append_text(&leased, "}");
    pg_query_take(query, buffer_steal(&names));
    pg_query_take(query, buffer_steal(&leased));
    pg_query_number(query, put->host);
    pg_query_number(query, put->lease_ms);
    pg_query_number(query, put->first_token);
    query->failed = query->failed || result != 0;
}

/* The rows are (run, plugin, state, token) from `column` on. One that was to be leased and is not
 * has no id: its installation waits. */
static void take_ids(struct inbox_put *put, const PGresult *result, int column) {
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < put->n_runs; i++) {
            if (strcmp(put->runs[i].plugin, pg_text(result, row, column + 1)) == 0) {
                bool running = strcmp(pg_text(result, row, column + 2), "running") == 0;
                put->runs[i].id =
                    put->runs[i].leased && !running ? 0 : pg_number(result, row, column);
                put->runs[i].token = pg_number(result, row, column + 3);
            }
        }
    }
}

static void note_queued(struct postgres_store *store, const struct inbox_put *put) {
    for (size_t i = 0; i < put->n_runs; i++) {
        store->queued = store->queued || !put->runs[i].leased;
    }
}

static void bind_delivery(struct pg_query *query, const struct inbox_put *put) {
    pg_query_shown(query, put->event);
    pg_query_shown(query, put->action);
    pg_query_shown(query, put->installation);
    pg_query_shown(query, put->repository);
    pg_query_shown(query, put->sender);
    pg_query_number(query, put->received_ms);
    pg_query_number(query, put->packed ? CODEC_LZ4 : CODEC_RAW);
    pg_query_number(query, (int64_t)put->body_bytes);
    pg_query_blob(query, put->packed ? put->packed : put->body,
                  put->packed ? put->packed_bytes : put->body_bytes);
}

/* Asked of a duplicate too: what it says is true. */
static int send_unpark(struct postgres_store *store, const struct inbox_put *put,
                       struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RUNS_UNPARK);
    pg_query_number(&query, put->due_ms);
    pg_query_text(&query, put->installation);
    pg_query_text(&query, put->guid);
    return pg_send(store, &query, err);
}

static int put_send(struct postgres_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    struct pg_query query = pg_query_begin(PG_SQL_PUT);
    bind_delivery(&query, put);
    pg_query_text(&query, put->guid);
    pg_query_number(&query, put->due_ms);
    bind_runs(&query, put, false);
    note_queued(store, put);
    if (pg_send(store, &query, err) < 0) {
        return -1;
    }
    return store_gives(put) ? send_unpark(store, put, err) : 0;
}

static int put_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                    PGresult *result, struct error *err) {
    (void)store, (void)err;
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    if (nth == 1) {
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

static int tell(struct postgres_store *store, struct pg_query *query, struct error *err,
                const char *what) {
    AUTO_RESULT PGresult *result = NULL;
    return pg_ask(store, query, &result, err, what);
}

static int redeliver(struct postgres_store *store, struct inbox_put *put, int64_t delivery,
                     struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_JOURNALS_DROP);
    pg_query_number(&query, delivery);
    if (tell(store, &query, err, "dropping journals") < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_DELIVERY_REPLACE);
    bind_delivery(&query, put);
    pg_query_number(&query, delivery);
    if (tell(store, &query, err, "storing a delivery again") < 0) {
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

/* A fetched payload was stored, or its GUID is known. */
static int settle_fetched(struct postgres_store *store, const struct inbox_put *put,
                          struct error *err) {
    if (put->operation.result != INBOX_STORED) {
        return 0;
    }
    struct pg_query query = pg_query_begin(PG_SQL_REDELIVERY_FETCHED);
    pg_query_text(&query, put->guid);
    return tell(store, &query, err, "counting a redelivery");
}

/* Is this arrival of a known GUID one that the host requested? 1 yes, 0 no, -1. */
static int was_requested(struct postgres_store *store, const struct inbox_put *put,
                         struct error *err) {
    int64_t duplicates;
    struct pg_query query = pg_query_begin(PG_SQL_REDELIVERY_ARRIVED);
    pg_query_text(&query, put->guid);
    return pg_ask_number(store, &query, &duplicates, err, "counting a redelivery");
}

/* The GUID is there. Its row is locked first, so that of two hosts that are given it at once only
 * one finds its runs finished. */
static int put_settle(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    int64_t delivery, run;
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
        return requested < 0 ? -1 : 0; /* it stays a duplicate */
    }
    query = pg_query_begin(PG_SQL_RUNS_UNFINISHED);
    pg_query_number(&query, delivery);
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
    return tell(store, &query, err, "making retries due");
}

const struct postgres_kind postgres_put = {
    .send = put_send, .take = put_take, .settle = put_settle};

/* CLAIM: what lapsed is made due, then two statements a share. */

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
    (void)snprintf(out, room, "%s", pg_text(result, row, column));
}

static int take_row(struct postgres_store *store, struct inbox_claim *claim, size_t share,
                    const PGresult *result, int row, struct error *err) {
    struct inbox_run *run = store_add_run(claim);
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
    run->payload_codec = pg_number(result, row, 13);
    run->due_ms = pg_number(result, row, 14);
    return 0;
}

static int64_t due_of(const PGresult *result, int column) {
    return PQgetisnull(result, 0, column) ? INT64_MAX : pg_number(result, 0, column);
}

/* What a share still has. Due runs that nobody could be given are locked by another host: to look
 * again at once would only turn in circles. */
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
    for (int row = 0; row < PQntuples(result); row++) {
        if (take_row(store, claim, share, result, row, err) < 0) {
            return -1;
        }
    }
    return claim->n_runs > 0; /* their journals are read */
}

static int claim_settle(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    return postgres_journals_read(store, CONTAINER_OF(operation, struct inbox_claim, operation),
                                  err);
}

const struct postgres_kind postgres_claim = {
    .send = claim_send, .take = claim_take, .settle = claim_settle};

/* RENEW, FENCE */

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

const struct postgres_kind postgres_renew = {.send = renew_send, .take = renew_take};

static int fence_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_lease_check *fence =
        CONTAINER_OF(operation, struct inbox_lease_check, operation);
    struct pg_query query = pg_query_begin(PG_SQL_RUN_LEASE_CHECK);
    pg_query_number(&query, fence->lease_ms);
    pg_query_number(&query, fence->run);
    pg_query_number(&query, fence->token);
    return pg_send(store, &query, err);
}

/* Of what names a run, an attempt and a lease: no row, no longer ours. */
static int fenced_take(struct postgres_store *store, struct inbox_operation *operation,
                       unsigned nth, PGresult *result, struct error *err) {
    (void)store, (void)err;
    if (nth == 0) {
        bool granted = PQntuples(result) > 0 && pg_number(result, 0, 0) > 0; /* of PARK */
        operation->result = pg_changed(result) == 0 ? INBOX_STALE : granted ? INBOX_GRANTED : 0;
    }
    return 0;
}

const struct postgres_kind postgres_lease_check = {.send = fence_send, .take = fenced_take};

/* FINISH */

static int finish_send(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    const struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    bool parks = finish->how == INBOX_PARK;
    bool again = parks || finish->how == INBOX_RETRY || finish->how == INBOX_REQUEUE;
    struct pg_query query = pg_query_begin(parks   ? PG_SQL_RUN_PARK
                                           : again ? PG_SQL_RUN_AGAIN
                                                   : PG_SQL_RUN_END);
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
    static const enum postgres_sql cuts[] = {PG_SQL_JOURNAL_CUT_BACK, PG_SQL_JOURNAL_CUT_ANSWERS};
    for (size_t i = 0; finish->how == INBOX_DONE && finish->has_journal && i < 2; i++) {
        query = pg_query_begin(cuts[i]);
        pg_query_number(&query, finish->run);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    return 0;
}

const struct postgres_kind postgres_finish = {.send = finish_send, .take = fenced_take};

/* ELECT, STATS */

static int elect_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    const struct inbox_elect *elect = CONTAINER_OF(operation, struct inbox_elect, operation);
    struct pg_query query = pg_query_begin(PG_SQL_ELECT);
    pg_query_number(&query, elect->host);
    pg_query_number(&query, elect->lease_ms);
    return pg_send(store, &query, err);
}

static int elect_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)store, (void)nth, (void)err;
    operation->result = pg_changed(result) > 0;
    return 0;
}

const struct postgres_kind postgres_elect = {.send = elect_send, .take = elect_take};

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

const struct postgres_kind postgres_stats = {.send = stats_send, .take = stats_take};
