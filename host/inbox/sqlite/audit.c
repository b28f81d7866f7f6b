/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The audit and the limits that it counts, in SQLite. */
#include "inbox/audit.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/holds.h"
#include "inbox/journal.h"
#include "inbox/sqlite/operations.h"

/* The plugin's effects in the installation that are newer than an hour before `at_ms`, also those
 * of a clock that was ahead, and at most effect->per_hour; or -1. */
static int64_t count_hour(struct sqlite_store *store, const struct inbox_effect *effect,
                          int64_t at_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_AUDIT_COUNT);
    query_text(&query, effect->plugin);
    query_text(&query, effect->installation);
    query_number(&query, at_ms - INBOX_HOUR_MS);
    query_number(&query, effect->per_hour);
    int step = query_step(&query, err, "counting effects");
    return step < 0 ? -1 : sqlite3_column_int64(query.statement, 0);
}

/* The same as check_hour(), but it reads the hour's effects. */
static int check_hour_exactly(struct sqlite_store *store, const struct inbox_effect *effect,
                              int64_t at_ms, int64_t *until_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_AUDIT_HOUR);
    query_text(&query, effect->plugin);
    query_text(&query, effect->installation);
    query_number(&query, at_ms - INBOX_HOUR_MS);
    query_number(&query, at_ms);
    query_number(&query, effect->per_hour - 1);
    int step = query_step(&query, err, "looking for the end of the hour");
    if (step <= 0) {
        return step;
    }
    *until_ms = sqlite3_column_int64(query.statement, 0) + INBOX_HOUR_MS;
    return INBOX_INTEND_HOUR_FULL;
}

/* 0: the plugin may send one more now; INBOX_INTEND_HOUR_FULL and `*until_ms`; -1. */
static int check_hour(struct sqlite_store *store, const struct inbox_effect *effect, int64_t at_ms,
                      int64_t *until_ms, struct error *err) {
    if (effect->per_hour == 0) {
        return 0;
    }
    struct effect_room *room = effect_rooms_find(&store->rooms, effect);
    if (room && effect_room_take(room, effect->per_hour, at_ms)) {
        return 0;
    }
    int64_t count = count_hour(store, effect, at_ms, err);
    if (count < 0) {
        return -1;
    }
    if (count >= effect->per_hour) {
        return check_hour_exactly(store, effect, at_ms, until_ms, err);
    }
    if (room) {
        effect_room_set(room, effect->per_hour, at_ms, count);
    }
    return 0;
}

/* ---- the loop breaker ---- */

/* 0: no hold; INBOX_INTEND_ITEM_HELD and `*until_ms`; -1. */
static int check_hold(struct sqlite_store *store, const struct inbox_effect *effect, int64_t at_ms,
                      int64_t *until_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_LOOP_HELD);
    query_text(&query, effect->plugin);
    query_text(&query, effect->item);
    query_number(&query, at_ms);
    int step = query_step(&query, err, "looking for a hold");
    if (step <= 0) {
        return step;
    }
    *until_ms = sqlite3_column_int64(query.statement, 0);
    return INBOX_INTEND_ITEM_HELD;
}

/* The last hold; zeros when there was none. 0, -1. */
static int read_loop(struct sqlite_store *store, const struct inbox_effect *effect,
                     int64_t *began_ms, int64_t *wait_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_LOOP_GET);
    query_text(&query, effect->plugin);
    query_text(&query, effect->item);
    int step = query_step(&query, err, "looking for a loop");
    *began_ms = step > 0 ? sqlite3_column_int64(query.statement, 0) : 0;
    *wait_ms = step > 0 ? sqlite3_column_int64(query.statement, 1) : 0;
    return step < 0 ? -1 : 0;
}

/* The effects since `from_ms`, at most one too many; or -1. */
static int64_t count_item(struct sqlite_store *store, const struct inbox_effect *effect,
                          int64_t from_ms, int64_t at_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_AUDIT_ITEM);
    query_text(&query, effect->plugin);
    query_text(&query, effect->item);
    query_number(&query, from_ms);
    query_number(&query, at_ms);
    query_number(&query, INBOX_ITEM_EFFECTS_MAX);
    int step = query_step(&query, err, "counting effects");
    return step < 0 ? -1 : sqlite3_column_int64(query.statement, 0);
}

static int begin_hold(struct sqlite_store *store, const struct inbox_effect *effect, int64_t at_ms,
                      int64_t wait_ms, struct error *err) {
    struct inbox_hold_change change = {.operation = {.kind = INBOX_HOLD_PUT}};
    store_fill_loop_hold(effect, at_ms, wait_ms, &change.hold);
    if (sqlite_hold_put(store, &change.operation, err) < 0) {
        return -1;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_LOOP_PUT);
    query_text(&query, effect->plugin);
    query_text(&query, effect->item);
    query_number(&query, at_ms);
    query_number(&query, wait_ms);
    return query_run(&query, err, "storing a loop");
}

/* 0: the plugin may make one more effect on the item; INBOX_INTEND_ITEM_HELD; -1. */
static int check_item(struct sqlite_store *store, struct inbox_intend *intend, int64_t at_ms,
                      struct error *err) {
    const struct inbox_effect *effect = intend->effect;
    int64_t began_ms, wait_ms;
    if (!*effect->item) {
        return 0;
    }
    int held = check_hold(store, effect, at_ms, &intend->wait_until_ms, err);
    if (held != 0) {
        return held;
    }
    if (read_loop(store, effect, &began_ms, &wait_ms, err) < 0) {
        return -1;
    }
    int64_t from_ms = at_ms - INBOX_ITEM_WINDOW_MS;
    int64_t count = count_item(store, effect, from_ms > began_ms ? from_ms : began_ms, at_ms, err);
    if (count < INBOX_ITEM_EFFECTS_MAX) {
        return count < 0 ? -1 : 0;
    }
    wait_ms = store_loop_wait_ms(at_ms, began_ms, wait_ms);
    intend->wait_until_ms = at_ms + wait_ms;
    intend->new_hold = true;
    return begin_hold(store, effect, at_ms, wait_ms, err) < 0 ? -1 : INBOX_INTEND_ITEM_HELD;
}

/* ---- the audit ---- */

int sqlite_audit_intent(struct sqlite_store *store, struct inbox_intend *intend,
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
    AUTO_QUERY struct query query = query_begin(store, SQL_AUDIT_ADD);
    query_number(&query, record->at_ms);
    query_text(&query, effect->plugin);
    query_text(&query, effect->installation);
    query_text(&query, effect->delivery);
    query_text(&query, effect->sender);
    query_text(&query, effect->item);
    query_text(&query, record->method);
    query_text(&query, record->url);
    query_text(&query, inbox_audit_state_name(state));
    query_number(&query, state == INBOX_AUDIT_INTENDED);
    query_number(&query, record->status);
    if (query_step(&query, err, "writing the audit") < 0) {
        return -1;
    }
    intend->audit = sqlite3_column_int64(query.statement, 0);
    return 0;
}

int sqlite_audit_response(struct sqlite_store *store, const struct inbox_complete *complete,
                          struct error *err) {
    if (complete->audit == 0) {
        return 0;
    }
    bool unsent = complete->record->state == INBOX_UNSENT;
    AUTO_QUERY struct query query =
        query_begin(store, unsent ? SQL_AUDIT_UNSENT : SQL_AUDIT_COMPLETE);
    if (!unsent) {
        query_number(&query, complete->record->status);
        query_text(&query, complete->request_id);
    }
    query_number(&query, complete->audit);
    return query_run(&query, err, "completing the audit");
}

static int read_row(sqlite3_stmt *row, struct inbox_audit_entry *entry) {
    *entry = (struct inbox_audit_entry){
        .at_ms = sqlite3_column_int64(row, 0),
        .plugin = column_text(row, 1),
        .installation = column_text(row, 2),
        .sender = column_text(row, 3),
        .item = column_text(row, 4),
        .method = column_text(row, 5),
        .url = column_text(row, 6),
        .state = column_text(row, 7),
        .status = sqlite3_column_int(row, 8),
        .request_id = column_text(row, 9),
    };
    return entry->plugin && entry->installation && entry->sender && entry->item && entry->method &&
                   entry->url && entry->state && entry->request_id
               ? 0
               : -1;
}

int sqlite_audit_read(struct sqlite_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct inbox_audit_read *read = CONTAINER_OF(operation, struct inbox_audit_read, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_AUDIT_READ);
    query_text(&query, read->delivery);
    int step;
    while ((step = query_step(&query, err, "reading the audit")) > 0) {
        struct inbox_audit_entry *entry = ARRAY_ADD(read->entries, read->n_entries);
        if (!entry || read_row(query.statement, entry) < 0) {
            return sqlite_no_memory(store, err, "reading the audit");
        }
    }
    return step;
}
