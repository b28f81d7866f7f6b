/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Holds of plugins, in SQLite. */
#include "inbox/common/holds.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/sqlite/operations.h"

#include <stdlib.h>

/* 1 when there is such a hold, 0, -1. */
static int find(struct sqlite_store *store, const struct inbox_hold *hold, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_HOLD_FIND);
    query_text(&query, hold->plugin);
    query_text(&query, inbox_hold_scope_name(hold->scope));
    query_text(&query, hold->value);
    query_text(&query, inbox_hold_cause_name(hold->cause));
    query_number(&query, hold->since_ms);
    return query_step(&query, err, "looking for a hold");
}

/* 0: the store has room for the new hold; INBOX_HOLD_TOO_MANY; -1. */
static int check_room(struct sqlite_store *store, const struct inbox_hold *hold,
                      struct error *err) {
    if (!hold_counts(hold)) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_HOLDS_COUNT);
    query_number(&query, hold->since_ms);
    int step = query_step(&query, err, "counting holds");
    if (step < 0) {
        return -1;
    }
    return sqlite3_column_int64(query.statement, 0) < INBOX_HOLDS_MAX ? 0 : INBOX_HOLD_TOO_MANY;
}

static int forget(struct sqlite_store *store, int64_t before_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_HOLDS_FORGET);
    query_number(&query, before_ms);
    return query_run(&query, err, "deleting old holds");
}

int sqlite_hold_put(struct sqlite_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_hold *hold =
        &CONTAINER_OF(operation, const struct inbox_hold_change, operation)->hold;
    int found = find(store, hold, err);
    if (found < 0 || forget(store, hold->since_ms - HOLDS_KEPT_MS, err) < 0) {
        return -1;
    }
    int full = found ? 0 : check_room(store, hold, err);
    if (full != 0) {
        return full;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_HOLD_PUT);
    query_text(&query, hold->plugin);
    query_text(&query, inbox_hold_scope_name(hold->scope));
    query_text(&query, hold->value);
    query_text(&query, inbox_hold_cause_name(hold->cause));
    query_text(&query, hold->reason);
    query_number(&query, hold->since_ms);
    query_number(&query, hold->until_ms);
    if (query_run(&query, err, "storing a hold") < 0) {
        return -1;
    }
    return found > 0 ? INBOX_HOLD_UNCHANGED : 0;
}

int sqlite_hold_end(struct sqlite_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_hold_change *change =
        CONTAINER_OF(operation, const struct inbox_hold_change, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_HOLD_END);
    query_text(&query, change->hold.plugin);
    query_text(&query, inbox_hold_cause_name(change->hold.cause));
    query_number(&query, change->hold.since_ms);
    query_number(&query, change->all_scopes);
    query_text(&query, inbox_hold_scope_name(change->hold.scope));
    query_text(&query, change->hold.value);
    if (query_run(&query, err, "ending a hold") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0 ? 0 : INBOX_HOLD_UNCHANGED;
}

static int read_hold(sqlite3_stmt *row, struct inbox_hold *hold) {
    char scope[16], cause[16];
    hold->id = sqlite3_column_int64(row, 0);
    column_copy(row, 1, hold->plugin, sizeof hold->plugin);
    column_copy(row, 2, scope, sizeof scope);
    column_copy(row, 3, hold->value, sizeof hold->value);
    column_copy(row, 4, cause, sizeof cause);
    column_copy(row, 5, hold->reason, sizeof hold->reason);
    hold->since_ms = sqlite3_column_int64(row, 6);
    hold->until_ms = sqlite3_column_int64(row, 7);
    return hold_read_names(hold, scope, cause);
}

static int read_holds(struct sqlite_store *store, int64_t now_ms, struct inbox_hold **holds,
                      size_t *n_holds, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_HOLDS_READ);
    query_number(&query, now_ms);
    int step;
    while ((step = query_step(&query, err, "reading the holds")) > 0) {
        struct inbox_hold *hold = ARRAY_ADD(*holds, *n_holds);
        if (!hold) {
            return sqlite_no_memory(store, err, "reading the holds");
        }
        if (read_hold(query.statement, hold) < 0) {
            /* A later version stored it. */
            (*n_holds)--;
        }
    }
    return step;
}

int sqlite_holds(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_holds *holds = CONTAINER_OF(operation, struct inbox_holds, operation);
    return read_holds(store, holds->now_ms, &holds->holds, &holds->n_holds, err);
}

/* ---- in a claim ---- */

int sqlite_begin_holds(struct sqlite_store *store, struct inbox_claim *claim, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_RELEASE);
    query_number(&query, claim->now_ms);
    query_number(&query, HOLDS_RELEASED_MAX);
    if (query_run(&query, err, "releasing held runs") < 0) {
        return -1;
    }
    return read_holds(store, claim->now_ms, &claim->holds, &claim->n_holds, err);
}

static int set_aside(struct sqlite_store *store, const struct inbox_run *run,
                     const struct inbox_hold *hold, const char *plugin, struct error *err) {
    bool gives_up = hold_parts_line(hold, run);
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_SET_ASIDE);
    query_number(&query, hold->id);
    query_number(&query, gives_up);
    query_number(&query, run->id);
    query_number(&query, run->token);
    if (query_run(&query, err, "holding a run") < 0) {
        return -1;
    }
    return gives_up ? sqlite_promote(store, plugin, run->order_key, NULL, err) : 0;
}

int sqlite_set_aside(struct sqlite_store *store, struct inbox_claim *claim, struct error *err) {
    for (size_t i = 0; i < claim->n_runs;) {
        const struct inbox_run *run = &claim->runs[i];
        const struct inbox_hold *hold = hold_of_run(claim, run);
        if (!hold) {
            i++;
            continue;
        }
        if (set_aside(store, run, hold, claim->shares[run->share].plugin, err) < 0) {
            return -1;
        }
        hold_remove_run(claim, i);
    }
    holds_note_ends(claim);
    return 0;
}
