/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Previews, in PostgreSQL: the runs that an operator was shown, and their retry or discard. They
 * are rare, so each operation waits for its own results. */
#include "inbox/previews.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "inbox/postgres/operations.h"

#include <stdlib.h>
#include <string.h>

static int run_statement(struct postgres_store *store, struct pg_query *query, struct error *err,
                         const char *what) {
    AUTO_RESULT PGresult *result = NULL;
    return pg_ask(store, query, &result, err, what);
}

/* ---- making one ---- */

static int begin(struct postgres_store *store, const struct inbox_preview *preview,
                 struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_PREVIEWS_FORGET);
    pg_query_number(&query, preview->now_ms - INBOX_PREVIEW_MS);
    if (run_statement(store, &query, err, "deleting old previews") < 0) {
        return -1;
    }
    query = pg_query_begin(PG_SQL_PREVIEW_ADD);
    pg_query_number(&query, preview->preview);
    pg_query_text(&query, store_preview_action(preview->discards));
    pg_query_number(&query, preview->now_ms);
    return run_statement(store, &query, err, "storing a preview");
}

static int add_runs(struct postgres_store *store, const struct inbox_preview *preview,
                    struct error *err) {
    AUTO_FREE int64_t *runs = calloc(preview->n_runs + 1, sizeof *runs);
    struct buffer states = BUFFER_INIT(preview->n_runs * sizeof preview->runs->state + 1);
    int result = 0;
    for (size_t i = 0; runs && i < preview->n_runs; i++) {
        runs[i] = preview->runs[i].run;
        result |= buffer_append_text(&states, i > 0 ? "\n" : "");
        result |= buffer_append_text(&states, preview->runs[i].state);
    }
    struct pg_query query = pg_query_begin(PG_SQL_PREVIEW_ADD_RUNS);
    pg_query_number(&query, preview->preview);
    pg_query_number(&query, (int64_t)preview->first);
    pg_query_take(&query, runs ? store_list_numbers("{}", runs, preview->n_runs) : NULL);
    pg_query_take(&query, buffer_steal(&states));
    query.failed = query.failed || result != 0;
    return run_statement(store, &query, err, "storing a preview");
}

static int preview_settle(struct postgres_store *store, struct inbox_operation *operation,
                          struct error *err) {
    struct inbox_preview *preview = CONTAINER_OF(operation, struct inbox_preview, operation);
    if ((preview->begins && begin(store, preview, err) < 0) ||
        (preview->n_runs > 0 && add_runs(store, preview, err) < 0)) {
        return -1;
    }
    struct pg_query query = pg_query_begin(PG_SQL_PREVIEW_IN_DOUBT);
    pg_query_number(&query, preview->preview);
    int found = pg_ask_number(store, &query, &preview->in_doubt, err, "counting effects in doubt");
    return found < 0 ? -1 : 0;
}

const struct postgres_operation postgres_preview = {.settle = preview_settle};

/* ---- carrying it out ---- */

/* 1 it is valid, 0, -1. */
static int find(struct postgres_store *store, const struct inbox_preview_apply *apply,
                struct error *err) {
    int64_t id;
    struct pg_query query = pg_query_begin(PG_SQL_PREVIEW_FIND);
    pg_query_number(&query, apply->preview);
    pg_query_text(&query, store_preview_action(apply->discards));
    pg_query_number(&query, apply->now_ms - INBOX_PREVIEW_MS);
    return pg_ask_number(store, &query, &id, err, "looking for a preview");
}

static int end(struct postgres_store *store, int64_t preview, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_PREVIEW_END);
    pg_query_number(&query, preview);
    return run_statement(store, &query, err, "ending a preview");
}

/* Takes the next run out of the preview. 1, 0 there is none, -1. */
static int take_next(struct postgres_store *store, int64_t preview, struct inbox_preview_run *next,
                     struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_PREVIEW_NEXT);
    pg_query_number(&query, preview);
    if (pg_ask(store, &query, &result, err, "reading a preview") < 0) {
        return -1;
    }
    if (PQntuples(result) == 0) {
        return 0;
    }
    next->run = pg_number(result, 0, 1);
    pg_copy(result, 0, 2, next->state, sizeof next->state);
    query = pg_query_begin(PG_SQL_PREVIEW_TAKE);
    pg_query_number(&query, preview);
    pg_query_number(&query, pg_number(result, 0, 0));
    return run_statement(store, &query, err, "taking a run out of a preview") < 0 ? -1 : 1;
}

/* Reads the run into `apply`. 1, 0 it was forgotten, -1. */
static int load(struct postgres_store *store, enum postgres_sql sql, int64_t run,
                struct inbox_preview_apply *apply, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(sql);
    pg_query_number(&query, run);
    if (pg_ask(store, &query, &result, err, "reading a run") < 0) {
        return -1;
    }
    if (PQntuples(result) == 0) {
        return 0;
    }
    pg_copy(result, 0, 1, apply->guid, sizeof apply->guid);
    pg_copy(result, 0, 2, apply->plugin, sizeof apply->plugin);
    pg_copy(result, 0, 3, apply->state, sizeof apply->state);
    return 1;
}

/* Locks in the order that all operations keep: the delivery, the keys, then the run. Another host
 * may have claimed or ended the run before that. 0, an outcome, -1. */
static int change_locked(struct postgres_store *store, struct inbox_preview_apply *apply,
                         const struct inbox_preview_run *next, struct error *err) {
    int64_t delivery;
    bool pruned;
    int found =
        postgres_lock_delivery(store, apply->guid, apply->discards, &delivery, &pruned, err);
    if (found > 0) {
        found = load(store, PG_SQL_PREVIEW_RUN_LOCK, next->run, apply, err);
    }
    if (found <= 0 || strcmp(apply->state, next->state) != 0) {
        return found < 0 ? -1 : INBOX_PREVIEW_CHANGED;
    }
    if (pruned && !apply->discards) {
        return INBOX_PREVIEW_PRUNED;
    }
    int64_t changed = postgres_change_runs(store, apply->discards, delivery, apply->plugin,
                                           apply->discards ? apply->now_ms : apply->due_ms, err);
    if (changed < 0) {
        return -1;
    }
    return changed > 0 ? 0 : INBOX_PREVIEW_CHANGED;
}

static int apply_next(struct postgres_store *store, struct inbox_preview_apply *apply,
                      struct error *err) {
    struct inbox_preview_run next;
    int found = find(store, apply, err);
    if (found <= 0) {
        return found < 0 ? -1 : INBOX_PREVIEW_UNKNOWN;
    }
    found = take_next(store, apply->preview, &next, err);
    if (found == 0) {
        found = end(store, apply->preview, err);
        return found < 0 ? -1 : INBOX_PREVIEW_END;
    }
    found = found < 0 ? -1 : load(store, PG_SQL_PREVIEW_RUN, next.run, apply, err);
    if (found <= 0) {
        return found < 0 ? -1 : INBOX_PREVIEW_CHANGED;
    }
    return change_locked(store, apply, &next, err);
}

static int apply_settle(struct postgres_store *store, struct inbox_operation *operation,
                        struct error *err) {
    int result =
        apply_next(store, CONTAINER_OF(operation, struct inbox_preview_apply, operation), err);
    if (result < 0) {
        return -1;
    }
    operation->result = result;
    return 0;
}

const struct postgres_operation postgres_preview_apply = {.settle = apply_settle};
