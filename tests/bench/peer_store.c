/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stores of the peers. PostgreSQL gets a group as one pipeline: one round trip. */
#include "peer_store.h"

#include "bench.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct peer_store {
    sqlite3 *db;
    sqlite3_stmt *begin, *add, *commit;
    PGconn *server;
    unsigned sent;
};

static void run(struct peer_store *store, const char *sql) {
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        bench_fail("%s: %s", sql, sqlite3_errmsg(store->db));
    }
}

static sqlite3_stmt *prepare(struct peer_store *store, const char *sql) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        bench_fail("%s: %s", sql, sqlite3_errmsg(store->db));
    }
    return statement;
}

static void open_sqlite(struct peer_store *store, const char *path) {
    if (sqlite3_open(path, &store->db) != SQLITE_OK) {
        bench_fail("%s: %s", path, sqlite3_errmsg(store->db));
    }
    run(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    run(store, "CREATE TABLE deliveries (id INTEGER PRIMARY KEY, guid TEXT NOT NULL UNIQUE,"
               " event TEXT NOT NULL, body BLOB NOT NULL) STRICT");
    store->begin = prepare(store, "BEGIN IMMEDIATE");
    store->add = prepare(store, "INSERT INTO deliveries (guid, event, body) VALUES (?1, ?2, ?3)");
    store->commit = prepare(store, "COMMIT");
}

static void check(struct peer_store *store, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) {
        bench_fail("PostgreSQL: %s", PQerrorMessage(store->server));
    }
    PQclear(result);
}

static void open_postgres(struct peer_store *store, const char *url) {
    store->server = PQconnectdb(url);
    if (PQstatus(store->server) != CONNECTION_OK) {
        bench_fail("%s: %s", url, PQerrorMessage(store->server));
    }
    check(store, PQexec(store->server, "DROP TABLE IF EXISTS peer_deliveries"));
    check(store, PQexec(store->server,
                        "CREATE TABLE peer_deliveries (id bigint GENERATED ALWAYS AS IDENTITY"
                        " PRIMARY KEY, guid text NOT NULL UNIQUE, event text NOT NULL,"
                        " body bytea NOT NULL)"));
    check(store, PQexec(store->server,
                        "ALTER TABLE peer_deliveries ALTER COLUMN body SET STORAGE EXTERNAL"));
    check(store, PQprepare(store->server, "add",
                           "INSERT INTO peer_deliveries (guid, event, body) VALUES ($1, $2, $3)", 0,
                           NULL));
    check(store, PQprepare(store->server, "begin", "BEGIN", 0, NULL));
    check(store, PQprepare(store->server, "commit", "COMMIT", 0, NULL));
    PQenterPipelineMode(store->server);
}

struct peer_store *peer_store_open(const char *url) {
    struct peer_store *store = calloc(1, sizeof *store);
    if (!store) {
        bench_fail("out of memory");
    }
    if (strncmp(url, "sqlite:", 7) == 0) {
        open_sqlite(store, url + 7);
    } else {
        open_postgres(store, url);
    }
    return store;
}

static void step(struct peer_store *store, sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) {
        bench_fail("SQLite: %s", sqlite3_errmsg(store->db));
    }
    sqlite3_reset(statement);
}

static void send_plain(struct peer_store *store, const char *name) {
    if (!PQsendQueryPrepared(store->server, name, 0, NULL, NULL, NULL, 1)) {
        bench_fail("PostgreSQL: %s", PQerrorMessage(store->server));
    }
    store->sent++;
}

void peer_store_begin(struct peer_store *store) {
    if (store->db) {
        step(store, store->begin);
    } else {
        send_plain(store, "begin");
    }
}

void peer_store_add(struct peer_store *store, const struct peer_row *row) {
    if (store->db) {
        sqlite3_bind_text(store->add, 1, row->guid, -1, SQLITE_STATIC);
        sqlite3_bind_text(store->add, 2, row->event, -1, SQLITE_STATIC);
        sqlite3_bind_blob(store->add, 3, row->body, (int)row->bytes, SQLITE_STATIC);
        step(store, store->add);
        return;
    }
    const char *values[] = {row->guid, row->event, row->body};
    const int lengths[] = {0, 0, (int)row->bytes}, formats[] = {0, 0, 1};
    if (!PQsendQueryPrepared(store->server, "add", 3, values, lengths, formats, 1)) {
        bench_fail("PostgreSQL: %s", PQerrorMessage(store->server));
    }
    store->sent++;
}

void peer_store_commit(struct peer_store *store) {
    if (store->db) {
        step(store, store->commit);
        return;
    }
    send_plain(store, "commit");
    PQpipelineSync(store->server);
    for (; store->sent > 0; store->sent--) {
        check(store, PQgetResult(store->server));
        PQclear(PQgetResult(store->server));
    }
    check(store, PQgetResult(store->server));
}
