/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A session with the server: connected without waiting longer than allowed, its settings checked
 * and set, the statements prepared. This is where all statements are. */
#include "inbox/postgres_store.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define OLDEST_SERVER 120000 /* tested with 15 */
#define CONNECT_MS 3000      /* then an attempt is given up for a new one */

/* The server's own limits lie below our patience, so that its sentence comes instead of our guess.
 * A host that is stopped within a transaction loses its locks after 5 s. Plans are all by index:
 * without statistics (fresh tables) the planner would prefer to read the whole of them. */
static const char settings[] = "SET statement_timeout = 2500;"
                               "SET lock_timeout = 1500;"
                               "SET idle_in_transaction_session_timeout = 5000;"
                               "SET default_transaction_isolation = 'read committed';"
                               "SET enable_seqscan = off;";

/* By the database's clock, which all hosts share. */
#define NOW_MS "(extract(epoch FROM now()) * 1000)::bigint"

/* The rest of a run's row, for each plugin of a put; `from` has what comes before it. While the
 * installation waits, the run is due when that ends, and leased to nobody. */
#define RUN_VALUES(due, plugins, leased, host, ms, token, installation, from)                      \
    "p.plugin, greatest(" due "::bigint, w.until_ms),"                                             \
    " CASE WHEN l.leased THEN 'running' ELSE 'queued' END,"                                        \
    " CASE WHEN l.leased THEN 1 ELSE 0 END,"                                                       \
    " CASE WHEN l.leased THEN " host "::bigint ELSE 0 END,"                                        \
    " CASE WHEN l.leased THEN " token "::bigint + p.nth - 1 ELSE 0 END,"                           \
    " CASE WHEN l.leased THEN " NOW_MS " + " ms "::bigint ELSE 0 END FROM " from                   \
    "unnest(string_to_array(" plugins ", chr(10)), " leased "::boolean[])"                         \
    " WITH ORDINALITY AS p (plugin, leased, nth)"                                                  \
    " CROSS JOIN (SELECT coalesce((SELECT all_ms FROM rate_limits"                                 \
    " WHERE installation = " installation "), 0) AS until_ms) AS w"                                \
    " CROSS JOIN LATERAL (SELECT p.leased AND w.until_ms <= " due "::bigint AS leased) AS l"

/* What LIST selects; $1 to $2 the deliveries, then since, event, plugin, state. */
#define LIST_COLUMNS                                                                               \
    "SELECT d.id, d.guid, d.event, d.action, d.installation, d.repository, d.sender,"              \
    " d.received_ms, CASE WHEN d.body IS NULL THEN -1 ELSE d.body_bytes END, r.id, r.plugin, "     \
    "r.state,"                                                                                     \
    " r.attempt, r.crashes, r.suspect, r.due_ms, r.lease_until_ms, r.finished_ms, r.label,"        \
    " r.reason"
#define LIST_FILTERS                                                                               \
    " AND d.received_ms >= $3 AND ($4::text IS NULL OR d.event = $4)"                              \
    " AND ($5::text IS NULL OR r.plugin = $5) AND ($6::text IS NULL OR r.state = $6)"              \
    " ORDER BY d.id DESC, r.plugin COLLATE \"C\""
#define LIST_OF_STATE(state)                                                                       \
    LIST_COLUMNS " FROM runs r JOIN deliveries d ON d.id = r.delivery WHERE r.state = '" state     \
                 "' AND r.delivery >= $1 AND r.delivery < $2" LIST_FILTERS

/* Did all runs of the delivery `d` end before these times? */
#define ENDED_BEFORE(done, dead)                                                                   \
    "NOT EXISTS (SELECT FROM runs r WHERE r.delivery = d.id AND (r.state IN ('queued',"            \
    " 'running', 'parked') OR r.finished_ms >= CASE WHEN r.state = 'dead'"                         \
    " THEN " dead "::bigint ELSE " done "::bigint END))"

/* $n in the order in which postgres_runs.c and postgres_items.c bind. Results are binary: numbers
 * are bigint. */
static const char *const statements[PG_SQL_COUNT] = {
    [PG_SQL_BEGIN] = "BEGIN",
    /* A row that another holds is passed over: he writes, so the store can. */
    [PG_SQL_PROBE] = "UPDATE elections SET host = host + 1 WHERE name IN (SELECT name FROM"
                     " elections WHERE name = 'probe' FOR UPDATE SKIP LOCKED)",
    [PG_SQL_COMMIT] = "COMMIT",
    [PG_SQL_ROLLBACK] = "ROLLBACK",
    [PG_SQL_PUT] =
        "WITH d AS (INSERT INTO deliveries (event, action, installation, repository, sender,"
        " received_ms, body_codec, body_bytes, body, guid)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (guid) DO NOTHING RETURNING id),"
        " r AS (INSERT INTO runs (delivery, plugin, due_ms, state, attempt, host, token,"
        " lease_until_ms) SELECT d.id, " RUN_VALUES(
            "$11", "$12", "$13", "$14", "$15", "$16", "$3",
            "d CROSS JOIN ") " RETURNING id, plugin, state, token)"
                             " SELECT d.id, r.id, r.plugin, r.state, r.token FROM d LEFT JOIN r ON "
                             "true",
    [PG_SQL_DELIVERY_LOCK] = "SELECT id, body IS NULL FROM deliveries WHERE guid = $1 FOR UPDATE",
    [PG_SQL_DELIVERY_REPLACE] = "UPDATE deliveries SET event = $1, action = $2, installation = $3,"
                                " repository = $4, sender = $5, received_ms = $6, body_codec = $7,"
                                " body_bytes = $8, body = $9 WHERE id = $10",
    [PG_SQL_RUNS_UNFINISHED] = "SELECT id FROM runs WHERE delivery = $1"
                               " AND state IN ('queued', 'running', 'parked') LIMIT 1",
    [PG_SQL_RUNS_HASTEN] = "UPDATE runs SET due_ms = least(due_ms, $1), state = 'queued'"
                           " WHERE delivery = $2 AND (state = 'parked'"
                           " OR (state = 'queued' AND attempt > 0))",
    [PG_SQL_RUNS_QUEUE] =
        "INSERT INTO runs (delivery, plugin, due_ms, state, attempt, host, token,"
        " lease_until_ms) SELECT $1::bigint, " RUN_VALUES(
            "$2", "$3", "$4", "$5", "$6", "$7", "$8",
            "") " ON CONFLICT (delivery, plugin) DO UPDATE SET state = excluded.state,"
                " attempt = excluded.attempt, host = excluded.host, token = excluded.token,"
                " lease_until_ms = excluded.lease_until_ms, due_ms = excluded.due_ms,"
                " crashes = 0, suspect = false, label = '', reason = '',"
                " finished_ms = NULL RETURNING id, plugin, state, token",
    [PG_SQL_RUNS_RECLAIM] = "WITH lapsed AS (SELECT id FROM runs WHERE state = 'running'"
                            " AND lease_until_ms < " NOW_MS " AND token <> ALL ($3::bigint[])"
                            " ORDER BY lease_until_ms LIMIT 256"
                            " FOR UPDATE SKIP LOCKED)"
                            " UPDATE runs r SET state = 'queued', due_ms = $1, token = 0,"
                            " lease_until_ms = 0, " STORE_SET_HOST_DIED(
                                "host <> $2") " FROM lapsed WHERE r.id = lapsed.id",
    /* A suspect comes alone or not at all; of the ordinary ones as many as their bodies allow. */
    [PG_SQL_RUNS_CLAIM] =
        "WITH suspects AS (SELECT id, delivery, due_ms FROM runs WHERE state = 'queued'"
        " AND plugin = $1 AND suspect AND due_ms <= $2 AND $3::boolean"
        " ORDER BY due_ms, id LIMIT 1 FOR UPDATE SKIP LOCKED),"
        " ordinary AS (SELECT id, delivery, due_ms FROM runs WHERE state = 'queued'"
        " AND plugin = $1 AND NOT suspect AND due_ms <= $2 AND NOT EXISTS (SELECT FROM suspects)"
        " ORDER BY due_ms, id LIMIT $4 FOR UPDATE SKIP LOCKED),"
        " due AS (SELECT * FROM suspects UNION ALL SELECT * FROM ordinary),"
        " sized AS (SELECT due.id, row_number() OVER w AS nth,"
        " (sum(d.body_bytes) OVER w)::bigint AS held FROM due"
        " JOIN deliveries d ON d.id = due.delivery WINDOW w AS (ORDER BY due.due_ms, due.id)),"
        " taken AS (UPDATE runs r SET state = 'running', attempt = r.attempt + 1, granted = false,"
        " host = $5, lease_until_ms = " NOW_MS " + $6, token = $8::bigint + s.nth - 1 FROM sized s"
        " WHERE r.id = s.id AND (s.nth = 1 OR s.held <= $7)"
        " RETURNING r.id, r.attempt, r.crashes, r.suspect, r.delivery, r.due_ms, r.token,"
        " s.nth)"
        " SELECT t.id, t.attempt, t.crashes, t.suspect, d.received_ms, d.guid, d.event, d.action,"
        " d.installation, d.repository, d.sender, d.body, d.body_bytes, d.body_codec,"
        " t.due_ms, t.token"
        " FROM taken t JOIN deliveries d ON d.id = t.delivery ORDER BY t.nth",
    [PG_SQL_RUNS_NEXT_DUE] =
        "SELECT (SELECT due_ms FROM runs WHERE state = 'queued' AND plugin = $1"
        " AND NOT suspect ORDER BY due_ms, id LIMIT 1),"
        " (SELECT due_ms FROM runs WHERE state = 'queued' AND plugin = $1"
        " AND suspect ORDER BY due_ms, id LIMIT 1)",
    [PG_SQL_RUNS_RENEW] = "UPDATE runs SET lease_until_ms = " NOW_MS " + $1"
                          " WHERE id = ANY ($2::bigint[]) AND token = ANY ($3::bigint[])"
                          " AND state = 'running' RETURNING id, token",
    [PG_SQL_RUN_LEASE_CHECK] = "UPDATE runs SET lease_until_ms = " NOW_MS " + $1"
                               " WHERE id = $2 AND token = $3 AND state = 'running'",
    [PG_SQL_RUN_END] = "UPDATE runs SET state = $1, finished_ms = $2, label = $3, reason = $4,"
                       " suspect = $5, crashes = $6, token = 0, lease_until_ms = 0"
                       " WHERE id = $7 AND token = $8 AND state = 'running'",
    [PG_SQL_RUN_AGAIN] = "UPDATE runs SET state = 'queued', attempt = attempt - $1, due_ms = $2,"
                         " label = $3, reason = $4, suspect = $5, crashes = $6, token = 0,"
                         " lease_until_ms = 0"
                         " WHERE id = $7 AND token = $8 AND state = 'running'",
    [PG_SQL_RUN_PARK] = "UPDATE runs SET state = CASE WHEN granted THEN 'queued' ELSE 'parked' END,"
                        " granted = false, attempt = attempt - $1, due_ms = $2, label = $3,"
                        " reason = $4, suspect = $5, crashes = $6, token = 0, lease_until_ms = 0"
                        " WHERE id = $7 AND token = $8 AND state = 'running'"
                        " RETURNING (state = 'queued')::integer::bigint",
    /* Those that wait for what the installation has just given, and those that may be about to; not
     * what came with it, which begins after it. One statement: a run that another host parks at
     * this moment is looked at again once it is. */
    [PG_SQL_RUNS_UNPARK] =
        "UPDATE runs SET state = CASE state WHEN 'parked' THEN 'queued' ELSE state END,"
        " due_ms = CASE state WHEN 'parked' THEN $1 ELSE due_ms END, granted = state = 'running'"
        " WHERE (state = 'parked' OR state = 'running') AND EXISTS (SELECT FROM deliveries d"
        " WHERE d.id = runs.delivery AND d.installation = $2 AND d.guid <> $3)"
        " RETURNING (state = 'queued')::integer::bigint",
    [PG_SQL_ELECT] = "UPDATE elections SET host = $1, lease_until_ms = " NOW_MS " + $2"
                     " WHERE name IN (SELECT name FROM elections WHERE name = 'maintenance'"
                     " AND (host = $1 OR lease_until_ms < " NOW_MS ") FOR UPDATE SKIP LOCKED)",
    [PG_SQL_NOTIFY] = "SELECT pg_notify('snekomatic', '')",
    [PG_SQL_STATS] = "SELECT (SELECT count(*) FROM runs WHERE state = 'queued'),"
                     " (SELECT count(*) FROM runs WHERE state = 'running'),"
                     " (SELECT count(*) FROM runs WHERE state = 'dead'),"
                     " (SELECT count(*) FROM journal j JOIN runs r ON r.id = j.run"
                     " WHERE j.state = 'intended' AND r.state <> 'running'),"
                     " (SELECT min(due_ms) FROM runs WHERE state = 'queued'),"
                     " (SELECT count(*) FROM runs WHERE state = 'parked')",
    [PG_SQL_SET_HAS] = "SELECT 1::bigint FROM plugin_sets WHERE plugin = $1 AND scope = $2"
                       " AND name = $3 AND entry = $4",
    [PG_SQL_SET_HAS_ADOPTED] = "SELECT 1::bigint FROM persistent_set_sent_invitation"
                               " WHERE entry = $1",
    [PG_SQL_SET_ADD] = "INSERT INTO plugin_sets (plugin, scope, name, entry)"
                       " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    [PG_SQL_SET_REMOVE] = "DELETE FROM plugin_sets WHERE plugin = $1 AND scope = $2 AND name = $3"
                          " AND entry = $4",
    [PG_SQL_KEY_GET] = "SELECT value FROM plugin_keys WHERE plugin = $1 AND scope = $2"
                       " AND name = $3",
    [PG_SQL_KEY_PUT] = "INSERT INTO plugin_keys (plugin, scope, name, value)"
                       " VALUES ($1, $2, $3, $4)"
                       " ON CONFLICT (plugin, scope, name) DO UPDATE SET value = excluded.value",
    [PG_SQL_KEY_DELETE] = "DELETE FROM plugin_keys WHERE plugin = $1 AND scope = $2 AND name = $3",
    [PG_SQL_DELIVERY_FIND] = "SELECT id FROM deliveries WHERE guid = $1",
    [PG_SQL_DELIVERY_BODY] = "SELECT body, body_codec, body_bytes FROM deliveries WHERE guid = $1",
    [PG_SQL_LIST_CHUNK] = "SELECT coalesce(min(id), 0), count(*) FROM (SELECT id FROM deliveries"
                          " WHERE id < $1 ORDER BY id DESC LIMIT $2) AS chunk",
    [PG_SQL_LIST] = LIST_COLUMNS " FROM deliveries d LEFT JOIN runs r ON r.delivery = d.id"
                                 " WHERE d.id >= $1 AND d.id < $2" LIST_FILTERS,
    [PG_SQL_LIST_QUEUED] = LIST_OF_STATE("queued"),
    [PG_SQL_LIST_RUNNING] = LIST_OF_STATE("running"),
    [PG_SQL_LIST_PARKED] = LIST_OF_STATE("parked"),
    [PG_SQL_LIST_DEAD] = LIST_OF_STATE("dead"),
    [PG_SQL_RUNS_RERUN] = "UPDATE runs SET state = 'queued', attempt = 0, crashes = 0,"
                          " suspect = false, due_ms = $1, label = '', reason = '',"
                          " finished_ms = NULL WHERE delivery = $2 AND state"
                          " IN ('queued', 'parked', 'dead')"
                          " AND ($3::text IS NULL OR plugin = $3)",
    [PG_SQL_RUNS_DISCARD] = "UPDATE runs SET state = 'dead', finished_ms = $1, label = 'discarded',"
                            " reason = 'discarded by hand', token = 0, lease_until_ms = 0"
                            " WHERE delivery = $2 AND state IN ('queued', 'running', 'parked')"
                            " AND ($3::text IS NULL OR plugin = $3)",
    [PG_SQL_PRUNE_LOOK] = "SELECT d.received_ms, d.id, octet_length(d.body)::bigint, " ENDED_BEFORE(
        "$3", "$4") " FROM deliveries d WHERE d.body IS NOT NULL"
                    " AND (d.received_ms, d.id) > ($1, $2) AND d.received_ms < $3"
                    " ORDER BY d.received_ms, d.id LIMIT $5",
    [PG_SQL_PRUNE_LOCK] = "SELECT id FROM deliveries WHERE id = ANY ($1::bigint[])"
                          " ORDER BY id FOR UPDATE SKIP LOCKED",
    [PG_SQL_PRUNE_BODIES] = "UPDATE deliveries d SET body = NULL WHERE id = ANY ($1::bigint[])"
                            " AND received_ms < $2::bigint AND " ENDED_BEFORE("$2", "$3"),
    [PG_SQL_PRUNE_READS] = "DELETE FROM journal WHERE kind <> 'effect' AND run IN"
                           " (SELECT r.id FROM runs r JOIN deliveries d ON d.id = r.delivery"
                           " WHERE d.id = ANY ($1::bigint[]) AND d.body IS NULL)",
    [PG_SQL_PRUNE_ANSWERS] = "UPDATE journal SET headers = '', body = '' WHERE run IN"
                             " (SELECT r.id FROM runs r JOIN deliveries d ON d.id = r.delivery"
                             " WHERE d.id = ANY ($1::bigint[]) AND d.body IS NULL)",
    [PG_SQL_PRUNE_FORGET] = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
                            " WHERE body IS NULL AND received_ms < $1 ORDER BY received_ms LIMIT $2"
                            " FOR UPDATE SKIP LOCKED)",
    [PG_SQL_PRUNE_REDELIVERIES] =
        "DELETE FROM redeliveries WHERE guid IN (SELECT guid FROM redeliveries"
        " WHERE requested_ms < $1 LIMIT $2)",
    [PG_SQL_LACKS] = "SELECT (SELECT count(*) FROM deliveries WHERE guid = $1),"
                     " (SELECT requests FROM redeliveries WHERE guid = $1),"
                     " (SELECT requested_ms FROM redeliveries WHERE guid = $1)",
    [PG_SQL_REDELIVERY_COUNT] =
        "INSERT INTO redeliveries (guid, requests, requested_ms) VALUES ($1, 1, $2)"
        " ON CONFLICT (guid) DO UPDATE SET requests = redeliveries.requests + 1,"
        " requested_ms = excluded.requested_ms",
    [PG_SQL_REDELIVERY_UNCOUNT] =
        "UPDATE redeliveries SET requests = requests - 1, requested_ms = $2"
        " WHERE guid = $1 AND requests > 0",
    [PG_SQL_REDELIVERY_FETCHED] = "UPDATE redeliveries SET fetched = 1 WHERE guid = $1",
    [PG_SQL_REDELIVERY_ARRIVED] =
        "UPDATE redeliveries SET duplicates = duplicates + 1"
        " WHERE guid = $1 AND duplicates < requests - 1 + fetched RETURNING duplicates",
    /* Locked, so that nobody takes it before the group has committed. */
    [PG_SQL_RUN_HELD] = "SELECT lease_until_ms - " NOW_MS " FROM runs WHERE id = $1 AND token = $2"
                        " AND state = 'running' FOR UPDATE",
    [PG_SQL_JOURNALS_READ] = "SELECT run, number, kind, state, key, marker, dry, at_ms, method,"
                             " url, outcome, status, message, headers, body"
                             " FROM journal WHERE run = ANY ($1::bigint[]) ORDER BY run, number",
    [PG_SQL_JOURNAL_WRITE] = "INSERT INTO journal (run, number, kind, state, token, key, marker,"
                             " dry, method, url, at_ms, outcome, status, message, headers, body)"
                             " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                             " $14, $15, $16)"
                             " ON CONFLICT (run, number) DO UPDATE SET state = excluded.state,"
                             " token = excluded.token, marker = excluded.marker,"
                             " dry = excluded.dry, at_ms = excluded.at_ms,"
                             " outcome = excluded.outcome, status = excluded.status,"
                             " message = excluded.message, headers = excluded.headers,"
                             " body = excluded.body",
    [PG_SQL_JOURNAL_COMPLETE] = "UPDATE journal SET state = $1, at_ms = $2, outcome = $3,"
                                " status = $4, message = $5, headers = $6, body = $7"
                                " WHERE run = $8 AND number = $9 AND token = $10"
                                " AND state = 'intended'",
    /* Of a run that is done: whoever's word of that counted. */
    [PG_SQL_JOURNAL_CUT_BACK] = "DELETE FROM journal WHERE run = $1 AND kind <> 'effect'"
                                " AND EXISTS (SELECT FROM runs WHERE id = $1 AND state = 'done')",
    [PG_SQL_JOURNAL_CUT_ANSWERS] = "UPDATE journal SET headers = '', body = '' WHERE run = $1"
                                   " AND EXISTS (SELECT FROM runs WHERE id = $1"
                                   " AND state = 'done')",
    /* A delivery that comes again runs afresh; but one whose run died is taken up where it was. */
    [PG_SQL_JOURNALS_DROP] = "DELETE FROM journal WHERE run IN"
                             " (SELECT id FROM runs WHERE delivery = $1 AND state = 'done')",
    [PG_SQL_RATE_LIMIT_PUT] =
        "INSERT INTO rate_limits (installation, all_ms, search_ms, graphql_ms)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (installation) DO UPDATE SET"
        " all_ms = greatest(rate_limits.all_ms, excluded.all_ms),"
        " search_ms = greatest(rate_limits.search_ms, excluded.search_ms),"
        " graphql_ms = greatest(rate_limits.graphql_ms, excluded.graphql_ms)",
    /* A run that is locked is being claimed. */
    [PG_SQL_RATE_LIMIT_DELAY] = "UPDATE runs SET due_ms = $1 WHERE id IN (SELECT r.id FROM runs r"
                                " JOIN deliveries d ON d.id = r.delivery WHERE r.state = 'queued'"
                                " AND r.due_ms < $1 AND d.installation = $2"
                                " FOR UPDATE OF r SKIP LOCKED)",
    [PG_SQL_RATE_LIMIT_GET] =
        "SELECT all_ms, search_ms, graphql_ms FROM rate_limits WHERE installation = $1",
};

void postgres_disconnect(struct postgres_store *store) {
    PQfinish(store->connection);
    store->connection = NULL;
    store->ready = store->lost = false;
}

/* Rejects what would void the promise; what the others call off and we can set is set. A server
 * that lacks a setting (a cluster that only speaks PostgreSQL) has no such switch. */
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
            return error_set(err,
                             "the server runs with %s = off: a power cut could lose deliveries that"
                             " were answered; set it on",
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
        (void)snprintf(name, sizeof name, "s%d", i);
        if (is_known(store, i) && !PQsendPrepare(store->connection, name, statements[i], 0, NULL)) {
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

int postgres_connect(struct postgres_store *store, int64_t until_ms, struct error *err) {
    if (store->connection && clock_monotonic_ms() - store->began_ms >= CONNECT_MS) {
        postgres_disconnect(store);
    }
    if (!store->connection) {
        store->connection = link_begin(&store->target);
        store->began_ms = clock_monotonic_ms();
        if (!store->connection) {
            return error_set(err, "connecting: out of memory");
        }
    }
    int state = link_continue(store->connection, until_ms, err);
    if (state > 0) {
        return error_set(err, "connecting: the server has not answered yet");
    }
    const char *access = store->read_only ? "SET default_transaction_read_only = on"
                                          : "SET default_transaction_read_only = off";
    if (state < 0 || check_settings(store, err) < 0 ||
        link_run(store->connection, settings, LINK_SILENCE_MS, NULL, err, "setting up") < 0 ||
        link_run(store->connection, access, LINK_SILENCE_MS, NULL, err, "setting up") < 0) {
        postgres_disconnect(store);
        return -1;
    }
    return 0;
}
