/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hosts that run, in PostgreSQL. The statement that asks or stores comes first. */
#include "inbox/hosts.h"

#include "base/list.h"
#include "inbox/postgres/operations.h"

#include <inttypes.h>
#include <stdio.h>

static int seen_send(struct postgres_store *store, struct inbox_operation *operation,
                     struct error *err) {
    struct inbox_host_seen *seen = CONTAINER_OF(operation, struct inbox_host_seen, operation);
    struct pg_query query = pg_query_begin(PG_SQL_HOST_SEEN);
    seen->asked[0] = '\0';
    if (seen->gone) {
        query = pg_query_begin(PG_SQL_HOST_GONE);
        pg_query_text(&query, seen->name);
        return pg_send(store, &query, err);
    }
    if (seen->write) {
        pg_query_text(&query, seen->name);
        pg_query_text(&query, seen->salt);
        pg_query_text(&query, seen->fingerprints);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
        query = pg_query_begin(PG_SQL_HOSTS_FORGET);
        pg_query_number(&query, INBOX_HOST_LISTED_MS);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    query = pg_query_begin(PG_SQL_SECRET_CHECK_GET);
    pg_query_number(&query, INBOX_SECRET_CHECK_MS);
    return pg_send(store, &query, err);
}

static int seen_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                     PGresult *result, struct error *err) {
    (void)store, (void)err;
    struct inbox_host_seen *seen = CONTAINER_OF(operation, struct inbox_host_seen, operation);
    if (!seen->gone && nth == (seen->write ? 2 : 0) && PQntuples(result) > 0) {
        snprintf(seen->asked, sizeof seen->asked, "%s", PQgetvalue(result, 0, 0));
    }
    return 0;
}

const struct postgres_operation postgres_host_seen = {.send = seen_send, .take = seen_take};

static int hosts_send(struct postgres_store *store, struct inbox_operation *operation,
                      struct error *err) {
    struct inbox_hosts *hosts = CONTAINER_OF(operation, struct inbox_hosts, operation);
    struct pg_query query = pg_query_begin(PG_SQL_SECRET_CHECK_PUT);
    if (hosts->ask) {
        pg_query_text(&query, hosts->ask);
        if (pg_send(store, &query, err) < 0) {
            return -1;
        }
    }
    query = pg_query_begin(PG_SQL_HOSTS_LIST);
    return pg_send(store, &query, err);
}

static int hosts_take(struct postgres_store *store, struct inbox_operation *operation, unsigned nth,
                      PGresult *result, struct error *err) {
    (void)store;
    struct inbox_hosts *hosts = CONTAINER_OF(operation, struct inbox_hosts, operation);
    for (int row = 0; nth == (hosts->ask ? 1 : 0) && row < PQntuples(result); row++) {
        if (buffer_printf(&hosts->list, "%s\t%" PRId64 "\t%s\t%s\n", PQgetvalue(result, row, 0),
                          pg_number(result, row, 1), PQgetvalue(result, row, 2),
                          PQgetvalue(result, row, 3)) < 0) {
            return error_set(err, "listing the hosts: out of memory");
        }
    }
    return 0;
}

const struct postgres_operation postgres_hosts = {.send = hosts_send, .take = hosts_take};
