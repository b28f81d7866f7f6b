/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operators' requests to the SQLite store: lists, bodies, and runs that they retry or
 * discard. */
#include "inbox/common/codec.h"
#include "inbox/sql/shared.h"
#include "inbox/sqlite/operations.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/admin.h"

#include <string.h>

/* So many runs of one state or plugin are listed in one operation: see SHARED_LIST_COUNT. More of
 * them are found among the deliveries, one chunk an operation. */
#define FEW_RUNS 5000

/* Adds a row of a SQL_LIST* statement to the list. */
static int take_row(struct sqlite_store *store, struct inbox_list *list, sqlite3_stmt *row,
                    struct error *err) {
    struct inbox_entry *entry = ARRAY_ADD(list->entries, list->n_entries);
    if (!entry || sqlite_entry(row, entry) < 0) {
        return sqlite_no_memory(store, err, "listing deliveries");
    }
    return 0;
}

/* Binds from where on, and since when, a list goes. */
static void bind_place(struct query *query, const struct inbox_list *list) {
    bool first = list->before.delivery == 0;
    query_number(query, first ? INT64_MAX : list->before.received_ms);
    query_number(query, first ? INT64_MAX : list->before.delivery);
    query_number(query, list->since_ms);
}

/* Takes the rows of a SQL_LIST* statement. 1 when it stopped at `most`; then list->next is set. */
static int take_rows(struct sqlite_store *store, struct inbox_list *list, struct query *query,
                     struct error *err) {
    int step;
    while ((step = query_step(query, err, "listing deliveries")) > 0) {
        int64_t delivery = sqlite3_column_int64(query->statement, 0);
        const struct inbox_entry *last =
            list->n_entries > 0 ? &list->entries[list->n_entries - 1] : NULL;
        if (last && list->n_entries >= list->most && last->delivery != delivery) {
            list->next = (struct inbox_list_position){last->received_ms, last->delivery};
            return 1;
        }
        if (take_row(store, list, query->statement, err) < 0) {
            return -1;
        }
    }
    return step;
}

static int list_rows(struct sqlite_store *store, struct inbox_list *list, enum sqlite_sql sql,
                     struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    bind_place(&query, list);
    /* NULL is bound as NULL. */
    query_text(&query, list->event);
    query_text(&query, list->plugin);
    query_text(&query, list->state);
    return take_rows(store, list, &query, err);
}

/* The statements that list a chunk of deliveries and find its end. */
struct chunk {
    enum sqlite_sql rows, end;
};

static struct chunk chunk_of(const struct inbox_list *list) {
    static const struct chunk chunks[2][2] = {
        {{SQL_LIST_ALL, SQL_LIST_ALL_END}, {SQL_LIST_EVENT, SQL_LIST_EVENT_END}},
        {{SQL_LIST_ALL_OF_PLUGIN, SQL_LIST_ALL_OF_PLUGIN_END},
         {SQL_LIST_EVENT_OF_PLUGIN, SQL_LIST_EVENT_OF_PLUGIN_END}},
    };
    return chunks[list->plugin != NULL][list->event != NULL];
}

/* Lists a chunk of deliveries: of the event, or of all. */
static int list_chunk(struct sqlite_store *store, struct inbox_list *list, struct error *err) {
    struct chunk chunk = chunk_of(list);
    int cut = list_rows(store, list, chunk.rows, err);
    bool is_last = !list->plugin && !list->state && list->n_entries < SHARED_LIST_CHUNK_LEAST;
    if (cut != 0 || is_last) {
        return cut < 0 ? -1 : 0;
    }
    AUTO_QUERY struct query query = query_begin(store, chunk.end);
    bind_place(&query, list);
    if (list->event) {
        query_text(&query, list->event);
    }
    int step = query_step(&query, err, "listing deliveries");
    if (step > 0) {
        list->next =
            (struct inbox_list_position){.received_ms = sqlite3_column_int64(query.statement, 0),
                                         .delivery = sqlite3_column_int64(query.statement, 1)};
    }
    return step < 0 ? -1 : 0;
}

/* Lists one delivery. */
static int list_delivery(struct sqlite_store *store, struct inbox_list *list, struct error *err) {
    int64_t delivery;
    int found = sqlite_find_delivery(store, list->guid, &delivery, err);
    if (found <= 0) {
        return found < 0 ? -1 : INBOX_UNKNOWN;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_LIST_DELIVERY);
    query_number(&query, delivery);
    return take_rows(store, list, &query, err) < 0 ? -1 : 0;
}

static int count_runs(struct sqlite_store *store, enum sqlite_sql sql, const char *plugin,
                      int64_t *runs, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    if (plugin) {
        query_text(&query, plugin);
    }
    if (query_step(&query, err, "counting runs") < 0) {
        return -1;
    }
    *runs = sqlite3_column_int64(query.statement, 0);
    return 0;
}

/* 1 and the statement that lists the few runs of the wanted state or plugin; 0: there are many. */
static int find_few(struct sqlite_store *store, const struct inbox_list *list, enum sqlite_sql *sql,
                    struct error *err) {
    static const struct {
        const char *state;
        enum sqlite_sql count, list;
    } states[] = {{"queued", SQL_LIST_COUNT_QUEUED, SQL_LIST_QUEUED},
                  {"blocked", SQL_LIST_COUNT_BLOCKED, SQL_LIST_BLOCKED},
                  {"held", SQL_LIST_COUNT_HELD, SQL_LIST_HELD},
                  {"running", SQL_LIST_COUNT_RUNNING, SQL_LIST_RUNNING},
                  {"waiting", SQL_LIST_COUNT_WAITING, SQL_LIST_WAITING},
                  {"parked", SQL_LIST_COUNT_PARKED, SQL_LIST_PARKED},
                  {"dead", SQL_LIST_COUNT_DEAD, SQL_LIST_DEAD}};
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
        if (count_runs(store, SQL_LIST_COUNT_PLUGIN, list->plugin, &runs, err) < 0) {
            return -1;
        }
        if (runs <= FEW_RUNS) {
            *sql = SQL_LIST_PLUGIN;
            return 1;
        }
    }
    return 0;
}

int sqlite_list(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_list *list = CONTAINER_OF(operation, struct inbox_list, operation);
    enum sqlite_sql sql;
    if (list->guid) {
        return list_delivery(store, list, err);
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

/* Reads how the store keeps the body of an existing delivery. 0, INBOX_PRUNED, or -1. */
static int look_at_body(struct sqlite_store *store, int64_t delivery, int64_t *codec,
                        size_t *body_bytes, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_DELIVERY_BODY);
    query_number(&query, delivery);
    if (query_step(&query, err, "looking at a delivery's body") < 0) {
        return -1;
    }
    *codec = sqlite3_column_int64(query.statement, 1);
    *body_bytes = (size_t)sqlite3_column_int64(query.statement, 2);
    return sqlite3_column_int(query.statement, 0) ? INBOX_PRUNED : 0;
}

int sqlite_body(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_body *body = CONTAINER_OF(operation, struct inbox_body, operation);
    int64_t delivery, codec;
    size_t body_bytes;
    int found = sqlite_find_delivery(store, body->guid, &delivery, err);
    if (found <= 0) {
        return found < 0 ? -1 : INBOX_UNKNOWN;
    }
    int pruned = look_at_body(store, delivery, &codec, &body_bytes, err);
    if (pruned != 0) {
        return pruned;
    }
    struct payload *stored = NULL;
    if (sqlite_read_body(store, delivery, &stored, err) < 0) {
        return -1;
    }
    store->broken = false;
    int unpacked = codec_unpack(codec, stored, body_bytes, &body->body, err);
    payload_unref(stored);
    return unpacked == 0 ? 0 : -1;
}

/* A discarded run, whose key is free now. */
struct ended {
    char plugin[INBOX_NAME_MAX + 1];
    char key[INBOX_ORDER_KEY_MAX + 1];
};

/* Changes the delivery's runs, and lists them if the statement returns them. */
static int update_runs(struct sqlite_store *store, enum sqlite_sql sql, int64_t delivery,
                       const char *plugin, int64_t at_ms, struct ended **ended, size_t *n_ended,
                       struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    query_number(&query, at_ms);
    query_number(&query, delivery);
    query_text(&query, plugin);
    int step;
    while ((step = query_step(&query, err, "changing runs")) > 0) {
        struct ended *one = ARRAY_ADD(*ended, *n_ended);
        if (!one) {
            return sqlite_no_memory(store, err, "changing runs");
        }
        column_copy(query.statement, 0, one->plugin, sizeof one->plugin);
        column_copy(query.statement, 1, one->key, sizeof one->key);
    }
    return step < 0 ? -1 : sqlite3_changes(store->db);
}

int sqlite_change_runs(struct sqlite_store *store, bool discards, int64_t delivery,
                       const char *plugin, int64_t at_ms, struct error *err) {
    AUTO_FREE struct ended *ended = NULL;
    size_t n_ended = 0;
    int changed = update_runs(store, discards ? SQL_RUNS_DISCARD : SQL_RUNS_RERUN, delivery, plugin,
                              at_ms, &ended, &n_ended, err);
    for (size_t i = 0; changed > 0 && i < n_ended; i++) {
        if (*ended[i].key && sqlite_promote(store, ended[i].plugin, ended[i].key, NULL, err) < 0) {
            return -1;
        }
    }
    return changed;
}

int sqlite_is_pruned(struct sqlite_store *store, int64_t delivery, struct error *err) {
    int64_t codec;
    size_t body_bytes;
    int pruned = look_at_body(store, delivery, &codec, &body_bytes, err);
    return pruned < 0 ? -1 : pruned == INBOX_PRUNED;
}

static int change_runs(struct sqlite_store *store, struct inbox_operation *operation, bool discards,
                       struct error *err) {
    struct inbox_change *change = CONTAINER_OF(operation, struct inbox_change, operation);
    int64_t delivery;
    int found = sqlite_find_delivery(store, change->guid, &delivery, err);
    if (found <= 0) {
        return found < 0 ? -1 : INBOX_UNKNOWN;
    }
    /* A run cannot run again without its body. */
    int pruned = discards ? 0 : sqlite_is_pruned(store, delivery, err);
    if (pruned != 0) {
        return pruned < 0 ? -1 : INBOX_PRUNED;
    }
    int changed =
        sqlite_change_runs(store, discards, delivery, change->plugin, change->now_ms, err);
    if (changed < 0) {
        return -1;
    }
    change->runs = (uint64_t)changed;
    return changed > 0 ? 0 : INBOX_UNCHANGED;
}

int sqlite_rerun(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    return change_runs(store, operation, false, err);
}

int sqlite_discard(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    return change_runs(store, operation, true, err);
}
