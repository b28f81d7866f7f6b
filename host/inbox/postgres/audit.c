/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The audit and the limits that it counts, in PostgreSQL. */
#include "inbox/audit.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/holds.h"
#include "inbox/journal.h"
#include "inbox/postgres/operations.h"

#include <string.h>

/* 0: the plugin may send one more now; INBOX_INTEND_HOUR_FULL and `*until_ms`; -1. */
static int check_hour(struct postgres_store *store, const struct inbox_effect *effect,
                      int64_t at_ms, int64_t *until_ms, struct error *err) {
    int64_t counted_ms;
    if (effect->per_hour == 0) {
        return 0;
    }
    struct pg_query query = pg_query_begin(PG_SQL_AUDIT_HOUR);
    pg_query_text(&query, effect->plugin);
    pg_query_text(&query, effect->installation);
    pg_query_number(&query, at_ms - INBOX_HOUR_MS);
    pg_query_number(&query, at_ms);
    pg_query_number(&query, effect->per_hour - 1);
    int found = pg_ask_number(store, &query, &counted_ms, err, "counting effects");
    if (found <= 0) {
        return found;
    }
    *until_ms = counted_ms + INBOX_HOUR_MS;
    return INBOX_INTEND_HOUR_FULL;
}

/* ---- the loop breaker ---- */

/* 0: no hold; INBOX_INTEND_ITEM_HELD and `*until_ms`; -1. */
static int check_hold(struct postgres_store *store, const struct inbox_effect *effect,
                      int64_t at_ms, int64_t *until_ms, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_LOOP_HELD);
    pg_query_text(&query, effect->plugin);
    pg_query_shown(&query, effect->item);
    pg_query_number(&query, at_ms);
    int found = pg_ask_number(store, &query, until_ms, err, "looking for a hold");
    return found > 0 ? INBOX_INTEND_ITEM_HELD : found;
}

/* The last hold; zeros when there was none. 0, -1. */
static int read_loop(struct postgres_store *store, const struct inbox_effect *effect,
                     int64_t *began_ms, int64_t *wait_ms, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_LOOP_GET);
    pg_query_text(&query, effect->plugin);
    pg_query_shown(&query, effect->item);
    if (pg_ask(store, &query, &result, err, "looking for a loop") < 0) {
        return -1;
    }
    bool found = PQntuples(result) > 0;
    *began_ms = found ? pg_number(result, 0, 0) : 0;
    *wait_ms = found ? pg_number(result, 0, 1) : 0;
    return 0;
}

/* The effects since `from_ms`, at most one too many. 0, -1. */
static int count_item(struct postgres_store *store, const struct inbox_effect *effect,
                      int64_t from_ms, int64_t at_ms, int64_t *count, struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_AUDIT_ITEM);
    pg_query_text(&query, effect->plugin);
    pg_query_shown(&query, effect->item);
    pg_query_number(&query, from_ms);
    pg_query_number(&query, at_ms);
    pg_query_number(&query, INBOX_ITEM_EFFECTS_MAX);
    *count = 0;
    return pg_ask_number(store, &query, count, err, "counting effects") < 0 ? -1 : 0;
}

static int begin_hold(struct postgres_store *store, const struct inbox_effect *effect,
                      int64_t at_ms, int64_t wait_ms, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct inbox_hold hold;
    store_fill_loop_hold(effect, at_ms, wait_ms, &hold);
    if (postgres_write_hold(store, &hold, err) < 0) {
        return -1;
    }
    struct pg_query query = pg_query_begin(PG_SQL_LOOP_PUT);
    pg_query_text(&query, effect->plugin);
    pg_query_shown(&query, effect->item);
    pg_query_number(&query, at_ms);
    pg_query_number(&query, wait_ms);
    return pg_ask(store, &query, &result, err, "storing a loop");
}

/* 0: the plugin may make one more effect on the item; INBOX_INTEND_ITEM_HELD; -1. */
static int check_item(struct postgres_store *store, struct inbox_intend *intend, int64_t at_ms,
                      struct error *err) {
    const struct inbox_effect *effect = intend->effect;
    int64_t began_ms, wait_ms, count, from_ms = at_ms - INBOX_ITEM_WINDOW_MS;
    if (!*effect->item) {
        return 0;
    }
    int held = check_hold(store, effect, at_ms, &intend->wait_until_ms, err);
    if (held != 0) {
        return held;
    }
    if (count_item(store, effect, from_ms, at_ms, &count, err) < 0) {
        return -1;
    }
    if (count < INBOX_ITEM_EFFECTS_MAX) {
        return 0;
    }
    if (read_loop(store, effect, &began_ms, &wait_ms, err) < 0 ||
        (began_ms > from_ms && count_item(store, effect, began_ms, at_ms, &count, err) < 0)) {
        return -1;
    }
    if (count < INBOX_ITEM_EFFECTS_MAX) {
        return 0;
    }
    wait_ms = store_loop_wait_ms(at_ms, began_ms, wait_ms);
    intend->wait_until_ms = at_ms + wait_ms;
    intend->new_hold = true;
    return begin_hold(store, effect, at_ms, wait_ms, err) < 0 ? -1 : INBOX_INTEND_ITEM_HELD;
}

/* ---- the audit ---- */

int postgres_audit_intent(struct postgres_store *store, struct inbox_intend *intend,
                          struct error *err) {
    const struct inbox_effect *effect = intend->effect;
    if (!effect) {
        return 0;
    }
    const struct inbox_record *record = intend->writer.records[intend->writer.n_records - 1];
    enum inbox_audit_state state = store_audit_state(record);
    if (state == INBOX_AUDIT_INTENDED) {
        int full = check_item(store, intend, record->at_ms, err);
        if (full == 0) {
            full = check_hour(store, effect, record->at_ms, &intend->wait_until_ms, err);
        }
        if (full != 0) {
            return full;
        }
    }
    struct pg_query query = pg_query_begin(PG_SQL_AUDIT_ADD);
    pg_query_number(&query, record->at_ms);
    pg_query_text(&query, effect->plugin);
    pg_query_text(&query, effect->installation);
    pg_query_text(&query, effect->delivery);
    pg_query_shown(&query, effect->sender);
    pg_query_shown(&query, effect->item);
    pg_query_shown(&query, record->method);
    pg_query_shown(&query, record->url);
    pg_query_text(&query, inbox_audit_state_name(state));
    pg_query_bool(&query, state == INBOX_AUDIT_INTENDED);
    pg_query_number(&query, record->status);
    return pg_ask_number(store, &query, &intend->audit, err, "writing the audit") < 0 ? -1 : 0;
}

int postgres_audit_response(struct postgres_store *store, const struct inbox_complete *complete,
                            struct error *err) {
    if (complete->audit == 0) {
        return 0;
    }
    bool unsent = complete->record->state == INBOX_UNSENT;
    struct pg_query query = pg_query_begin(unsent ? PG_SQL_AUDIT_UNSENT : PG_SQL_AUDIT_COMPLETE);
    if (!unsent) {
        pg_query_number(&query, complete->record->status);
        pg_query_shown(&query, complete->request_id);
    }
    pg_query_number(&query, complete->audit);
    return pg_send(store, &query, err);
}

static int read_row(const PGresult *result, int row, struct inbox_audit_entry *entry) {
    *entry = (struct inbox_audit_entry){
        .at_ms = pg_number(result, row, 0),
        .plugin = strdup(pg_text(result, row, 1)),
        .installation = strdup(pg_text(result, row, 2)),
        .sender = strdup(pg_text(result, row, 3)),
        .item = strdup(pg_text(result, row, 4)),
        .method = strdup(pg_text(result, row, 5)),
        .url = strdup(pg_text(result, row, 6)),
        .state = strdup(pg_text(result, row, 7)),
        .status = (int32_t)pg_number(result, row, 8),
        .request_id = strdup(pg_text(result, row, 9)),
    };
    return entry->plugin && entry->installation && entry->sender && entry->item && entry->method &&
                   entry->url && entry->state && entry->request_id
               ? 0
               : -1;
}

static int read_send(struct postgres_store *store, struct inbox_operation *operation,
                     struct error *err) {
    struct pg_query query = pg_query_begin(PG_SQL_AUDIT_READ);
    pg_query_text(&query, CONTAINER_OF(operation, struct inbox_audit_read, operation)->delivery);
    return pg_send(store, &query, err);
}

static int read_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                     PGresult *result, struct error *err) {
    (void)nth;
    struct inbox_audit_read *read = CONTAINER_OF(operation, struct inbox_audit_read, operation);
    for (int row = 0; row < PQntuples(result); row++) {
        struct inbox_audit_entry *entry = ARRAY_ADD(read->entries, read->n_entries);
        if (!entry || read_row(result, row, entry) < 0) {
            return pg_no_memory(store, err, "reading the audit");
        }
    }
    return 0;
}

const struct postgres_operation postgres_audit_read = {.send = read_send, .take = read_take};
