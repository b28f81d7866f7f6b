/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Previews, in SQLite: the runs that an operator was shown, and their retry or discard. */
#include "inbox/previews.h"

#include "base/list.h"
#include "inbox/sqlite/operations.h"

#include <string.h>

/* ---- making one ---- */

static int begin(struct sqlite_store *store, const struct inbox_preview *preview,
                 struct error *err) {
    {
        AUTO_QUERY struct query forget = query_begin(store, SQL_PREVIEWS_FORGET);
        query_number(&forget, preview->now_ms - INBOX_PREVIEW_MS);
        if (query_run(&forget, err, "deleting old previews") < 0) {
            return -1;
        }
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_ADD);
    query_number(&query, preview->preview);
    query_text(&query, store_preview_action(preview->discards));
    query_number(&query, preview->now_ms);
    return query_run(&query, err, "storing a preview");
}

static int add_run(struct sqlite_store *store, const struct inbox_preview *preview, size_t index,
                   struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_ADD_RUN);
    query_number(&query, preview->preview);
    query_number(&query, (int64_t)(preview->first + index));
    query_number(&query, preview->runs[index].run);
    query_text(&query, preview->runs[index].state);
    return query_run(&query, err, "storing a preview");
}

int sqlite_preview(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    struct inbox_preview *preview = CONTAINER_OF(operation, struct inbox_preview, operation);
    if (preview->begins && begin(store, preview, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < preview->n_runs; i++) {
        if (add_run(store, preview, i, err) < 0) {
            return -1;
        }
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_IN_DOUBT);
    query_number(&query, preview->preview);
    if (query_step(&query, err, "counting effects in doubt") < 0) {
        return -1;
    }
    preview->in_doubt = sqlite3_column_int64(query.statement, 0);
    return 0;
}

/* ---- carrying it out ---- */

/* 1 it is valid, 0, -1. */
static int find(struct sqlite_store *store, const struct inbox_preview_apply *apply,
                struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_FIND);
    query_number(&query, apply->preview);
    query_text(&query, store_preview_action(apply->discards));
    query_number(&query, apply->now_ms - INBOX_PREVIEW_MS);
    return query_step(&query, err, "looking for a preview");
}

static int end(struct sqlite_store *store, int64_t preview, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_END);
    query_number(&query, preview);
    return query_run(&query, err, "ending a preview");
}

/* Takes the next run out of the preview. 1, 0 there is none, -1. */
static int take_next(struct sqlite_store *store, int64_t preview, struct inbox_preview_run *next,
                     struct error *err) {
    int64_t number;
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_NEXT);
        query_number(&query, preview);
        int step = query_step(&query, err, "reading a preview");
        if (step <= 0) {
            return step;
        }
        number = sqlite3_column_int64(query.statement, 0);
        next->run = sqlite3_column_int64(query.statement, 1);
        column_copy(query.statement, 2, next->state, sizeof next->state);
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_TAKE);
    query_number(&query, preview);
    query_number(&query, number);
    return query_run(&query, err, "taking a run out of a preview") < 0 ? -1 : 1;
}

/* Reads the run into `apply`. 1 and `*delivery`, 0 it was forgotten, -1. */
static int load(struct sqlite_store *store, int64_t run, struct inbox_preview_apply *apply,
                int64_t *delivery, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_PREVIEW_RUN);
    query_number(&query, run);
    int step = query_step(&query, err, "reading a run");
    if (step > 0) {
        *delivery = sqlite3_column_int64(query.statement, 0);
        column_copy(query.statement, 1, apply->guid, sizeof apply->guid);
        column_copy(query.statement, 2, apply->plugin, sizeof apply->plugin);
        column_copy(query.statement, 3, apply->state, sizeof apply->state);
    }
    return step;
}

int sqlite_preview_apply(struct sqlite_store *store, struct inbox_operation *operation,
                         struct error *err) {
    struct inbox_preview_apply *apply =
        CONTAINER_OF(operation, struct inbox_preview_apply, operation);
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
    int64_t delivery;
    found = found < 0 ? -1 : load(store, next.run, apply, &delivery, err);
    if (found <= 0 || strcmp(apply->state, next.state) != 0) {
        return found < 0 ? -1 : INBOX_PREVIEW_CHANGED;
    }
    int pruned = apply->discards ? 0 : sqlite_is_pruned(store, delivery, err);
    if (pruned != 0) {
        return pruned < 0 ? -1 : INBOX_PREVIEW_PRUNED;
    }
    int changed = sqlite_change_runs(store, apply->discards, delivery, apply->plugin,
                                     apply->discards ? apply->now_ms : apply->due_ms, err);
    if (changed < 0) {
        return -1;
    }
    return changed > 0 ? 0 : INBOX_PREVIEW_CHANGED;
}
