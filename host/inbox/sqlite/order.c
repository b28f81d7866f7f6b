/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The order of runs with the same key, in SQLite: who holds a key, and who comes next. */
#include "inbox/sqlite/operations.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <stdlib.h>

/* So many runs join their lines in one claim. */
#define JOIN_MAX 64

int sqlite_key_is_free(struct sqlite_store *store, const char *plugin, const char *key,
                       struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_ORDER_HOLDER);
    query_text(&query, plugin);
    query_text(&query, key);
    int step = query_step(&query, err, "looking for the holder of a key");
    return step < 0 ? -1 : step == 0;
}

int sqlite_promote(struct sqlite_store *store, const char *plugin, const char *key, int64_t *due_ms,
                   struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_ORDER_PROMOTE);
    query_text(&query, plugin);
    query_text(&query, key);
    int step = query_step(&query, err, "looking for the next run of a key");
    if (step > 0 && due_ms) {
        *due_ms = sqlite3_column_int64(query.statement, 0);
    }
    return step;
}

static int displace(struct sqlite_store *store, const char *plugin, const char *key,
                    struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_ORDER_DISPLACE);
    query_text(&query, plugin);
    query_text(&query, key);
    return query_run(&query, err, "making room for a retry");
}

static int join(struct sqlite_store *store, int64_t run, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_ORDER_JOIN);
    query_number(&query, run);
    return query_run(&query, err, "joining a line");
}

/* A run that is due outside of its line. */
struct comer {
    int64_t run;
    bool by_hand;
    char plugin[INBOX_NAME_MAX + 1];
    char key[INBOX_ORDER_KEY_MAX + 1];
};

static int list_comers(struct sqlite_store *store, int64_t now_ms, struct comer **comers, size_t *n,
                       struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_ORDER_DUE);
    query_number(&query, now_ms);
    query_number(&query, JOIN_MAX);
    int step;
    while ((step = query_step(&query, err, "looking for runs that are due")) > 0) {
        struct comer *comer = ARRAY_ADD(*comers, *n);
        if (!comer) {
            return sqlite_no_memory(store, err, "looking for runs that are due");
        }
        comer->run = sqlite3_column_int64(query.statement, 0);
        column_copy(query.statement, 1, comer->plugin, sizeof comer->plugin);
        column_copy(query.statement, 2, comer->key, sizeof comer->key);
        comer->by_hand = sqlite3_column_int(query.statement, 3) != 0;
    }
    return step;
}

int sqlite_join_lines(struct sqlite_store *store, int64_t now_ms, struct error *err) {
    AUTO_FREE struct comer *comers = NULL;
    size_t n = 0;
    if (list_comers(store, now_ms, &comers, &n, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        const struct comer *comer = &comers[i];
        if ((comer->by_hand && displace(store, comer->plugin, comer->key, err) < 0) ||
            join(store, comer->run, err) < 0 ||
            sqlite_promote(store, comer->plugin, comer->key, NULL, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- coalescing ---- */

/* Lists the runs that the put's run ended, and when the first of those was due that never ran;
 * INT64_MAX when there is none. */
static int end_replaced(struct sqlite_store *store, struct inbox_put *put, size_t index,
                        const char *key, int64_t *first_due_ms, struct error *err) {
    const char *what = "ending replaced runs";
    AUTO_QUERY struct query query = query_begin(store, SQL_SUPERSEDE);
    query_number(&query, put->received_ms);
    query_text(&query, put->guid);
    query_text(&query, put->runs[index].plugin);
    query_text(&query, key);
    query_number(&query, put->runs[index].coalesce_key);
    *first_due_ms = INT64_MAX;
    int step;
    while ((step = query_step(&query, err, what)) > 0) {
        struct inbox_superseded *old = ARRAY_ADD(put->superseded, put->n_superseded);
        if (!old) {
            return sqlite_no_memory(store, err, what);
        }
        column_copy(query.statement, 0, old->guid, sizeof old->guid);
        old->attempt = sqlite3_column_int64(query.statement, 1);
        old->run = index;
        int64_t due_ms = sqlite3_column_int64(query.statement, 2);
        *first_due_ms = old->attempt == 0 && due_ms < *first_due_ms ? due_ms : *first_due_ms;
    }
    return step;
}

static int hasten(struct sqlite_store *store, int64_t first_due_ms, int64_t run,
                  struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_SUPERSEDE_HASTEN);
    query_number(&query, first_due_ms);
    query_number(&query, run);
    return query_run(&query, err, "making a run due that replaces others");
}

int sqlite_supersede(struct sqlite_store *store, struct inbox_put *put, struct error *err) {
    for (size_t i = 0; i < put->n_runs; i++) {
        const struct inbox_put_run *run = &put->runs[i];
        char key[INBOX_ORDER_KEY_MAX + 1];
        int64_t first_due_ms;
        inbox_order_key(put, run->order, key);
        if (!run->replaces || !key[0]) {
            continue;
        }
        if (end_replaced(store, put, i, key, &first_due_ms, err) < 0 ||
            (first_due_ms != INT64_MAX && run->id > 0 &&
             hasten(store, first_due_ms, run->id, err) < 0) ||
            sqlite_promote(store, run->plugin, key, NULL, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int sqlite_superseded(struct sqlite_store *store, const struct inbox_finish *finish,
                      struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUN_SUPERSEDED);
    query_number(&query, finish->now_ms);
    query_number(&query, finish->how != INBOX_RETRY);
    query_text(&query, finish->plugin);
    query_text(&query, finish->order_key);
    query_number(&query, finish->coalesce_key);
    query_number(&query, finish->run);
    query_number(&query, finish->token);
    if (query_run(&query, err, "ending a replaced run") < 0) {
        return -1;
    }
    return sqlite3_changes(store->db) > 0;
}
