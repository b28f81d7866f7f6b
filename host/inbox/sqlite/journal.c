/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journals of runs, in SQLite. */
#include "inbox/sqlite/operations.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/list.h"
#include "inbox/admin.h"

#include <string.h>

/* Renews a lease that has less than half of its length left, because an effect may take that
 * long. */
int sqlite_held(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                struct error *err) {
    int64_t until_ms = 0;
    {
        AUTO_QUERY struct query query = query_begin(store, SQL_RUN_HELD);
        query_number(&query, writer->run);
        query_number(&query, writer->token);
        int step = query_step(&query, err, "checking a claim");
        if (step <= 0) {
            return step;
        }
        until_ms = sqlite3_column_int64(query.statement, 0);
    }
    bool lasts = until_ms - clock_monotonic_ms() > writer->lease_ms / 2;
    return lasts ? 1 : sqlite_renew_lease(store, writer->run, writer->token, writer->lease_ms, err);
}

/* ---- writing ---- */

static void bind_result(struct query *query, const struct inbox_record *record, int64_t outcome) {
    query_number(query, record->at_ms);
    query_number(query, outcome);
    query_number(query, record->status);
    query_text(query, record->message ? record->message : "");
    query_blob(query, record->headers.data, record->headers.bytes);
    query_blob(query, record->body.data, record->body.bytes);
}

static int write_record(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                        const struct inbox_record *record, int64_t outcome, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNAL_WRITE);
    query_number(&query, writer->run);
    query_number(&query, record->number);
    query_text(&query, store_record_kind_text(record->kind));
    query_text(&query, store_record_state_text(record->state));
    query_number(&query, writer->token);
    query_blob(&query, record->key, sizeof record->key);
    query_text(&query, record->marker);
    query_number(&query, record->dry);
    query_text(&query, record->method);
    query_text(&query, record->url);
    bind_result(&query, record, outcome);
    return query_run(&query, err, "writing a journal");
}

int sqlite_write_records(struct sqlite_store *store, const struct inbox_journal_writer *writer,
                         int64_t outcome, struct error *err) {
    for (size_t i = 0; i < writer->n_records; i++) {
        const struct inbox_record *record = writer->records[i];
        bool own = i + 1 == writer->n_records && record->kind == INBOX_CHANGE;
        if (write_record(store, writer, record, own ? outcome : record->outcome, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int sqlite_intend(struct sqlite_store *store, struct inbox_operation *operation,
                  struct error *err) {
    struct inbox_intend *intend = CONTAINER_OF(operation, struct inbox_intend, operation);
    const struct inbox_journal_writer *writer = &intend->writer;
    int held = sqlite_held(store, writer, err);
    if (held <= 0) {
        return held < 0 ? -1 : INBOX_STALE;
    }
    int audited = sqlite_audit_intent(store, intend, err);
    if (audited != 0) {
        return audited;
    }
    return sqlite_write_records(store, writer, 0, err);
}

int sqlite_complete(struct sqlite_store *store, struct inbox_operation *operation,
                    struct error *err) {
    const struct inbox_complete *complete =
        CONTAINER_OF(operation, const struct inbox_complete, operation);
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNAL_COMPLETE);
    query_text(&query, store_record_state_text(complete->record->state));
    bind_result(&query, complete->record, complete->record->outcome);
    query_number(&query, complete->run);
    query_number(&query, complete->record->number);
    query_number(&query, complete->token);
    if (query_run(&query, err, "completing an intent") < 0) {
        return -1;
    }
    return sqlite_audit_response(store, complete, err);
}

int sqlite_cut_back_journal(struct sqlite_store *store, int64_t run, struct error *err) {
    static const enum sqlite_sql steps[] = {SQL_JOURNAL_CUT_BACK, SQL_JOURNAL_CUT_RESPONSES};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        AUTO_QUERY struct query query = query_begin(store, steps[i]);
        query_number(&query, run);
        if (query_run(&query, err, "cutting back a journal") < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- reading ---- */

static const char *text_of(sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? text : "";
}

static int copy_blob(sqlite3_stmt *row, int column, struct buffer *out) {
    size_t bytes = (size_t)sqlite3_column_bytes(row, column);
    *out = (struct buffer)BUFFER_INIT(bytes);
    return bytes > 0 ? buffer_append(out, sqlite3_column_blob(row, column), bytes) : 0;
}

static int read_row(sqlite3_stmt *row, struct inbox_record *record) {
    *record = (struct inbox_record){
        .number = sqlite3_column_int64(row, 0),
        .kind = store_record_kind(text_of(row, 1)),
        .state = store_record_state(text_of(row, 2)),
        .dry = sqlite3_column_int(row, 5) != 0,
        .at_ms = sqlite3_column_int64(row, 6),
        .method = column_text(row, 7),
        .url = column_text(row, 8),
        .outcome = sqlite3_column_int64(row, 9),
        .status = sqlite3_column_int(row, 10),
        .message = column_text(row, 11),
        .token = sqlite3_column_int64(row, 14),
    };
    if (sqlite3_column_bytes(row, 3) == INBOX_KEY_BYTES) {
        memcpy(record->key, sqlite3_column_blob(row, 3), INBOX_KEY_BYTES);
    }
    column_copy(row, 4, record->marker, sizeof record->marker);
    int copied = copy_blob(row, 12, &record->headers) | copy_blob(row, 13, &record->body);
    return copied < 0 || !record->method || !record->url || !record->message ? -1 : 0;
}

int sqlite_read_records(struct sqlite_store *store, int64_t run, struct inbox_record **records,
                        size_t *n_records, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNAL_READ);
    query_number(&query, run);
    int step;
    while ((step = query_step(&query, err, "reading a journal")) > 0) {
        struct inbox_record *record = ARRAY_ADD(*records, *n_records);
        if (!record || read_row(query.statement, record) < 0) {
            return sqlite_no_memory(store, err, "reading a journal");
        }
    }
    return step;
}

int sqlite_journal_read(struct sqlite_store *store, struct inbox_operation *operation,
                        struct error *err) {
    struct inbox_journal_read *read = CONTAINER_OF(operation, struct inbox_journal_read, operation);
    return sqlite_read_records(store, read->run, &read->records, &read->n_records, err);
}
