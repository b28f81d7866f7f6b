/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journals of runs, in PostgreSQL. */
#include "inbox/postgres/operations.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/list.h"
#include "inbox/admin.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

int postgres_held(struct postgres_store *store, const struct inbox_journal_writer *writer,
                  struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    int64_t left_ms;
    struct pg_query query = pg_query_begin(PG_SQL_RUN_HELD);
    pg_query_number(&query, writer->run);
    pg_query_number(&query, writer->token);
    int held = pg_ask_number(store, &query, &left_ms, err, "checking a claim");
    if (held <= 0 || left_ms > writer->lease_ms / 2) {
        return held;
    }
    query = pg_query_begin(PG_SQL_RUN_LEASE_CHECK);
    pg_query_number(&query, writer->lease_ms);
    pg_query_number(&query, writer->run);
    pg_query_number(&query, writer->token);
    return pg_ask(store, &query, &result, err, "renewing a lease") < 0 ? -1 : 1;
}

static void bind_result(struct pg_query *query, const struct inbox_record *record,
                        int64_t outcome) {
    pg_query_number(query, record->at_ms);
    pg_query_number(query, outcome);
    pg_query_number(query, record->status);
    pg_query_shown(query, record->message ? record->message : "");
    pg_query_blob(query, record->headers.data, record->headers.bytes);
    pg_query_blob(query, record->body.data, record->body.bytes);
}

static int write_record(struct postgres_store *store, const struct inbox_journal_writer *writer,
                        const struct inbox_record *record, int64_t outcome, struct error *err) {
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_JOURNAL_WRITE);
    pg_query_number(&query, writer->run);
    pg_query_number(&query, record->number);
    pg_query_text(&query, store_record_kind_text(record->kind));
    pg_query_text(&query, store_record_state_text(record->state));
    pg_query_number(&query, writer->token);
    pg_query_blob(&query, record->key, sizeof record->key);
    pg_query_text(&query, record->marker);
    pg_query_bool(&query, record->dry);
    pg_query_shown(&query, record->method);
    pg_query_shown(&query, record->url);
    bind_result(&query, record, outcome);
    return pg_ask(store, &query, &result, err, "writing a journal");
}

int postgres_write_records(struct postgres_store *store, const struct inbox_journal_writer *writer,
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

static int intend_settle(struct postgres_store *store, struct inbox_operation *operation,
                         struct error *err) {
    struct inbox_intend *intend = CONTAINER_OF(operation, struct inbox_intend, operation);
    int held = postgres_held(store, &intend->writer, err);
    if (held <= 0) {
        operation->result = held == 0 ? INBOX_STALE : 0;
        return held;
    }
    int audited = postgres_audit_intent(store, intend, err);
    if (audited != 0) {
        operation->result = audited > 0 ? audited : 0;
        return audited < 0 ? -1 : 0;
    }
    return postgres_write_records(store, &intend->writer, 0, err);
}

const struct postgres_operation postgres_intend = {.settle = intend_settle};

static int complete_send(struct postgres_store *store, struct inbox_operation *operation,
                         struct error *err) {
    const struct inbox_complete *complete =
        CONTAINER_OF(operation, struct inbox_complete, operation);
    struct pg_query query = pg_query_begin(PG_SQL_JOURNAL_COMPLETE);
    pg_query_text(&query, store_record_state_text(complete->record->state));
    bind_result(&query, complete->record, complete->record->outcome);
    pg_query_number(&query, complete->run);
    pg_query_number(&query, complete->record->number);
    pg_query_number(&query, complete->token);
    return pg_send(store, &query, err) < 0 ? -1 : postgres_audit_response(store, complete, err);
}

const struct postgres_operation postgres_complete = {.send = complete_send};

/* ---- reading ---- */

static int copy_blob(const PGresult *result, int row, int column, struct buffer *out) {
    size_t bytes = (size_t)PQgetlength(result, row, column);
    *out = (struct buffer)BUFFER_INIT(bytes);
    return bytes > 0 ? buffer_append(out, PQgetvalue(result, row, column), bytes) : 0;
}

static int read_row(const PGresult *result, int row, struct inbox_record *record) {
    *record = (struct inbox_record){
        .number = pg_number(result, row, 1),
        .kind = store_record_kind(pg_text(result, row, 2)),
        .state = store_record_state(pg_text(result, row, 3)),
        .dry = pg_bool(result, row, 6),
        .at_ms = pg_number(result, row, 7),
        .method = strdup(pg_text(result, row, 8)),
        .url = strdup(pg_text(result, row, 9)),
        .outcome = pg_number(result, row, 10),
        .status = (int32_t)pg_number(result, row, 11),
        .message = strdup(pg_text(result, row, 12)),
        .token = pg_number(result, row, 15),
    };
    if (PQgetlength(result, row, 4) == INBOX_KEY_BYTES) {
        memcpy(record->key, PQgetvalue(result, row, 4), INBOX_KEY_BYTES);
    }
    pg_copy(result, row, 5, record->marker, sizeof record->marker);
    int copied =
        copy_blob(result, row, 13, &record->headers) | copy_blob(result, row, 14, &record->body);
    return copied < 0 || !record->method || !record->url || !record->message ? -1 : 0;
}

static int add_record(struct inbox_record **records, size_t *n_records, const PGresult *result,
                      int row) {
    struct inbox_record *record = ARRAY_ADD(*records, *n_records);
    return record ? read_row(result, row, record) : -1;
}

int postgres_take_journals(struct postgres_store *store, struct inbox_claim *claim,
                           const PGresult *result, struct error *err) {
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < claim->n_runs; i++) {
            if (claim->runs[i].id == pg_number(result, row, 0) &&
                add_record(&claim->runs[i].journal, &claim->runs[i].n_journal, result, row) < 0) {
                return pg_no_memory(store, err, "reading journals");
            }
        }
    }
    return 0;
}

static int journal_settle(struct postgres_store *store, struct inbox_operation *operation,
                          struct error *err) {
    struct inbox_journal_read *journal =
        CONTAINER_OF(operation, struct inbox_journal_read, operation);
    AUTO_RESULT PGresult *result = NULL;
    struct pg_query query = pg_query_begin(PG_SQL_JOURNALS_READ);
    pg_query_take(&query, store_list_numbers("{}", &journal->run, 1));
    if (pg_ask(store, &query, &result, err, "reading a journal") < 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (add_record(&journal->records, &journal->n_records, result, row) < 0) {
            return pg_no_memory(store, err, "reading a journal");
        }
    }
    return 0;
}

const struct postgres_operation postgres_journal_read = {.settle = journal_settle};
