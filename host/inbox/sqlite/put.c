/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stores a delivery and queues its runs, in SQLite. */
#include "inbox/common/codec.h"
#include "inbox/common/name_filter.h"
#include "inbox/sqlite/operations.h"

#include "base/clock.h"
#include "base/list.h"

#include <string.h>

/* A larger body is written piece by piece. SQLite copies a bound value whole into the row's record,
 * and GitHub sends bodies of up to 25 MiB. */
#define BODY_BOUND_MAX ((size_t)1 << 20)
#define BODY_PIECE ((size_t)256 << 10)

static int write_pieces(struct sqlite_store *store, int64_t delivery, const char *body,
                        size_t bytes, struct error *err) {
    const char *what = "storing the body of a delivery";
    sqlite3_blob *blob = NULL;
    if (sqlite3_blob_open(store->db, "main", "deliveries", "body", delivery, 1, &blob) !=
        SQLITE_OK) {
        return sqlite_fail(store, err, what); /* blob stays NULL */
    }
    for (size_t at = 0; at < bytes; at += BODY_PIECE) {
        size_t left = bytes - at;
        int piece = (int)(left < BODY_PIECE ? left : BODY_PIECE);
        if (sqlite3_blob_write(blob, body + at, piece, (int)at) != SQLITE_OK) {
            sqlite_fail(store, err, what);
            sqlite3_blob_close(blob);
            return -1;
        }
    }
    return sqlite3_blob_close(blob) == SQLITE_OK ? 0 : sqlite_fail(store, err, what);
}

/* Inserts the delivery, or writes it over the one with the id `*delivery` when that is not 0. */
static int write_delivery(struct sqlite_store *store, const struct inbox_put *put,
                          int64_t *delivery, struct error *err) {
    const char *body = put->packed ? put->packed : put->body;
    size_t bytes = put->packed ? put->packed_bytes : put->body_bytes;
    bool in_pieces = bytes > BODY_BOUND_MAX;
    {
        AUTO_QUERY struct query query =
            query_begin(store, *delivery ? SQL_DELIVERY_REPLACE : SQL_DELIVERY_INSERT);
        query_text(&query, put->event);
        query_text(&query, put->action);
        query_text(&query, put->installation);
        query_text(&query, put->repository);
        query_text(&query, put->sender);
        query_text(&query, put->item);
        query_number(&query, put->received_ms);
        query_number(&query, put->packed ? CODEC_LZ4 : CODEC_RAW);
        query_number(&query, (int64_t)put->body_bytes);
        if (in_pieces) {
            query_zeros(&query, bytes);
        } else {
            query_blob(&query, body, bytes);
        }
        if (*delivery) {
            query_number(&query, *delivery);
        } else {
            query_text(&query, put->guid);
        }
        if (query_run(&query, err, "storing a delivery") < 0) {
            return -1;
        }
    }
    if (!*delivery) {
        *delivery = sqlite3_last_insert_rowid(store->db);
    }
    return in_pieces ? write_pieces(store, *delivery, body, bytes, err) : 0;
}

/* Reads until when the delivery's installation waits for a rate limit; 0 when it does not wait. */
static int read_wait(struct sqlite_store *store, const struct inbox_put *put, int64_t *until_ms,
                     struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RATE_LIMIT_GET);
    query_text(&query, put->installation);
    int step = query_step(&query, err, "looking for a wait");
    int64_t end_ms = step > 0 ? sqlite3_column_int64(query.statement, 0) : 0;
    *until_ms = end_ms > put->due_ms ? end_ms : 0;
    return step < 0 ? -1 : 0;
}

/* Inserts the run, or queues it again if the delivery was `seen` before. `until_ms` is that of
 * read_wait(). A run that existed before may have a journal, and only a claim reads journals. So
 * such a run is not leased. */
static int queue_run(struct sqlite_store *store, int64_t delivery, const struct inbox_put *put,
                     struct inbox_put_run *run, int64_t until_ms, bool seen, struct error *err) {
    char key[INBOX_ORDER_KEY_MAX + 1];
    inbox_order_key(put, run->order, key);
    int is_free = key[0] ? sqlite_key_is_free(store, run->plugin, key, err) : 1;
    if (is_free < 0) {
        return -1;
    }
    bool leased = run->leased && !seen && until_ms == 0 && is_free;
    const char *waits = is_free ? "queued" : "blocked";
    AUTO_QUERY struct query query = query_begin(store, seen ? SQL_RUN_QUEUE : SQL_RUN_INSERT);
    query_number(&query, delivery);
    query_text(&query, run->plugin);
    query_number(&query, until_ms > 0 ? until_ms : put->due_ms);
    query_text(&query, leased ? "running" : waits);
    query_number(&query, leased);
    query_number(&query, leased ? put->host : 0);
    query_number(&query, leased ? run->token : 0);
    query_number(&query, leased ? clock_monotonic_ms() + put->lease_ms : 0);
    query_text(&query, put->installation);
    query_text(&query, key);
    query_number(&query, run->replaceable ? run->coalesce_key : 0);
    if (query_step(&query, err, "queueing a run") < 0) {
        return -1;
    }
    int64_t id =
        seen ? sqlite3_column_int64(query.statement, 0) : sqlite3_last_insert_rowid(store->db);
    run->id = run->leased && !leased ? 0 : id;
    return 0;
}

static int queue_runs(struct sqlite_store *store, int64_t delivery, const struct inbox_put *put,
                      bool seen, struct error *err) {
    int64_t until_ms = 0;
    if (put->n_runs > 0 && read_wait(store, put, &until_ms, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < put->n_runs; i++) {
        put->runs[i].token = put->first_token + (int64_t)i;
        if (queue_run(store, delivery, put, &put->runs[i], until_ms, seen, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int sqlite_find_delivery(struct sqlite_store *store, const char *guid, int64_t *delivery,
                         struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_DELIVERY_FIND);
    query_text(&query, guid);
    int step = query_step(&query, err, "looking for a delivery");
    if (step > 0) {
        *delivery = sqlite3_column_int64(query.statement, 0);
    }
    return step;
}

static int is_unfinished(struct sqlite_store *store, int64_t delivery, const char *configured,
                         struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_UNFINISHED);
    query_number(&query, delivery);
    query_text(&query, configured);
    return query_step(&query, err, "looking for a delivery's runs");
}

static int hasten_retries(struct sqlite_store *store, int64_t delivery, int64_t due_ms,
                          struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_HASTEN);
    query_number(&query, due_ms);
    query_number(&query, delivery);
    return query_run(&query, err, "making retries due");
}

static int drop_journals(struct sqlite_store *store, int64_t delivery, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_JOURNALS_DROP);
    query_number(&query, delivery);
    return query_run(&query, err, "dropping journals");
}

static int grant(struct sqlite_store *store, const struct inbox_put *put, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_GRANT);
    query_text(&query, put->installation);
    query_text(&query, put->guid);
    return query_run(&query, err, "recording a grant");
}

static int uninstall(struct sqlite_store *store, const struct inbox_put *put, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_UNINSTALL);
    query_number(&query, put->received_ms);
    query_text(&query, put->installation);
    query_text(&query, put->guid);
    return query_run(&query, err, "ending parked runs") < 0
               ? -1
               : sqlite_uninstall_timers(store, put->installation, err);
}

/* Also for a duplicate, because the change of the installation is a fact. */
static int unpark(struct sqlite_store *store, struct inbox_put *put, struct error *err) {
    if (store_uninstalls(put)) {
        return uninstall(store, put, err);
    }
    if (!store_grants(put)) {
        return 0;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_RUNS_UNPARK);
    query_number(&query, put->due_ms);
    query_text(&query, put->installation);
    if (query_run(&query, err, "making parked runs due") < 0) {
        return -1;
    }
    put->unparked = sqlite3_changes64(store->db);
    return grant(store, put, err);
}

/* The GUID is known. Only a redelivery that a person requested runs a finished delivery again, and
 * only such a redelivery makes a run due that waits for its retry. 1 a duplicate, 0 not, -1. */
static int is_duplicate(struct sqlite_store *store, const struct inbox_put *put, int64_t delivery,
                        struct error *err) {
    bool again = put->pulled && !put->took_entry;
    bool is_known = put->fetched || put->firing || again;
    int requested = is_known ? 1 : sqlite_redelivery_arrived(store, put->guid, err);
    if (requested != 0) {
        return requested < 0 ? -1 : 1;
    }
    int unfinished = is_unfinished(store, delivery, put->configured, err);
    if (unfinished < 0 || (unfinished && hasten_retries(store, delivery, put->due_ms, err) < 0)) {
        return -1;
    }
    return unfinished;
}

/* The delivery may have other names and plugins now than its filter (console.h) has. */
static int open_filter(struct sqlite_store *store, int64_t delivery, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_CONSOLE + CONSOLE_FILTERS_OPEN);
    query_blob(&query, name_filter_open, sizeof name_filter_open);
    query_number(&query, delivery);
    return query_run(&query, err, "storing a delivery again");
}

int sqlite_put(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_put *put = CONTAINER_OF(operation, struct inbox_put, operation);
    int64_t delivery = 0;
    int seen = sqlite_find_delivery(store, put->guid, &delivery, err);
    if (seen < 0 || (put->pulled && sqlite_take_entry(store, put, err) < 0)) {
        return -1;
    }
    if (seen) {
        int duplicate = is_duplicate(store, put, delivery, err);
        if (duplicate != 0) {
            return duplicate < 0 || unpark(store, put, err) < 0 ? -1 : INBOX_DUPLICATE;
        }
    } else if (put->fetched && sqlite_redelivery_fetched(store, put->guid, err) < 0) {
        return -1;
    }
    if ((seen &&
         (drop_journals(store, delivery, err) < 0 || open_filter(store, delivery, err) < 0)) ||
        write_delivery(store, put, &delivery, err) < 0 ||
        queue_runs(store, delivery, put, seen > 0, err) < 0 || unpark(store, put, err) < 0 ||
        (!seen && sqlite_supersede(store, put, err) < 0)) {
        return -1;
    }
    return seen ? INBOX_REDELIVERED : INBOX_STORED;
}
