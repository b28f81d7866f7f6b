/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries and their runs, in SQLite: stored, claimed, finished, counted, recovered. */
#include "inbox/codec.h"
#include "inbox/sqlite_store.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* A body above this is written piece by piece: bound to the statement it would be copied whole
 * into the row's record, and GitHub sends up to 25 MiB. */
#define BODY_BOUND_MAX ((size_t)1 << 20)
#define BODY_PIECE ((size_t)256 << 10)

int sqlite_no_memory(struct sqlite_store *store, struct error *err, const char *what) {
    store->broken = true;
    return error_set(err, "%s: out of memory", what);
}

/* PUT */

static int write_pieces(struct sqlite_store *store, int64_t delivery, const char *body,
                        size_t bytes, struct error *err) {
    const char *what = "storing the body of a delivery";
    sqlite3_blob *blob = NULL;
    if (sqlite3_blob_open(store->db, "main", "deliveries", "body", delivery, 1, &blob) !=
        SQLITE_OK) {
        return sqlite_fail(store, err, what); /* blob stays NULL */
    }
    for (size_t at = 0; at < bytes; at += BODY_PIECE) {
        size_t left = bytes - at;
        int piece = (int)(left < BODY_PIECE ? left : BODY_PIECE);
        if (sqlite3_blob_write(blob, body + at, piece, (int)at) != SQLITE_OK) {
            (void)sqlite_fail(store, err, what);
            (void)sqlite3_blob_close(blob);
            return -1;
        }
    }
    return sqlite3_blob_close(blob) == SQLITE_OK ? 0 : sqlite_fail(store, err, what);
}

/* Inserts the delivery, or writes it over the one with the id `*delivery` when that is not 0. */
static int write_delivery(struct sqlite_store *store, const struct inbox_put *put,
                          int64_t *delivery, struct error *err) {
    const char *body = put->packed ? put->packed : put->body;
    size_t bytes = put->packed ? put->packed_bytes : put->body_bytes;
    bool in_pieces = bytes > BODY_BOUND_MAX;
    {
        AUTO_QUERY struct query query =
            query_begin(store, *delivery ? SQL_DELIVERY_REPLACE : SQL_DELIVERY_INSERT);
        query_text(&query, put->event);
        query_text(&query, put->action);
        query_text(&query, put->installation);
        query_text(&query, put->repository);
        query_text(&query, put->sender);
        query_number(&query, put->received_ms);
        query_number(&query, put->packed ? CODEC_LZ4 : CODEC_RAW);
        query_number(&query, (int64_t)put->body_bytes);
        if (in_pieces) {
            query_zeros(&query, bytes);
        } else {
            query_blob(&query, body, bytes);
        }
        if (*delivery) {
            query_number(&query, *delivery);
        } else {
            query_text(&query, put->guid);
        }
        if (query_run(&query, err, "storing a delivery") < 0) {
            return -1;
        }
    }
    if (!*delivery) {
        *delivery = sqlite3_last_insert_rowid(store->db);
    }
    return in_pieces ? write_pieces(store, *delivery, body, bytes, err) : 0;
}

/* Until when the delivery's installation waits; 0 when it does not. */
static int read_wait(struct sqlite_store *store, const struct inbox_put *put, int64_t *until_ms,
                     struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_GET);
    query_text(&query, put->installation);
    int step = query_step(&query, err, "looking for a wait");
    int64_t end_ms = step > 0 ? sqlite3_column_int64(query.statement, 0) : 0;
    *until_ms = end_ms > put->due_ms ? end_ms : 0;
    return step < 0 ? -1 : 0;
}

/* One that was there before may have a journal, which only a claim brings: so it is not leased. */
static int queue_runs(struct sqlite_store *store, int64_t delivery, const struct inbox_put *put,
                      bool seen, struct error *err) {
    int64_t until_ms = 0;
    if (put->n_runs > 0 && read_wait(store, put, &until_ms, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < put->n_runs; i++) {
        struct inbox_put_run *run = &put->runs[i];
        bool leased = run->leased && !seen && until_ms == 0;
        run->token = put->first_token + (int64_t)i;
        AUTO_QUERY struct query query = query_begin(store, SQL_RUN_QUEUE);
        query_number(&query, delivery);
        query_text(&query, run->plugin);
        query_number(&query, until_ms > 0 ? until_ms : put->due_ms);
        query_text(&query, leased ? "running" : "queued");
        query_number(&query, leased);
        query_number(&query, leased ? put->host : 0);
        query_number(&query, leased ? run->token : 0);
        query_number(&query, leased ? clock_monotonic_ms() + put->lease_ms : 0);
        if (query_step(&query, err, "queueing a run") < 0) {
            return -1;
        }
        run->id = run->leased && !leased ? 0 : sqlite3_column_int64(query.statement, 0);
    }
    return 0;
}

int sqlite_find_delivery(struct sqlite_store *store, const char *guid, int64_t *delivery,
                         struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_DELIVERY_FIND);
    query_text(&query, guid);
    int step = query_step(&query, err, "looking for a delivery");
    if (step > 0) {
        *delivery = sqlite3_column_int64(query.statement, 0);
    }
    return step;
}

static int is_unfinished(struct sqlite_store *store, int64_t delivery, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_UNFINISHED);
    query_number(&query, delivery);
    return query_step(&query, err, "looking for a delivery's runs");
}

static int hasten_retries(struct sqlite_store *store, int64_t delivery, int64_t due_ms,
                          struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_HASTEN);
    query_number(&query, due_ms);
    query_number(&query, delivery);
    return query_run(&query, err, "making retries due");
}

static int drop_journals(struct sqlite_store *store, int64_t delivery, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNALS_DROP);
    query_number(&query, delivery);
    return query_run(&query, err, "dropping journals");
}

static int grant(struct sqlite_store *store, const struct inbox_put *put, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_GRANT);
    query_text(&query, put->installation);
    query_text(&query, put->guid);
    return query_run(&query, err, "noting a grant");
}

/* Asked of a duplicate too: what it says is true. */
static int unpark(struct sqlite_store *store, struct inbox_put *put, struct error *err) {
    if (!store_gives(put)) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_UNPARK);
    query_number(&query, put->due_ms);
    query_text(&query, put->installation);
    if (query_run(&query, err, "making parked runs due") < 0) {
        return -1;
    }
    put->unparked = sqlite3_changes64(store->db);
    return grant(store, put, err);
}

/* The GUID is known. Only a redelivery that a person requested runs a finished delivery again, and
 * only such a redelivery makes a run due that waits for its retry. 1 a duplicate, 0 not, -1. */
static int is_duplicate(struct sqlite_store *store, const struct inbox_put *put, int64_t delivery,
                        struct error *err) {
    int requested = put->fetched ? 1 : sqlite_redelivery_arrived(store, put->guid, err);
    if (requested != 0) {
        return requested < 0 ? -1 : 1;
    }
    int unfinished = is_unfinished(store, delivery, err);
    if (unfinished < 0 || (unfinished && hasten_retries(store, delivery, put->due_ms, err) < 0)) {
        return -1;
    }
    return unfinished;
}

int sqlite_put(struct sqlite_store *store, struct inbox_put *put, struct error *err) {
    int64_t delivery = 0;
    int seen = sqlite_find_delivery(store, put->guid, &delivery, err);
    if (seen < 0) {
        return -1;
    }
    if (seen) {
        int duplicate = is_duplicate(store, put, delivery, err);
        if (duplicate != 0) {
            return duplicate < 0 || unpark(store, put, err) < 0 ? -1 : INBOX_DUPLICATE;
        }
    } else if (put->fetched && sqlite_redelivery_fetched(store, put->guid, err) < 0) {
        return -1;
    }
    if ((seen && drop_journals(store, delivery, err) < 0) ||
        write_delivery(store, put, &delivery, err) < 0 ||
        queue_runs(store, delivery, put, seen > 0, err) < 0 || unpark(store, put, err) < 0) {
        return -1;
    }
    return seen ? INBOX_REDELIVERED : INBOX_STORED;
}

/* CLAIM */

int sqlite_read_body(struct sqlite_store *store, int64_t delivery, struct payload **payload,
                     struct error *err) {
    const char *what = "reading the body of a delivery";
    sqlite3_blob *blob = NULL;
    if (sqlite3_blob_open(store->db, "main", "deliveries", "body", delivery, 0, &blob) !=
        SQLITE_OK) {
        return sqlite_fail(store, err, what);
    }
    size_t bytes = (size_t)sqlite3_blob_bytes(blob);
    struct payload *made = payload_new(bytes);
    int result = 0;
    if (!made) {
        result = sqlite_no_memory(store, err, what);
    } else if (sqlite3_blob_read(blob, made->data, (int)bytes, 0) != SQLITE_OK) {
        result = sqlite_fail(store, err, what);
        made = payload_unref(made);
    }
    (void)sqlite3_blob_close(blob);
    if (result == 0) {
        *payload = made;
    }
    return result;
}

/* The row of SQL_RUNS_DUE as the claim's next run. */
static int take_row(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                    sqlite3_stmt *row, struct error *err) {
    struct inbox_run *run = store_add_run(claim);
    if (!run) {
        return sqlite_no_memory(store, err, "claiming runs");
    }
    run->id = sqlite3_column_int64(row, 0);
    run->attempt = sqlite3_column_int64(row, 1) + 1;
    run->token = claim->first_token + (int64_t)claim->n_runs - 1;
    run->crashes = sqlite3_column_int64(row, 2);
    run->suspect = sqlite3_column_int(row, 3) != 0;
    run->share = share;
    run->received_ms = sqlite3_column_int64(row, 5);
    run->payload_bytes = (size_t)sqlite3_column_int64(row, 12);
    run->payload_codec = sqlite3_column_int64(row, 13);
    run->due_ms = sqlite3_column_int64(row, 14);
    column_copy(row, 6, run->guid, sizeof run->guid);
    column_copy(row, 7, run->event, sizeof run->event);
    column_copy(row, 8, run->action, sizeof run->action);
    column_copy(row, 9, run->installation, sizeof run->installation);
    run->repository = column_text(row, 10);
    run->sender = column_text(row, 11);
    if (!run->repository || !run->sender) {
        return sqlite_no_memory(store, err, "claiming runs");
    }
    return sqlite_journal_read(store, run->id, &run->journal, &run->n_journal, err) < 0
               ? -1
               : sqlite_read_body(store, sqlite3_column_int64(row, 4), &run->payload, err);
}

/* Takes at most `most` due runs of a share, all suspects or none; the number, or -1. */
static int take_due(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                    bool suspect, uint32_t most, struct error *err) {
    const struct inbox_claim_share *of = &claim->shares[share];
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_DUE);
    query_text(&query, of->plugin);
    query_number(&query, suspect);
    query_number(&query, claim->now_ms);
    query_number(&query, most);
    uint64_t held = 0;
    int taken = 0, step;
    while ((step = query_step(&query, err, "claiming runs")) > 0) {
        uint64_t bytes = (uint64_t)sqlite3_column_int64(query.statement, 12);
        if (taken > 0 && (held > of->payload_bytes || bytes > of->payload_bytes - held)) {
            return taken;
        }
        if (take_row(store, claim, share, query.statement, err) < 0) {
            return -1;
        }
        held += bytes;
        taken++;
    }
    return step < 0 ? -1 : taken;
}

/* Only once the rows were read: a scan must not meet its own updates. */
static int lease_runs(struct sqlite_store *store, const struct inbox_claim *claim, size_t first,
                      struct error *err) {
    for (size_t i = first; i < claim->n_runs; i++) {
        AUTO_QUERY struct query query = query_begin(store, SQL_RUN_LEASE);
        query_number(&query, claim->host);
        query_number(&query, claim->runs[i].token);
        query_number(&query, clock_monotonic_ms() + claim->lease_ms);
        query_number(&query, claim->runs[i].id);
        if (query_run(&query, err, "leasing a run") < 0) {
            return -1;
        }
    }
    return 0;
}

/* When the first waiting run of the plugin is due; INT64_MAX none. */
static int next_due(struct sqlite_store *store, const char *plugin, bool suspect, int64_t *due_ms,
                    struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_NEXT_DUE);
    query_text(&query, plugin);
    query_number(&query, suspect);
    int step = query_step(&query, err, "looking for the next run");
    *due_ms = step > 0 ? sqlite3_column_int64(query.statement, 0) : INT64_MAX;
    return step;
}

static int claim_share(struct sqlite_store *store, struct inbox_claim *claim, size_t index,
                       struct error *err) {
    struct inbox_claim_share *share = &claim->shares[index];
    size_t first = claim->n_runs;
    int taken = 0;
    if (share->runs > 0 && share->alone) {
        taken = take_due(store, claim, index, true, 1, err);
    }
    if (share->runs > 0 && taken == 0) {
        taken = take_due(store, claim, index, false, share->runs, err);
    }
    int64_t ordinary_ms, suspect_ms;
    if (taken < 0 || lease_runs(store, claim, first, err) < 0 ||
        next_due(store, share->plugin, false, &ordinary_ms, err) < 0 ||
        next_due(store, share->plugin, true, &suspect_ms, err) < 0) {
        return -1;
    }
    share->suspects_due = suspect_ms <= claim->now_ms;
    int64_t due_ms = ordinary_ms < suspect_ms ? ordinary_ms : suspect_ms;
    if (due_ms < claim->next_due_ms) {
        claim->next_due_ms = due_ms;
    }
    return 0;
}

/* Only such as the host itself has lost: nobody else is at the file. */
static int reclaim(struct sqlite_store *store, const struct inbox_claim *claim, struct error *err) {
    AUTO_FREE char *live = store_list_numbers("[]", claim->live, claim->n_live);
    if (!live) {
        return sqlite_no_memory(store, err, "reclaiming runs");
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_RECLAIM);
    query_number(&query, claim->now_ms);
    query_number(&query, clock_monotonic_ms());
    query_text(&query, live);
    return query_run(&query, err, "reclaiming runs");
}

int sqlite_claim(struct sqlite_store *store, struct inbox_claim *claim, struct error *err) {
    if (reclaim(store, claim, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < claim->n_shares; i++) {
        if (claim_share(store, claim, i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* RENEW, FENCE */

int sqlite_renew_lease(struct sqlite_store *store, int64_t run, int64_t token, int64_t lease_ms,
                       struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_RENEW);
    query_number(&query, clock_monotonic_ms() + lease_ms);
    query_number(&query, run);
    query_number(&query, token);
    if (query_run(&query, err, "renewing a lease") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0;
}

int sqlite_renew(struct sqlite_store *store, struct inbox_renew *of, struct error *err) {
    for (size_t i = 0; i < of->n_held; i++) {
        int renewed =
            sqlite_renew_lease(store, of->held[i].run, of->held[i].token, of->lease_ms, err);
        if (renewed < 0) {
            return -1;
        }
        of->held[i].ours = renewed;
    }
    return 0;
}

int sqlite_lease_check(struct sqlite_store *store, const struct inbox_lease_check *fence,
                       struct error *err) {
    int renewed = sqlite_renew_lease(store, fence->run, fence->token, fence->lease_ms, err);
    return renewed < 0 ? -1 : renewed ? 0 : INBOX_STALE;
}

/* FINISH, STATS, recovery */

int sqlite_finish(struct sqlite_store *store, const struct inbox_finish *finish,
                  struct error *err) {
    bool parks = finish->how == INBOX_PARK;
    bool again = parks || finish->how == INBOX_RETRY || finish->how == INBOX_REQUEUE;
    AUTO_QUERY struct query query = query_begin(store, parks   ? SQL_RUN_PARK
                                                       : again ? SQL_RUN_AGAIN
                                                               : SQL_RUN_END);
    if (again) {
        query_number(&query, finish->how != INBOX_RETRY);
        query_number(&query, finish->due_ms);
    } else {
        query_text(&query, finish->how == INBOX_DONE ? "done" : "dead");
        query_number(&query, finish->now_ms);
    }
    query_text(&query, finish->label);
    query_text(&query, finish->reason);
    query_number(&query, finish->suspect);
    query_number(&query, finish->crashes);
    query_number(&query, finish->run);
    query_number(&query, finish->token);
    if (parks) {
        int step = query_step(&query, err, "parking a run");
        bool granted = step > 0 && sqlite3_column_int(query.statement, 0) != 0;
        return step < 0 ? -1 : step == 0 ? INBOX_STALE : granted ? INBOX_GRANTED : 0;
    }
    if (query_run(&query, err, "finishing a run") < 0) {
        return -1;
    }
    if (sqlite3_changes(store->db) == 0) {
        return INBOX_STALE;
    }
    return finish->how == INBOX_DONE && finish->has_journal
               ? sqlite_journal_cut_back(store, finish->run, err)
               : 0;
}

int sqlite_stats(struct sqlite_store *store, struct inbox_stats *stats, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_STATS);
    if (query_step(&query, err, "counting runs") < 0) {
        return -1;
    }
    stats->queued = sqlite3_column_int64(query.statement, 0);
    stats->running = sqlite3_column_int64(query.statement, 1);
    stats->dead = sqlite3_column_int64(query.statement, 2);
    stats->in_doubt = sqlite3_column_int64(query.statement, 3);
    bool none = sqlite3_column_type(query.statement, 4) == SQLITE_NULL;
    stats->oldest_due_ms = none ? INT64_MAX : sqlite3_column_int64(query.statement, 4);
    stats->parked = sqlite3_column_int64(query.statement, 5);
    return 0;
}

int sqlite_recover(struct sqlite_store *store, int64_t now_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_RECOVER);
    query_number(&query, now_ms);
    return query_run(&query, err, "recovering runs");
}
