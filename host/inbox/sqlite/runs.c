/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs, in SQLite: renewed, finished, counted, recovered. */
#include "inbox/sqlite/operations.h"

#include "base/clock.h"
#include "base/list.h"
#include "inbox/stats.h"

#include <stdio.h>
#include <string.h>

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

static int add_attempt(struct sqlite_store *store, const struct inbox_finish *finish,
                       struct error *err) {
    const char *how = store_attempt_how(finish->how);
    if (!how) {
        return 0;
    }
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_ATTEMPT_ADD);
        query_number(&query, finish->now_ms);
        query_text(&query, how);
        query_text(&query, finish->label);
        query_text(&query, finish->reason);
        query_number(&query, finish->run);
        query_number(&query, finish->token);
        if (query_run(&query, err, "storing an attempt") < 0) {
            return -1;
        }
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_ATTEMPTS_CUT);
    query_number(&query, finish->run);
    return query_run(&query, err, "storing an attempt");
}

/* Ends the run, or makes it wait for its next attempt. 0, INBOX_STALE, INBOX_GRANTED,
 * INBOX_SUPERSEDED, -1. */
static int end_attempt(struct sqlite_store *store, const struct inbox_finish *finish,
                       struct error *err) {
    bool parks = finish->how == INBOX_PARK;
    bool again = inbox_finish_is_queued(finish);
    enum sqlite_sql sql = again ? SQL_RUN_AGAIN : SQL_RUN_END;
    if (add_attempt(store, finish, err) < 0) {
        return -1;
    }
    int superseded = again && finish->coalesce_key ? sqlite_superseded(store, finish, err) : 0;
    if (superseded != 0) {
        return superseded < 0 ? -1 : INBOX_SUPERSEDED;
    }
    AUTO_QUERY struct query query = query_begin(store, parks ? SQL_RUN_PARK : sql);
    if (again) {
        query_number(&query, finish->keeps_place);
    }
    if (again || parks) {
        query_number(&query, finish->how != INBOX_RETRY);
        query_number(&query, finish->due_ms);
        if (again) {
            query_number(&query, finish->waited_ms);
        }
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
    return sqlite3_changes(store->db) == 0 ? INBOX_STALE : 0;
}

int sqlite_finish(struct sqlite_store *store, struct inbox_operation *operation,
                  struct error *err) {
    struct inbox_finish *finish = CONTAINER_OF(operation, struct inbox_finish, operation);
    int result = end_attempt(store, finish, err);
    if (result < 0 || result == INBOX_STALE) {
        return result;
    }
    if (finish->order_key[0] &&
        sqlite_promote(store, finish->plugin, finish->order_key, &finish->next_due_ms, err) < 0) {
        return -1;
    }
    if (finish->how == INBOX_DONE && finish->has_journal &&
        sqlite_cut_back_journal(store, finish->run, err) < 0) {
        return -1;
    }
    return result;
}

int sqlite_stats(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_stats *stats = CONTAINER_OF(operation, struct inbox_stats, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_STATS);
    query_text(&query, stats->configured);
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
    stats->blocked = sqlite3_column_int64(query.statement, 6);
    stats->not_configured = sqlite3_column_int64(query.statement, 7);
    stats->held = sqlite3_column_int64(query.statement, 8);
    store_split_waiting(stats, sqlite3_column_int64(query.statement, 9),
                        sqlite3_column_int64(query.statement, 10));
    stats->timers = sqlite3_column_int64(query.statement, 11);
    /* A NULL reads as 0. */
    stats->oldest_in_doubt_ms = sqlite3_column_int64(query.statement, 12);
    stats->oldest_waiting_ms = sqlite3_column_int64(query.statement, 13);
    return 0;
}

int sqlite_recover(struct sqlite_store *store, int64_t now_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_RECOVER);
    query_number(&query, now_ms);
    return query_run(&query, err, "recovering runs");
}
