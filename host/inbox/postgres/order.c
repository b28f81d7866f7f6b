/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The order of runs with the same key, in PostgreSQL: who holds a key, and who comes next. All that
 * may change it locks the key first, in a statement of its own: a statement does not see what
 * another session committed while the statement waited. */
#include "inbox/postgres/operations.h"

#include "base/array.h"
#include "base/list.h"

/* A line for each lock: a plugin's name, a blank, and a key. */
#define LOCK_LINE_MAX ((size_t)INBOX_NAME_MAX + INBOX_ORDER_KEY_MAX + 2)

static int add_lock(struct buffer *locks, const char *plugin, const char *key) {
    return buffer_printf(locks, "%s%s %s", locks->bytes > 0 ? "\n" : "", plugin, key);
}

static int add_put(struct buffer *locks, const struct inbox_put *put) {
    int result = 0;
    for (size_t i = 0; i < put->n_runs; i++) {
        char key[INBOX_ORDER_KEY_MAX + 1];
        inbox_order_key(put, put->runs[i].order, key);
        result |= key[0] ? add_lock(locks, put->runs[i].plugin, key) : 0;
    }
    return result;
}

static bool is_put(const struct inbox_operation *operation) {
    return operation->kind == INBOX_PUT || operation->kind == INBOX_FIRE;
}

static size_t locks_max(struct inbox_operation *const *operations, size_t n) {
    size_t locks = 0;
    for (size_t i = 0; i < n; i++) {
        locks += is_put(operations[i])
                     ? CONTAINER_OF(operations[i], struct inbox_put, operation)->n_runs
                     : 1;
    }
    return locks * LOCK_LINE_MAX + 1;
}

char *postgres_list_locks(struct inbox_operation *const *operations, size_t n, size_t *first,
                          struct error *err) {
    struct buffer locks = BUFFER_INIT(locks_max(operations, n));
    int result = buffer_append_text(&locks, "");
    for (size_t i = 0; i < n && result == 0; i++) {
        size_t before = locks.bytes;
        if (is_put(operations[i])) {
            result = add_put(&locks, CONTAINER_OF(operations[i], struct inbox_put, operation));
        } else if (operations[i]->kind == INBOX_FINISH ||
                   operations[i]->kind == INBOX_FINISH_TIMERS) {
            const struct inbox_finish *finish =
                CONTAINER_OF(operations[i], struct inbox_finish, operation);
            result = finish->order_key[0] ? add_lock(&locks, finish->plugin, finish->order_key) : 0;
        }
        if (before == 0 && locks.bytes > 0) {
            *first = i;
        }
    }
    char *text = result == 0 ? buffer_steal(&locks) : NULL;
    buffer_finish(&locks);
    if (!text) {
        error_set(err, "out of memory");
    }
    return text;
}

int postgres_send_promote(struct postgres_store *store, const char *plugin, const char *key,
                          struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_PROMOTE);
    pg_query_text(&query, plugin);
    pg_query_text(&query, key);
    return pg_send(store, &query, err);
}

int postgres_promote(struct postgres_store *store, const char *plugin, const char *key,
                     struct error *err) {
    int64_t due_ms;
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_PROMOTE);
    pg_query_text(&query, plugin);
    pg_query_text(&query, key);
    int promoted = pg_ask_number(store, &query, &due_ms, err, "looking for the next run of a key");
    if (promoted > 0) {
        postgres_queued(store, plugin, due_ms);
    }
    return promoted;
}

int postgres_send_due(struct postgres_store *store, int64_t now_ms, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_DUE);
    pg_query_number(&query, now_ms);
    pg_query_number(&query, POSTGRES_JOIN_MAX);
    return pg_send(store, &query, err);
}

void postgres_take_due(struct postgres_store *store, const PGresult *result) {
    store->n_comers = 0;
    for (int row = 0; row < PQntuples(result) && store->n_comers < POSTGRES_JOIN_MAX; row++) {
        struct postgres_comer *comer = &store->comers[store->n_comers];
        comer->run = pg_number(result, row, 0);
        pg_copy(result, row, 1, comer->plugin, sizeof comer->plugin);
        pg_copy(result, row, 2, comer->key, sizeof comer->key);
        comer->by_hand = pg_bool(result, row, 3);
        store->n_comers += pg_bool(result, row, 4);
    }
}

static int displace(struct postgres_store *store, const struct postgres_comer *comer,
                    struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_DISPLACE);
    pg_query_text(&query, comer->plugin);
    pg_query_text(&query, comer->key);
    return pg_ask(store, &query, &result, err, "making room for a retry");
}

static int join(struct postgres_store *store, int64_t run, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_JOIN);
    pg_query_number(&query, run);
    return pg_ask(store, &query, &result, err, "joining a line");
}

int postgres_join_lines(struct postgres_store *store, struct error *err) {
    int any = 0;
    for (size_t i = 0; i < store->n_comers; i++) {
        const struct postgres_comer *comer = &store->comers[i];
        if ((comer->by_hand && displace(store, comer, err) < 0) ||
            join(store, comer->run, err) < 0) {
            return -1;
        }
        int promoted = postgres_promote(store, comer->plugin, comer->key, err);
        if (promoted < 0) {
            return -1;
        }
        any = any || promoted;
    }
    store->n_comers = 0;
    return any;
}

/* ---- coalescing ---- */

static bool replaces(const struct inbox_put *put, const struct inbox_put_run *run,
                     char key[INBOX_ORDER_KEY_MAX + 1]) {
    inbox_order_key(put, run->order, key);
    return run->replaces && key[0];
}

static void begin_supersede(struct pg_query *query, const struct inbox_put *put,
                            const struct inbox_put_run *run, const char *key) {
    *query = pg_query_begin(PG_SQL_SUPERSEDE);
    pg_query_number(query, put->received_ms);
    pg_query_text(query, put->guid);
    pg_query_text(query, run->plugin);
    pg_query_text(query, key);
    pg_query_number(query, run->coalesce_key);
}

int postgres_send_supersede(struct postgres_store *store, const struct inbox_put *put,
                            struct error *err) {
    for (size_t i = 0; i < put->n_runs; i++) {
        char key[INBOX_ORDER_KEY_MAX + 1];
        if (!replaces(put, &put->runs[i], key)) {
            continue;
        }
        struct pg_query query;
        begin_supersede(&query, put, &put->runs[i], key);
        if (pg_send(store, &query, err) < 0 ||
            postgres_send_promote(store, put->runs[i].plugin, key, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_superseded(struct postgres_store *store, struct inbox_put *put, size_t index,
                           const PGresult *result, struct error *err) {
    for (int row = 0; row < PQntuples(result); row++) {
        struct inbox_superseded *old = ARRAY_ADD(put->superseded, put->n_superseded);
        if (!old) {
            return pg_no_memory(store, err, "ending replaced runs");
        }
        pg_copy(result, row, 0, old->guid, sizeof old->guid);
        old->attempt = pg_number(result, row, 1);
        old->run = index;
    }
    return 1;
}

int postgres_supersede(struct postgres_store *store, struct inbox_put *put, struct error *err) {
    for (size_t i = 0; i < put->n_runs; i++) {
        AUTO_RESULT PGresult *result = NULL;
        struct pg_query query;
        char key[INBOX_ORDER_KEY_MAX + 1];
        if (!replaces(put, &put->runs[i], key)) {
            continue;
        }
        begin_supersede(&query, put, &put->runs[i], key);
        if (pg_ask(store, &query, &result, err, "ending replaced runs") < 0 ||
            take_superseded(store, put, i, result, err) < 0 ||
            postgres_promote(store, put->runs[i].plugin, key, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int postgres_take_superseded(struct postgres_store *store, struct inbox_put *put, unsigned nth,
                             const PGresult *result, struct error *err) {
    unsigned at = 0;
    for (size_t i = 0; i < put->n_runs; i++) {
        char key[INBOX_ORDER_KEY_MAX + 1];
        if (!replaces(put, &put->runs[i], key)) {
            continue;
        }
        if (nth == at) {
            return take_superseded(store, put, i, result, err);
        }
        if (nth == at + 1) {
            if (PQntuples(result) > 0) {
                postgres_queued(store, put->runs[i].plugin, pg_number(result, 0, 0));
            }
            return 1;
        }
        at += 2;
    }
    return 0;
}

int postgres_send_superseded(struct postgres_store *store, const struct inbox_finish *finish,
                             struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_RUN_SUPERSEDED);
    pg_query_number(&query, finish->now_ms);
    pg_query_number(&query, finish->how != INBOX_RETRY);
    pg_query_text(&query, finish->plugin);
    pg_query_text(&query, finish->order_key);
    pg_query_number(&query, finish->coalesce_key);
    pg_query_number(&query, finish->run);
    pg_query_number(&query, finish->token);
    return pg_send(store, &query, err);
}
