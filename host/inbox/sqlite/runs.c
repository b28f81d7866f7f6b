/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs, in SQLite: claimed, renewed, finished, counted, recovered. */
#include "inbox/sqlite/operations.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/list.h"
#include "inbox/common/codec.h"
#include "inbox/stats.h"

#include <stdio.h>
#include <string.h>

/* ---- CLAIM ---- */

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
    sqlite3_blob_close(blob);
    if (result == 0) {
        *payload = made;
    }
    return result;
}

/* One row that cannot be read must not keep the others from running. */
static bool is_lost(struct sqlite_store *store) {
    int code = sqlite3_errcode(store->db);
    return code == SQLITE_CORRUPT || code == SQLITE_ERROR;
}

/* The journal and the body of a claimed run. A run whose body is lost is claimed without one, so
 * that it ends with its reason. */
static int read_rest(struct sqlite_store *store, struct inbox_run *run, int64_t delivery,
                     struct error *err) {
    if (sqlite_read_records(store, run->id, &run->journal, &run->n_journal, err) == 0 &&
        sqlite_read_body(store, delivery, &run->payload, err) == 0) {
        return 0;
    }
    if (!is_lost(store)) {
        return -1;
    }
    run->payload_codec = CODEC_LOST;
    run->payload = payload_new(0);
    return run->payload ? 0 : sqlite_no_memory(store, err, "claiming runs");
}

/* The row of SQL_RUNS_DUE as the claim's next run. */
static int take_row(struct sqlite_store *store, struct inbox_claim *claim, size_t share,
                    sqlite3_stmt *row, struct error *err) {
    struct inbox_run *run = ARRAY_ADD(claim->runs, claim->n_runs);
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
    return read_rest(store, run, sqlite3_column_int64(row, 4), err);
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
        if ((taken > 0 || !of->alone) &&
            (held > of->payload_bytes || bytes > of->payload_bytes - held)) {
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

int sqlite_claim(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_claim *claim = CONTAINER_OF(operation, struct inbox_claim, operation);
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

/* ---- leases ---- */

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

int sqlite_renew(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_renew *of = CONTAINER_OF(operation, struct inbox_renew, operation);
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

int sqlite_lease_check(struct sqlite_store *store, struct inbox_operation *operation,
                       struct error *err) {
    const struct inbox_lease_check *check =
        CONTAINER_OF(operation, const struct inbox_lease_check, operation);
    int renewed = sqlite_renew_lease(store, check->run, check->token, check->lease_ms, err);
    if (renewed < 0) {
        return -1;
    }
    return renewed ? 0 : INBOX_STALE;
}

/* ---- FINISH, STATS, recovery ---- */

int sqlite_finish(struct sqlite_store *store, struct inbox_operation *operation,
                  struct error *err) {
    const struct inbox_finish *finish =
        CONTAINER_OF(operation, const struct inbox_finish, operation);
    bool parks = finish->how == INBOX_PARK;
    bool again = parks || finish->how == INBOX_RETRY || finish->how == INBOX_REQUEUE;
    enum sqlite_sql sql = again ? SQL_RUN_AGAIN : SQL_RUN_END;
    AUTO_QUERY struct query query = query_begin(store, parks ? SQL_RUN_PARK : sql);
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
        if (step <= 0) {
            return step < 0 ? -1 : INBOX_STALE;
        }
        return granted ? INBOX_GRANTED : 0;
    }
    if (query_run(&query, err, "finishing a run") < 0) {
        return -1;
    }
    if (sqlite3_changes(store->db) == 0) {
        return INBOX_STALE;
    }
    return finish->how == INBOX_DONE && finish->has_journal
               ? sqlite_cut_back_journal(store, finish->run, err)
               : 0;
}

int sqlite_stats(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_stats *stats = CONTAINER_OF(operation, struct inbox_stats, operation);
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
