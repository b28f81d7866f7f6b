/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operators' requests to the PostgreSQL store: lists, bodies, and runs that they retry or
 * discard. They are rare, so each one waits for its own results. */
#include "inbox/admin.h"
#include "inbox/common/codec.h"
#include "inbox/postgres/operations.h"
#include "inbox/sql/shared.h"

#include "base/array.h"
#include "base/list.h"

#include <stdlib.h>
#include <string.h>

/* So many runs of one state or plugin are listed in one operation: see SHARED_LIST_COUNT. More of
 * them are found among the deliveries, one chunk an operation. */
#define FEW_RUNS 5000

static int take_row(struct postgres_store *store, struct inbox_list *list, PGresult *result,
                    int row, struct error *err) {
    struct inbox_entry *entry = ARRAY_ADD(list->entries, list->n_entries);
    if (!entry || postgres_entry(result, row, entry) < 0) {
        return pg_no_memory(store, err, "listing deliveries");
    }
    return 0;
}

/* Binds from where on, and since when, a list goes. */
static void bind_place(struct pg_query *query, const struct inbox_list *list) {
    bool first = list->before.delivery == 0;
    pg_query_number(query, first ? INT64_MAX : list->before.received_ms);
    pg_query_number(query, first ? INT64_MAX : list->before.delivery);
    pg_query_number(query, list->since_ms);
}

/* Takes the rows of a PG_SQL_LIST* statement. 1 when it stopped at `most`; then list->next is set.
 */
static int take_rows(struct postgres_store *store, struct inbox_list *list, struct pg_query *query,
                     struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    if (pg_ask(store, query, &result, err, "listing deliveries") < 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const struct inbox_entry *last =
            list->n_entries > 0 ? &list->entries[list->n_entries - 1] : NULL;
        if (last && list->n_entries >= list->most && last->delivery != pg_number(result, row, 0)) {
            list->next = (struct inbox_list_position){last->received_ms, last->delivery};
            return 1;
        }
        if (take_row(store, list, result, row, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int list_rows(struct postgres_store *store, struct inbox_list *list, enum postgres_sql sql,
                     struct error *err) {
    struct pg_query query = pg_query_begin(sql);
    bind_place(&query, list);
    /* NULL is bound as NULL. */
    pg_query_text(&query, list->event);
    pg_query_text(&query, list->plugin);
    pg_query_text(&query, list->state);
    return take_rows(store, list, &query, err);
}

/* The statements that list a chunk of deliveries and find its end. */
struct chunk {
    enum postgres_sql rows, end;
};

static struct chunk chunk_of(const struct inbox_list *list) {
    static const struct chunk chunks[2][2] = {
        {{PG_SQL_LIST_ALL, PG_SQL_LIST_ALL_END}, {PG_SQL_LIST_EVENT, PG_SQL_LIST_EVENT_END}},
        {{PG_SQL_LIST_ALL_OF_PLUGIN, PG_SQL_LIST_ALL_OF_PLUGIN_END},
         {PG_SQL_LIST_EVENT_OF_PLUGIN, PG_SQL_LIST_EVENT_OF_PLUGIN_END}},
    };
    return chunks[list->plugin != NULL][list->event != NULL];
}

/* Lists a chunk of deliveries: of the event, or of all. */
static int list_chunk(struct postgres_store *store, struct inbox_list *list, struct error *err) {
    struct chunk chunk = chunk_of(list);
    int cut = list_rows(store, list, chunk.rows, err);
    bool is_last = !list->plugin && !list->state && list->n_entries < SHARED_LIST_CHUNK_LEAST;
    if (cut != 0 || is_last) {
        return cut < 0 ? -1 : 0;
    }
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(chunk.end);
    bind_place(&query, list);
    if (list->event) {
        pg_query_text(&query, list->event);
    }
    if (pg_ask(store, &query, &result, err, "listing deliveries") < 0) {
        return -1;
    }
    if (PQntuples(result) > 0) {
        list->next = (struct inbox_list_position){.received_ms = pg_number(result, 0, 0),
                                                  .delivery = pg_number(result, 0, 1)};
    }
    return 0;
}

static int find_delivery(struct postgres_store *store, const char *guid, int64_t *delivery,
                         struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_DELIVERY_FIND);
    pg_query_text(&query, guid);
    return pg_ask_number(store, &query, delivery, err, "looking for a delivery");
}

/* Lists one delivery: 0, INBOX_UNKNOWN, -1. */
static int list_delivery(struct postgres_store *store, struct inbox_list *list, struct error *err) {
    int64_t delivery;
    int found = find_delivery(store, list->guid, &delivery, err);
    if (found <= 0) {
        return found < 0 ? -1 : INBOX_UNKNOWN;
    }
    struct pg_query query = pg_query_begin(PG_SQL_LIST_DELIVERY);
    pg_query_number(&query, delivery);
    return take_rows(store, list, &query, err) < 0 ? -1 : 0;
}

static int count_runs(struct postgres_store *store, enum postgres_sql sql, const char *plugin,
                      int64_t *runs, struct error *err) {
    struct pg_query query = pg_query_begin(sql);
    if (plugin) {
        pg_query_text(&query, plugin);
    }
    return pg_ask_number(store, &query, runs, err, "counting runs");
}

/* 1 and the statement that lists the few runs of the wanted state or plugin; 0: there are many. */
static int find_few(struct postgres_store *store, const struct inbox_list *list,
                    enum postgres_sql *sql, struct error *err) {
    static const struct {
        const char *state;
        enum postgres_sql count, list;
    } states[] = {{"queued", PG_SQL_LIST_COUNT_QUEUED, PG_SQL_LIST_QUEUED},
                  {"blocked", PG_SQL_LIST_COUNT_BLOCKED, PG_SQL_LIST_BLOCKED},
                  {"held", PG_SQL_LIST_COUNT_HELD, PG_SQL_LIST_HELD},
                  {"running", PG_SQL_LIST_COUNT_RUNNING, PG_SQL_LIST_RUNNING},
                  {"waiting", PG_SQL_LIST_COUNT_WAITING, PG_SQL_LIST_WAITING},
                  {"parked", PG_SQL_LIST_COUNT_PARKED, PG_SQL_LIST_PARKED},
                  {"dead", PG_SQL_LIST_COUNT_DEAD, PG_SQL_LIST_DEAD}};
    int64_t runs = 0;
    for (size_t i = 0; list->state && i < sizeof states / sizeof *states; i++) {
        if (strcmp(states[i].state, list->state) == 0) {
            if (count_runs(store, states[i].count, NULL, &runs, err) < 0) {
                return -1;
            }
            if (runs <= FEW_RUNS) {
                *sql = states[i].list;
                return 1;
            }
        }
    }
    if (list->plugin) {
        if (count_runs(store, PG_SQL_LIST_COUNT_PLUGIN, list->plugin, &runs, err) < 0) {
            return -1;
        }
        if (runs <= FEW_RUNS) {
            *sql = PG_SQL_LIST_PLUGIN;
            return 1;
        }
    }
    return 0;
}

static int list_settle(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    struct inbox_list *list = CONTAINER_OF(operation, struct inbox_list, operation);
    enum postgres_sql sql;
    if (list->guid) {
        int found = list_delivery(store, list, err);
        if (found > 0) {
            operation->result = found;
        }
        return found < 0 ? -1 : 0;
    }
    int few = find_few(store, list, &sql, err);
    if (few < 0) {
        return -1;
    }
    if (few > 0) {
        return list_rows(store, list, sql, err) < 0 ? -1 : 0;
    }
    return list_chunk(store, list, err);
}

const struct postgres_operation postgres_list = {.settle = list_settle};

static int body_settle(struct postgres_store *store, struct inbox_operation *operation,
                       struct error *err) {
    struct inbox_body *body = CONTAINER_OF(operation, struct inbox_body, operation);
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_DELIVERY_BODY);
    pg_query_text(&query, body->guid);
    if (pg_ask(store, &query, &result, err, "reading the body of a delivery") < 0) {
        return -1;
    }
    if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0)) {
        operation->result = PQntuples(result) == 0 ? INBOX_UNKNOWN : INBOX_PRUNED;
        return 0;
    }
    struct payload *stored = payload_new((size_t)PQgetlength(result, 0, 0));
    if (!stored) {
        return pg_no_memory(store, err, "reading the body of a delivery");
    }
    memcpy(stored->data, PQgetvalue(result, 0, 0), stored->bytes);
    store->broken = false;
    int unpacked = codec_unpack(pg_number(result, 0, 1), stored, (size_t)pg_number(result, 0, 2),
                                &body->body, err);
    payload_unref(stored);
    return unpacked == 0 ? 0 : -1;
}

const struct postgres_operation postgres_body = {.settle = body_settle};

static int lock_keys(struct postgres_store *store, int64_t delivery, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_ORDER_LOCK_DELIVERY);
    pg_query_number(&query, delivery);
    return pg_ask(store, &query, &result, err, "locking the keys of runs");
}

int postgres_lock_delivery(struct postgres_store *store, const char *guid, bool discards,
                           int64_t *delivery, bool *pruned, struct error *err) {
    AUTO_RESULT PGresult *found = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_DELIVERY_LOCK);
    pg_query_text(&query, guid);
    if (pg_ask(store, &query, &found, err, "looking for a delivery") < 0) {
        return -1;
    }
    if (PQntuples(found) == 0) {
        return 0;
    }
    *delivery = pg_number(found, 0, 0);
    *pruned = pg_bool(found, 0, 1);
    return discards && lock_keys(store, *delivery, err) < 0 ? -1 : 1;
}

int64_t postgres_change_runs(struct postgres_store *store, bool discards, int64_t delivery,
                             const char *plugin, int64_t at_ms, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(discards ? PG_SQL_RUNS_DISCARD : PG_SQL_RUNS_RERUN);
    pg_query_number(&query, at_ms);
    pg_query_number(&query, delivery);
    pg_query_text(&query, plugin);
    if (pg_ask(store, &query, &result, err, discards ? "discarding runs" : "making runs due") < 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const char *key = pg_text(result, row, 1);
        if (*key && postgres_promote(store, pg_text(result, row, 0), key, err) < 0) {
            return -1;
        }
    }
    return pg_changed(result);
}

static int change_settle(struct postgres_store *store, struct inbox_operation *operation,
                         struct error *err) {
    struct inbox_change *change = CONTAINER_OF(operation, struct inbox_change, operation);
    bool discards = operation->kind == INBOX_DISCARD, pruned;
    int64_t delivery;
    int found = postgres_lock_delivery(store, change->guid, discards, &delivery, &pruned, err);
    if (found <= 0 || (pruned && !discards)) {
        operation->result = found == 0 ? INBOX_UNKNOWN : INBOX_PRUNED;
        return found < 0 ? -1 : 0;
    }
    int64_t changed =
        postgres_change_runs(store, discards, delivery, change->plugin, change->now_ms, err);
    if (changed < 0) {
        return -1;
    }
    change->runs = (uint64_t)changed;
    operation->result = changed > 0 ? 0 : INBOX_UNCHANGED;
    return 0;
}

const struct postgres_operation postgres_change = {.settle = change_settle};
