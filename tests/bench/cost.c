/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks SQLite's connection and PostgreSQL's statistics what an operation read. */
#include "cost.h"

#include "bench.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double clock_ms(clockid_t clock) {
    struct timespec now;
    return clock_gettime(clock, &now) == 0
               ? (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1000000
               : 0;
}

/* ---- SQLite ---- */

static sqlite3 *last_opened;

static int on_open(sqlite3 *db, char **why, const struct sqlite3_api_routines *routines) {
    (void)why;
    (void)routines;
    /* The store compares its schema with one in memory. */
    if (*sqlite3_db_filename(db, "main")) {
        last_opened = db;
    }
    return SQLITE_OK;
}

void cost_watch_sqlite(void) {
    sqlite3_auto_extension((void (*)(void))on_open);
}

static int64_t status_of(int what) {
    int now = 0, most = 0;
    sqlite3_db_status(last_opened, what, &now, &most, 0);
    return now;
}

struct cost cost_sqlite(void) {
    struct cost cost = {.own_cpu_ms = clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
    cost.missed = status_of(SQLITE_DBSTATUS_CACHE_MISS);
    cost.pages = cost.missed + status_of(SQLITE_DBSTATUS_CACHE_HIT);
    for (sqlite3_stmt *one = sqlite3_next_stmt(last_opened, NULL); one;
         one = sqlite3_next_stmt(last_opened, one)) {
        cost.rows += sqlite3_stmt_status(one, SQLITE_STMTSTATUS_VM_STEP, 0);
    }
    return cost;
}

/* ---- PostgreSQL ---- */

static PGresult *ask(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        bench_fail("%s: %s", sql, PQerrorMessage(connection));
    }
    return result;
}

static const char others[] = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                             " AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

struct cost cost_postgres_cpu(const char *url) {
    struct cost cost = {.own_cpu_ms = clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
    PGconn *connection = PQconnectdb(url);
    PGresult *pids = ask(connection, others);
    for (int i = 0; i < PQntuples(pids); i++) {
        clockid_t clock;
        if (clock_getcpuclockid((pid_t)strtol(PQgetvalue(pids, i, 0), NULL, 10), &clock) == 0) {
            cost.server_cpu_ms += clock_ms(clock);
        }
    }
    PQclear(pids);
    PQfinish(connection);
    return cost;
}

/* A session adds its numbers when it ends, before it leaves the list. */
static void wait_for_sessions(PGconn *connection) {
    for (int rows = 1; rows > 0;) {
        PGresult *pids = ask(connection, others);
        rows = PQntuples(pids);
        PQclear(pids);
        if (rows > 0) {
            poll(NULL, 0, 5);
        }
    }
}

struct cost cost_postgres_reads(const char *url) {
    struct cost cost = {0};
    PGconn *connection = PQconnectdb(url);
    wait_for_sessions(connection);
    PGresult *sums =
        ask(connection, "SELECT blks_hit + blks_read, blks_read, tup_returned + tup_fetched FROM"
                        " pg_stat_database WHERE datname = current_database()");
    cost.pages = strtoll(PQgetvalue(sums, 0, 0), NULL, 10);
    cost.missed = strtoll(PQgetvalue(sums, 0, 1), NULL, 10);
    cost.rows = strtoll(PQgetvalue(sums, 0, 2), NULL, 10);
    PQclear(sums);
    PQfinish(connection);
    return cost;
}
