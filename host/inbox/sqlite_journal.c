/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journals of runs, in SQLite. */
#include "inbox/sqlite_store.h"

#include "base/clock.h"

#include <string.h>

static const char *const kinds[] = {
    [INBOX_READ] = "read", [INBOX_EFFECT] = "effect", [INBOX_CHANGE] = "change"};
static const char *const states[] = {
    [INBOX_INTENDED] = "intended", [INBOX_COMPLETED] = "completed", [INBOX_UNSENT] = "unsent"};

/* An effect may take as long as half of a lease. */
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

static void bind_answer(struct query *query, const struct inbox_record *record, int64_t outcome) {
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
    query_text(&query, kinds[record->kind]);
    query_text(&query, states[record->state]);
    query_number(&query, writer->token);
    query_blob(&query, record->key, sizeof record->key);
    query_text(&query, record->marker);
    query_number(&query, record->dry);
    query_text(&query, record->method);
    query_text(&query, record->url);
    bind_answer(&query, record, outcome);
    return query_run(&query, err, "writing a journal");
}

int sqlite_journal_write(struct sqlite_store *store, const struct inbox_journal_writer *writer,
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

int sqlite_intend(struct sqlite_store *store, const struct inbox_intend *intend,
                  struct error *err) {
    const struct inbox_journal_writer *writer = &intend->writer;
    int held = sqlite_held(store, writer, err);
    if (held <= 0) {
        return held < 0 ? -1 : INBOX_STALE;
    }
    return sqlite_journal_write(store, writer, 0, err);
}

int sqlite_complete(struct sqlite_store *store, const struct inbox_complete *answer,
                    struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNAL_COMPLETE);
    query_text(&query, states[answer->record->state]);
    bind_answer(&query, answer->record, answer->record->outcome);
    query_number(&query, answer->run);
    query_number(&query, answer->record->number);
    query_number(&query, answer->token);
    return query_run(&query, err, "writing an answer into a journal");
}

int sqlite_journal_cut_back(struct sqlite_store *store, int64_t run, struct error *err) {
    static const enum sqlite_sql steps[] = {SQL_JOURNAL_CUT_BACK, SQL_JOURNAL_CUT_ANSWERS};
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

static unsigned index_of(const char *const *names, unsigned count, sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    unsigned i = 0;
    while (i + 1 < count && (!text || strcmp(names[i], text) != 0)) {
        i++;
    }
    return i;
}

static char *copy_text(sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    return strdup(text ? text : "");
}

static int copy_blob(sqlite3_stmt *row, int column, struct buffer *out) {
    size_t bytes = (size_t)sqlite3_column_bytes(row, column);
    *out = (struct buffer)BUFFER_INIT(bytes);
    return bytes > 0 ? buffer_append(out, sqlite3_column_blob(row, column), bytes) : 0;
}

static int read_row(sqlite3_stmt *row, struct inbox_record *record) {
    *record = (struct inbox_record){
        .number = sqlite3_column_int64(row, 0),
        .kind = (enum inbox_record_kind)index_of(kinds, 3, row, 1),
        .state = (enum inbox_record_state)index_of(states, 3, row, 2),
        .dry = sqlite3_column_int(row, 5) != 0,
        .at_ms = sqlite3_column_int64(row, 6),
        .method = copy_text(row, 7),
        .url = copy_text(row, 8),
        .outcome = sqlite3_column_int64(row, 9),
        .status = sqlite3_column_int(row, 10),
        .message = copy_text(row, 11),
    };
    if (sqlite3_column_bytes(row, 3) == INBOX_KEY_BYTES) {
        memcpy(record->key, sqlite3_column_blob(row, 3), INBOX_KEY_BYTES);
    }
    const char *marker = (const char *)sqlite3_column_text(row, 4);
    (void)snprintf(record->marker, sizeof record->marker, "%s", marker ? marker : "");
    int copied = copy_blob(row, 12, &record->headers) | copy_blob(row, 13, &record->body);
    return copied < 0 || !record->method || !record->url || !record->message ? -1 : 0;
}

int sqlite_journal_read(struct sqlite_store *store, int64_t run, struct inbox_record **records,
                        size_t *n_records, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNAL_READ);
    query_number(&query, run);
    int step;
    while ((step = query_step(&query, err, "reading a journal")) > 0) {
        struct inbox_record *longer = reallocarray(*records, *n_records + 1, sizeof *longer);
        if (longer) {
            *records = longer;
        }
        if (!longer || read_row(query.statement, &longer[(*n_records)++]) < 0) {
            return sqlite_no_memory(store, err, "reading a journal");
        }
    }
    return step;
}
