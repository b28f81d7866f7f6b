/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The audit and the limits that it counts, in PostgreSQL. */
#include "inbox/audit.h"

#include "base/array.h"
#include "base/list.h"
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

int postgres_audit_intent(struct postgres_store *store, struct inbox_intend *intend,
                          struct error *err) {
    const struct inbox_effect *effect = intend->effect;
    if (!effect) {
        return 0;
    }
    const struct inbox_record *record = intend->writer.records[intend->writer.n_records - 1];
    enum inbox_audit_state state = store_audit_state(record);
    if (state == INBOX_AUDIT_INTENDED) {
        int full = check_hour(store, effect, record->at_ms, &intend->wait_until_ms, err);
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
