/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A session with the server: connected without waiting longer than allowed, its settings checked
 * and set, the statements prepared. */
#include "inbox/postgres/session.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OLDEST_SERVER 120000 /* tested with 15 */
/* After this time a new attempt to connect replaces the old one. */
#define CONNECT_MS 3000

/* The server's own limits lie below our patience, so that its sentence comes instead of our guess.
 * A host that is stopped within a transaction loses its locks after 5 s. Plans are all by index:
 * without statistics (fresh tables) the planner would prefer to read the whole of them. They are
 * made once for a session: the server would plan a PUT anew each time, which takes it several times
 * as long as to execute it. A compiler (jit) would take seconds for statements of milliseconds. */
const char postgres_settings[] = "SET statement_timeout = 2500;"
                                 "SET lock_timeout = 1500;"
                                 "SET idle_in_transaction_session_timeout = 5000;"
                                 "SET default_transaction_isolation = 'read committed';"
                                 "SET enable_seqscan = off;"
                                 "SET plan_cache_mode = force_generic_plan;"
                                 "SET jit = off;"
                                 "SET quote_all_identifiers = off;";

void postgres_disconnect(struct postgres_store *store) {
    PQfinish(store->connection);
    store->connection = NULL;
    store->ready = store->lost = false;
}

/* Rejects settings with which the server could lose a commit, and sets synchronous_commit if it is
 * off. A server that is only compatible with PostgreSQL may lack a setting; then it cannot be
 * off. */
static int check_settings(struct postgres_store *store, struct error *err) {
    PGconn *connection = store->connection;
    static const char *const needed[] = {"fsync", "full_page_writes"};
    static const char query[] =
        "SELECT current_setting('fsync', true), current_setting('full_page_writes', true),"
        " current_setting('synchronous_commit', true), current_setting('server_encoding', true),"
        " to_regproc('pg_notify') IS NOT NULL";
    AUTO_RESULT PGresult *result = NULL;
    if (link_run(connection, query, LINK_SILENCE_MS, &result, err, "reading the settings") < 0) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        if (strcmp(PQgetvalue(result, 0, i), "off") == 0) {
            return error_set(
                err,
                "the server runs with %s = off: a power failure could lose deliveries that"
                " the host confirmed to GitHub; set it on",
                needed[i]);
        }
    }
    if (strcmp(PQgetvalue(result, 0, 3), "UTF8") != 0) {
        return error_set(err, "the database's encoding is %s, and must be UTF8",
                         PQgetvalue(result, 0, 3));
    }
    store->notifies = strcmp(PQgetvalue(result, 0, 4), "t") == 0 && !store->read_only;
    if (PQserverVersion(connection) < OLDEST_SERVER) {
        return error_set(err, "the server is version %d; at least %d is needed",
                         PQserverVersion(connection) / 10000, OLDEST_SERVER / 10000);
    }
    if (strcmp(PQgetvalue(result, 0, 2), "off") == 0) {
        return link_run(connection, "SET synchronous_commit = on", LINK_SILENCE_MS, NULL, err,
                        "setting synchronous_commit");
    }
    return 0;
}

static bool is_known(const struct postgres_store *store, int sql) {
    return (sql != PG_SQL_SET_HAS_ADOPTED || store->adopted) &&
           (sql != PG_SQL_NOTIFY || store->notifies);
}

int postgres_prepare(struct postgres_store *store, struct error *err) {
    if (!PQenterPipelineMode(store->connection)) {
        return link_lost(store->connection, err, "preparing the statements");
    }
    for (int i = 0; i < PG_SQL_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        if (is_known(store, i) &&
            !PQsendPrepare(store->connection, name, postgres_statements[i], 0, NULL)) {
            return link_lost(store->connection, err, "preparing the statements");
        }
    }
    if (pg_sync(store, err) < 0) {
        return -1;
    }
    for (int i = 0; i < PG_SQL_COUNT; i++) {
        AUTO_RESULT PGresult *result = NULL;
        if (is_known(store, i) && pg_next(store, &result, err, "preparing the statements") < 0) {
            return -1;
        }
    }
    atomic_store(&store->backend, PQbackendPID(store->connection));
    return pg_synced(store, err);
}

/* Begins a connection, once the host's name has been resolved. A slow resolution goes on while this
 * and later calls fail. */
static int begin(struct postgres_store *store, int64_t until_ms, struct error *err) {
    const struct resolved *resolved = NULL;
    if (!store->resolution) {
        store->began_ms = clock_monotonic_ms();
    }
    if (!store->resolution && link_has_name(&store->target)) {
        store->resolution = link_resolve(&store->target);
        if (!store->resolution) {
            return error_set(err, "connecting: out of memory");
        }
    }
    if (store->resolution) {
        int state = resolve_wait(store->resolution, until_ms, &resolved, err);
        if (state > 0) {
            return error_set(err, "connecting: its host name has not been resolved yet");
        }
        if (state < 0) {
            resolve_end(STEAL(store->resolution));
            return error_wrap(err, "connecting");
        }
    }
    store->connection = link_begin(&store->target, resolved);
    store->began_ms = clock_monotonic_ms();
    resolve_end(STEAL(store->resolution));
    return store->connection ? 0 : error_set(err, "connecting: out of memory");
}

/* The elected host takes its lock again at once, so that a lost connection alone elects no other
 * host. */
static int lock_election(struct postgres_store *store, struct error *err) {
    char sql[120];
    if (store->elected_host == 0) {
        return 0;
    }
    snprintf(sql, sizeof sql,
             "SELECT pg_try_advisory_lock(%" PRId64 ") WHERE pg_backend_pid() = %d",
             store->elected_host, PQbackendPID(store->connection));
    return link_run(store->connection, sql, LINK_SILENCE_MS, NULL, err,
                    "locking the election of this host");
}

int postgres_connect(struct postgres_store *store, int64_t until_ms, struct error *err) {
    if (store->connection && clock_monotonic_ms() - store->began_ms >= CONNECT_MS) {
        postgres_disconnect(store);
    }
    if (!store->connection && begin(store, until_ms, err) < 0) {
        return -1;
    }
    int state = link_continue(store->connection, until_ms, err);
    if (state > 0) {
        return error_set(err, "connecting: the server has not responded yet");
    }
    const char *access = store->read_only ? "SET default_transaction_read_only = on"
                                          : "SET default_transaction_read_only = off";
    if (store->fits_plans) {
        access = "SET default_transaction_read_only = on; SET plan_cache_mode = auto";
    }
    if (state < 0 || check_settings(store, err) < 0 ||
        link_run(store->connection, postgres_settings, LINK_SILENCE_MS, NULL, err,
                 "setting up the session") < 0 ||
        link_run(store->connection, access, LINK_SILENCE_MS, NULL, err, "setting up the session") <
            0 ||
        lock_election(store, err) < 0) {
        postgres_disconnect(store);
        return -1;
    }
    return 0;
}
