/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hosts that run, in SQLite. */
#include "inbox/hosts.h"

#include "base/list.h"
#include "inbox/sqlite/operations.h"

#include <inttypes.h>
#include <stdio.h>

static int read_asked(struct sqlite_store *store, struct inbox_host_seen *seen, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_SECRET_CHECK_GET);
    query_number(&query, seen->now_ms - INBOX_SECRET_CHECK_MS);
    int step = query_step(&query, err, "reading the check of secrets");
    const char *salt = step > 0 ? (const char *)sqlite3_column_text(query.statement, 0) : "";
    snprintf(seen->asked, sizeof seen->asked, "%s", salt ? salt : "");
    return step < 0 ? -1 : 0;
}

static int forget(struct sqlite_store *store, int64_t before_ms, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_HOSTS_FORGET);
    query_number(&query, before_ms);
    return query_run(&query, err, "forgetting hosts");
}

int sqlite_host_seen(struct sqlite_store *store, struct inbox_operation *operation,
                     struct error *err) {
    struct inbox_host_seen *seen = CONTAINER_OF(operation, struct inbox_host_seen, operation);
    seen->asked[0] = '\0';
    if (seen->gone) {
        AUTO_QUERY struct query query = query_begin(store, SQL_HOST_GONE);
        query_text(&query, seen->name);
        return query_run(&query, err, "removing the host from the list");
    }
    if (seen->write) {
        AUTO_QUERY struct query query = query_begin(store, SQL_HOST_SEEN);
        query_text(&query, seen->name);
        query_number(&query, seen->now_ms);
        query_text(&query, seen->salt);
        query_text(&query, seen->fingerprints);
        if (query_run(&query, err, "storing that the host runs") < 0 ||
            forget(store, seen->now_ms - INBOX_HOST_LISTED_MS, err) < 0) {
            return -1;
        }
    }
    return read_asked(store, seen, err);
}

static int ask(struct sqlite_store *store, const struct inbox_hosts *hosts, struct error *err) {
    AUTO_QUERY struct query query = query_begin(store, SQL_SECRET_CHECK_PUT);
    query_text(&query, hosts->ask);
    query_number(&query, hosts->now_ms);
    return query_run(&query, err, "asking the hosts for their secrets");
}

int sqlite_hosts(struct sqlite_store *store, struct inbox_operation *operation, struct error *err) {
    struct inbox_hosts *hosts = CONTAINER_OF(operation, struct inbox_hosts, operation);
    if (hosts->ask && ask(store, hosts, err) < 0) {
        return -1;
    }
    AUTO_QUERY struct query query = query_begin(store, SQL_HOSTS_LIST);
    int step;
    while ((step = query_step(&query, err, "listing the hosts")) > 0) {
        if (buffer_printf(&hosts->list, "%s\t%" PRId64 "\t%s\t%s\n",
                          (const char *)sqlite3_column_text(query.statement, 0),
                          hosts->now_ms - (int64_t)sqlite3_column_int64(query.statement, 1),
                          (const char *)sqlite3_column_text(query.statement, 2),
                          (const char *)sqlite3_column_text(query.statement, 3)) < 0) {
            return sqlite_no_memory(store, err, "listing the hosts");
        }
    }
    return step;
}
