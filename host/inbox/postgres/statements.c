/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The texts of the PostgreSQL store's statements. */
#include "inbox/postgres/statements.h"

/* By the database's clock, which all hosts share. */
#define NOW_MS "(extract(epoch FROM now()) * 1000)::bigint"
#define SQL_NOW_MS NOW_MS
/* The server may not join in another way, which would read the runs of all plugins. */
#define SQL_RUNS_OF(plugin, condition)                                                             \
    " CROSS JOIN LATERAL (SELECT id, plugin, reason FROM runs WHERE plugin = " plugin              \
    " AND " condition " OFFSET 0) AS r WHERE true"
#define SQL_ELSEWHERE(plugin)                                                                      \
    " OR EXISTS (SELECT 1 FROM configured_plugins k WHERE k.name = " plugin                        \
    " AND k.until_ms > " NOW_MS ")"

#define CONSOLE_INDEXED(index) ""
#define CONSOLE_SORT(order) " ORDER BY " order
/* By index for each delivery. Without statistics, for example after a restore, the server would
 * read all runs for some hundred deliveries. */
#define CONSOLE_LEFT_JOIN_RUNS                                                                     \
    " LEFT JOIN LATERAL (SELECT * FROM runs WHERE delivery = d.id OFFSET 0) AS r ON TRUE"
#define CONSOLE_JOIN(table, alias, condition)                                                      \
    " CROSS JOIN LATERAL (SELECT * FROM " table " " alias " WHERE " condition " OFFSET 0) "        \
    "AS " alias
#define CONSOLE_AMONG(list) " = ANY(CAST(string_to_array(" list ", ',') AS bigint[]))"
#define CONSOLE_C " COLLATE \"C\""
#define CONSOLE_LOWER(text) "lower(" text " COLLATE \"C\")"
#define CONSOLE_HAS(text, part) "strpos(" text ", " part ") > 0"

#include "inbox/sql/console.h"
#include "inbox/sql/shared.h"

/* In the order in which put.c and put_many.c bind them. */
#define DELIVERY_COLUMNS                                                                           \
    "event, action, installation, repository, sender, item, received_ms, body_codec, body_bytes,"  \
    " body, guid"
#define DELIVERY_ARRAYS                                                                            \
    "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"               \
    " $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::text[])"

/* The values of a run's row for each plugin of a put; `from` is an earlier part of the FROM clause.
 * While the installation waits for a rate limit, no host leases the run, and it is due when the
 * wait ends. */
#define RUN_VALUES(due, plugins, leased, host, ms, token, keys, coalesce, installation, from)      \
    "p.plugin, " installation "::text, greatest(" due "::bigint, w.until_ms),"                     \
    " CASE WHEN l.leased THEN 'running' WHEN f.free THEN 'queued' ELSE 'blocked' END,"             \
    " CASE WHEN l.leased THEN 1 ELSE 0 END,"                                                       \
    " CASE WHEN l.leased THEN " host "::bigint ELSE 0 END,"                                        \
    " CASE WHEN l.leased THEN " token "::bigint + p.nth - 1 ELSE 0 END,"                           \
    " CASE WHEN l.leased THEN " NOW_MS " + " ms "::bigint ELSE 0 END,"                             \
    " o.order_key, p.coalesce_key, " due "::bigint FROM " from "unnest(string_to_array(" plugins   \
    ", chr(10)), " leased "::boolean[],"                                                           \
    " string_to_array(" keys ", chr(10)), " coalesce "::bigint[])"                                 \
    " WITH ORDINALITY AS p (plugin, leased, order_key, coalesce_key, nth)"                         \
    " CROSS JOIN LATERAL (SELECT coalesce(p.order_key, '') AS order_key) AS o"                     \
    " CROSS JOIN LATERAL (SELECT o.order_key = '' OR NOT EXISTS (SELECT FROM runs h"               \
    " WHERE h.plugin = p.plugin AND h.order_key = o.order_key AND " SQL_HOLDS(                     \
        "h") ")"                                                                                   \
             " AS free) AS f"                                                                      \
             " CROSS JOIN (SELECT coalesce((SELECT all_ms FROM rate_limits"                        \
             " WHERE installation = " installation "), 0) AS until_ms) AS w"                       \
             " CROSS JOIN LATERAL (SELECT p.leased AND f.free AND w.until_ms <= " due              \
             "::bigint AS leased)"                                                                 \
             " AS l"

/* The number of the advisory lock of a plugin and a key. */
#define ORDER_LOCK_OF(text) "hashtextextended(" text ", 0)"

/* The plugins' sets and keys, and the bytes of each plugin. */

/* One row: do `more` bytes fit into the quota of the plugin $1? */
#define USAGE_ROOM(more, quota)                                                                    \
    "SELECT " quota " = 0 OR " more " <= 0 OR " more " + coalesce((SELECT u.bytes FROM"            \
    " plugin_usage u WHERE u.plugin = $1), 0) <= " quota " AS fits"
/* Counts `more` bytes of the plugin $1 if the CTE `changed` has a row. */
#define USAGE_ADD(more, changed)                                                                   \
    "INSERT INTO plugin_usage (plugin, bytes) SELECT $1, " more " WHERE EXISTS"                    \
    " (SELECT 1 FROM " changed ") ON CONFLICT (plugin) DO UPDATE"                                  \
    " SET bytes = plugin_usage.bytes + excluded.bytes"
/* $5: the bytes of the entry; $6: the quota. */
#define SET_ADD                                                                                    \
    "WITH room AS (" USAGE_ROOM(                                                                   \
        "$5::bigint",                                                                              \
        "$6::bigint") "),"                                                                         \
                      " added AS (INSERT INTO plugin_sets (plugin, scope, name, entry) SELECT "    \
                      "$1, $2, $3, $4"                                                             \
                      " FROM room WHERE fits ON CONFLICT DO NOTHING RETURNING 1),"                 \
                      " counted AS (" USAGE_ADD(                                                   \
                          "$5::bigint",                                                            \
                          "added") ")"                                                             \
                                   " SELECT (CASE WHEN EXISTS (SELECT 1 FROM added) THEN 1"        \
                                   " WHEN fits OR EXISTS (" SHARED_SET_HAS                         \
                                   ") THEN 0 ELSE 3 END)::bigint FROM room"
#define SET_REMOVE                                                                                 \
    "WITH removed AS (DELETE FROM plugin_sets WHERE plugin = $1 AND scope = $2 AND name = $3"      \
    " AND entry = $4 RETURNING 1), counted AS (" USAGE_ADD(                                        \
        "-$5::bigint", "removed") ")"                                                              \
                                  " SELECT count(*) FROM removed"
/* $4: the bytes of the key with its new value $6; $5: the quota. FOR UPDATE: another host may be
 * writing the same key. */
#define KEY_PUT                                                                                    \
    "WITH old AS (SELECT $4::bigint - octet_length($6::bytea) + octet_length(value) AS bytes"      \
    " FROM plugin_keys WHERE plugin = $1 AND scope = $2 AND name = $3 FOR UPDATE),"                \
    " grown AS (SELECT $4::bigint - coalesce((SELECT bytes FROM old), 0) AS bytes),"               \
    " room AS (SELECT r.fits, grown.bytes FROM grown CROSS JOIN LATERAL"                           \
    " (" USAGE_ROOM(                                                                               \
        "grown.bytes",                                                                             \
        "$5::bigint") ") AS r),"                                                                   \
                      " written AS (INSERT INTO plugin_keys (plugin, scope, name, value)"          \
                      " SELECT $1, $2, $3, $6::bytea FROM room WHERE fits ON CONFLICT (plugin, "   \
                      "scope, name)"                                                               \
                      " DO UPDATE SET value = excluded.value RETURNING 1),"                        \
                      " counted AS (" USAGE_ADD("(SELECT bytes FROM room)",                        \
                                                "written") ")"                                     \
                                                           " SELECT (CASE WHEN fits THEN 0 ELSE "  \
                                                           "3 END)::bigint FROM room"
/* $4: the bytes of the key without its value. */
#define KEY_DELETE                                                                                 \
    "WITH removed AS (DELETE FROM plugin_keys WHERE plugin = $1 AND scope = $2 AND name = $3"      \
    " RETURNING octet_length(value) AS bytes),"                                                    \
    " counted AS (" USAGE_ADD("-$4::bigint - (SELECT bytes FROM removed)",                         \
                              "removed") ")"                                                       \
                                         " SELECT count(*) FROM removed"

/* Queued runs of the plugin $1. Only the first of them, and those that are due later, are looked
 * for: the index keeps entries of earlier ones while another session's snapshot needs them. */
#define QUEUED "state = 'queued' AND plugin = $1 AND due_ms >= (SELECT due_ms FROM since)"
#define ORDINARY QUEUED " AND NOT suspect"
#define SUSPECT QUEUED " AND suspect"
#define FIRST_DUE(which)                                                                           \
    "(SELECT due_ms FROM runs WHERE state = 'queued' AND plugin = $1 AND " SQL_BY_DUE              \
    " AND " which " ORDER BY due_ms LIMIT 1)"
/* No queued run is due before $8; 0: not known. */
#define SINCE                                                                                      \
    "since AS (SELECT CASE WHEN $8::bigint > 0 THEN $8 ELSE least(" FIRST_DUE(                     \
        "NOT suspect") ", " FIRST_DUE("suspect") ") END AS due_ms)"
/* An installation's runs up to a due time. */
#define DUE_IN(its, until, due) "installation = " its " AND due_ms " until " " due
/* At $2 the installation of the row of `runs` does not wait for a rate limit. */
#define NOT_LIMITED                                                                                \
    "NOT EXISTS (SELECT FROM rate_limits l WHERE l.installation = runs.installation"               \
    " AND l.all_ms > $2)"

/* The order of texts is SQLite's. */
#define LIST_ORDER " COLLATE \"C\""
#define LIST_FROM                                                                                  \
    SHARED_LIST_COLUMNS " FROM runs r JOIN deliveries d ON d.id = r.delivery" SHARED_LIST_FILTERS
/* The plugin's runs in a chunk. A chunk of an event is short: for a long one, a server without
 * statistics would sort all deliveries of the event. The server may not join in another way:
 * without statistics it would read all runs of the plugin. */
#define LIST_PLUGIN_OF_CHUNK(chunk, most)                                                          \
    SHARED_LIST_COLUMNS                                                                            \
    " FROM (" chunk most ") AS c CROSS JOIN LATERAL (SELECT * FROM runs WHERE delivery = c.id"     \
    " AND plugin = $5 OFFSET 0) AS r CROSS JOIN LATERAL (SELECT * FROM deliveries"                 \
    " WHERE id = c.id OFFSET 0) AS d" SHARED_LIST_FILTERS SHARED_LIST_ORDER
#define LIST_OF_STATE(state) LIST_FROM " AND r.state = '" state "'" SHARED_LIST_ORDER LIST_ORDER

/* The runs that are shown in a state, by the ids that `ids` returns. */
#define LIST_SHOWN(ids)                                                                            \
    SHARED_LIST_COLUMNS                                                                            \
    " FROM (" ids ") AS s CROSS JOIN LATERAL (SELECT * FROM runs WHERE id = s.id OFFSET 0) AS r"   \
    " CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE id = r.delivery OFFSET 0) AS "            \
    "d" SHARED_LIST_FILTERS SHARED_LIST_ORDER LIST_ORDER

#define LIST_OF_WAITING                                                                            \
    LIST_FROM " AND r.label = 'waiting' AND r.state IN ('queued', 'blocked')" SHARED_LIST_ORDER    \
        LIST_ORDER

/* $n in the order in which the operations bind. Results are binary: numbers are bigint. */
const char *const postgres_statements[PG_SQL_COUNT] = {
    [PG_SQL_BEGIN] = "BEGIN",
    /* Skips a row that another session has locked: that session is writing, so the store can
     * write. */
    [PG_SQL_PROBE] = "UPDATE elections SET host = host + 1 WHERE name IN (SELECT name FROM"
                     " elections WHERE name = 'probe' FOR UPDATE SKIP LOCKED)",
    [PG_SQL_COMMIT] = "COMMIT",
    [PG_SQL_ROLLBACK] = "ROLLBACK",
    [PG_SQL_PUT] =
        "WITH d AS (INSERT INTO deliveries (" DELIVERY_COLUMNS ")"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " ON CONFLICT (guid) DO NOTHING RETURNING id),"
        " r AS (INSERT INTO runs (delivery, plugin, installation, due_ms, "
        "state, attempt, host, token,"
        " lease_until_ms, order_key, coalesce_key, first_due_ms) SELECT d.id, " RUN_VALUES(
            "$12", "$13", "$14", "$15", "$16", "$17", "$18", "$19", "$3",
            "d CROSS JOIN ") " RETURNING id, plugin, state, token)"
                             " SELECT d.id, r.id, r.plugin, r.state, r.token "
                             "FROM d LEFT JOIN r ON "
                             "true",
    /* A delivery with one run without an order: $12 the due time, $13 the plugin, $14 whether it is
     * to be leased, $15 the host, $16 the length of the lease, $17 the token. The server takes two
     * thirds of the time of PG_SQL_PUT for it. */
    [PG_SQL_PUT_ONE] =
        "WITH d AS (INSERT INTO deliveries (" DELIVERY_COLUMNS ")"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " ON CONFLICT (guid) DO NOTHING RETURNING id),"
        " r AS (INSERT INTO runs (delivery, plugin, installation, due_ms, state, attempt, host,"
        " token, lease_until_ms, first_due_ms) SELECT d.id, $13::text, $3,"
        " greatest($12::bigint, l.until_ms), CASE WHEN l.leased THEN 'running' ELSE 'queued' END,"
        " CASE WHEN l.leased THEN 1 ELSE 0 END, CASE WHEN l.leased THEN $15::bigint ELSE 0 END,"
        " CASE WHEN l.leased THEN $17::bigint ELSE 0 END,"
        " CASE WHEN l.leased THEN " NOW_MS " + $16::bigint ELSE 0 END, $12::bigint"
        " FROM d CROSS JOIN LATERAL (SELECT w.until_ms, $14::boolean AND w.until_ms <= $12::bigint"
        " AS leased FROM (SELECT coalesce((SELECT all_ms FROM rate_limits WHERE installation = $3),"
        " 0) AS until_ms OFFSET 0) AS w) AS l RETURNING id, plugin, state, token)"
        " SELECT d.id, r.id, r.plugin, r.state, r.token FROM d LEFT JOIN r ON true",
    /* A delivery without runs. Another statement for it: the server would prepare the insertion of
     * runs, with its CHECK constraints and indexes, also when none comes. */
    [PG_SQL_PUT_ALONE] = "INSERT INTO deliveries (" DELIVERY_COLUMNS ")"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
                         " ON CONFLICT (guid) DO NOTHING RETURNING id",
    /* Arrays of $1..$11 the deliveries, $12..$17 their runs: GUID, plugin, due time, host, length
     * of the lease, token (0: not to be leased). */
    [PG_SQL_PUT_MANY] =
        "WITH d AS (INSERT INTO deliveries (" DELIVERY_COLUMNS ") SELECT * FROM " DELIVERY_ARRAYS
        " ON CONFLICT (guid) DO NOTHING RETURNING id, guid, installation),"
        " r AS (INSERT INTO runs (delivery, plugin, installation, due_ms, state, attempt, host,"
        " token, lease_until_ms, first_due_ms) SELECT d.id, p.plugin, d.installation,"
        " greatest(p.due_ms, l.all_ms), CASE WHEN t.leased THEN 'running' ELSE 'queued' END,"
        " CASE WHEN t.leased THEN 1 ELSE 0 END, CASE WHEN t.leased THEN p.host ELSE 0 END,"
        " CASE WHEN t.leased THEN p.token ELSE 0 END,"
        " CASE WHEN t.leased THEN " NOW_MS " + p.lease_ms ELSE 0 END, p.due_ms"
        " FROM unnest($12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[],"
        " $17::bigint[]) AS p (guid, plugin, due_ms, host, lease_ms, token)"
        " JOIN d ON d.guid = p.guid LEFT JOIN rate_limits l ON l.installation = d.installation"
        " CROSS JOIN LATERAL (SELECT p.token <> 0 AND coalesce(l.all_ms, 0) <= p.due_ms AS leased)"
        " AS t RETURNING id, delivery, plugin, state, token)"
        " SELECT d.guid, r.id, r.plugin, r.state, r.token FROM d LEFT JOIN r ON r.delivery = d.id",
    /* Deliveries of which none has runs. */
    [PG_SQL_PUT_MANY_ALONE] =
        "INSERT INTO deliveries (" DELIVERY_COLUMNS ") SELECT * FROM " DELIVERY_ARRAYS
        " ON CONFLICT (guid) DO NOTHING RETURNING guid",
    [PG_SQL_DELIVERY_LOCK] = "SELECT id, body IS NULL FROM deliveries WHERE guid = $1 FOR UPDATE",
    [PG_SQL_DELIVERY_REPLACE] = SHARED_DELIVERY_REPLACE,
    [PG_SQL_RUNS_UNFINISHED] = SHARED_RUNS_UNFINISHED,
    [PG_SQL_RUNS_HASTEN] = "UPDATE runs SET due_ms = least(due_ms, $1), " SQL_SET_UNPARKED
                           " WHERE delivery = $2 AND (state = 'parked'"
                           " OR (state = 'queued' AND (attempt > 0 OR label = 'waiting'))"
                           " OR (state = 'blocked' AND outside))",
    [PG_SQL_RUNS_QUEUE] =
        "INSERT INTO runs (delivery, plugin, installation, due_ms, state, attempt, host, "
        "token,"
        " lease_until_ms, order_key, coalesce_key, first_due_ms) SELECT $1::bigint, " RUN_VALUES(
            "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10",
            "") " ON CONFLICT (delivery, plugin) DO UPDATE SET state = excluded.state,"
                " installation = excluded.installation,"
                " order_key = excluded.order_key,"
                " coalesce_key = excluded.coalesce_key, first_due_ms = excluded.first_due_ms,"
                " outside = false, by_hand = false, attempt = excluded.attempt, host = "
                "excluded.host, token = excluded.token,"
                " lease_until_ms = excluded.lease_until_ms, due_ms = excluded.due_ms,"
                " crashes = 0, waited_ms = 0, suspect = false, label = '', reason = '',"
                " finished_ms = NULL RETURNING id, plugin, state, token",
    [PG_SQL_RUNS_RECLAIM] = "WITH lapsed AS (SELECT id FROM runs WHERE state = 'running'"
                            " AND lease_until_ms < " NOW_MS " AND token <> ALL ($3::bigint[])"
                            " ORDER BY lease_until_ms LIMIT 256"
                            " FOR UPDATE SKIP LOCKED)"
                            " UPDATE runs r SET state = 'queued', due_ms = $1, token = 0,"
                            " lease_until_ms = 0, " SQL_SET_HOST_DIED(
                                "host <> $2") " FROM lapsed WHERE r.id = lapsed.id",
    /* Locks one suspect, or the ordinary runs that a claim may take, in the order of their turns.
     * The installations take turns, beginning with the one after $6. The one whose run has been
     * due the longest is among them, because the first 256 may have later runs only. The claim
     * skips an installation that waits for a rate limit, and delays its runs. It
     * locks an installation's first due run, and then runs that are not larger than $5. The run $7
     * comes first. */
    [PG_SQL_RUNS_DUE] =
        "WITH RECURSIVE " SINCE
        ", suspects AS (SELECT id, due_ms, installation FROM runs WHERE " SUSPECT " AND " SQL_BY_DUE
        " AND due_ms <= $2 AND $3::boolean AND " NOT_LIMITED
        " ORDER BY due_ms, id LIMIT 1 FOR UPDATE OF runs SKIP LOCKED),"
        " after (nth, installation) AS (SELECT 1, (SELECT installation FROM runs"
        " WHERE " ORDINARY " AND installation > $6::text ORDER BY installation"
        " LIMIT 1) WHERE NOT EXISTS (SELECT FROM suspects) AND $4::bigint > 0"
        " UNION ALL SELECT nth + 1, (SELECT installation FROM runs WHERE " ORDINARY
        " AND installation > a.installation ORDER BY installation LIMIT 1) FROM after a"
        " WHERE a.installation IS NOT NULL AND nth < 256),"
        " before (nth, installation) AS (SELECT 1001, (SELECT installation FROM runs"
        " WHERE " ORDINARY " ORDER BY installation LIMIT 1)"
        " WHERE NOT EXISTS (SELECT FROM suspects) AND $4::bigint > 0"
        " UNION ALL SELECT nth + 1, (SELECT installation FROM runs WHERE " ORDINARY
        " AND installation > b.installation ORDER BY installation LIMIT 1) FROM before b"
        " WHERE b.installation < $6::text AND nth < 1256),"
        " oldest AS (SELECT 2001 AS nth, installation FROM runs WHERE " ORDINARY " AND " SQL_BY_DUE
        " AND due_ms <= $2 AND NOT EXISTS (SELECT FROM suspects)"
        " AND $4::bigint > 0 ORDER BY due_ms LIMIT 1),"
        " turns AS (SELECT min(nth) AS nth, installation FROM (SELECT nth, installation FROM after"
        " WHERE installation IS NOT NULL UNION ALL SELECT nth, installation FROM before"
        " WHERE installation <= $6::text UNION ALL SELECT nth, installation FROM oldest) AS t"
        " GROUP BY installation),"
        " waiting AS (SELECT t.installation, l.all_ms FROM turns t JOIN rate_limits l"
        " ON l.installation = t.installation WHERE l.all_ms > $2),"
        " delayed AS (UPDATE runs SET due_ms = d.all_ms FROM (SELECT q.id, w.all_ms FROM waiting w"
        " CROSS JOIN LATERAL (SELECT id FROM runs WHERE " ORDINARY " AND " DUE_IN(
            "w.installation", "<=",
            "$2") " ORDER BY due_ms, id LIMIT 500"
                  " FOR UPDATE SKIP LOCKED) q LIMIT 500) d WHERE runs.id = d.id),"
                  " heads AS (SELECT t.nth, t.installation, h.id FROM turns t CROSS JOIN LATERAL"
                  " (SELECT id FROM runs WHERE " ORDINARY " AND " DUE_IN(
                      "t.installation", "<=",
                      "$2") " ORDER BY due_ms, id LIMIT 1) h WHERE NOT EXISTS (SELECT FROM waiting"
                            " w WHERE w.installation = t.installation) ORDER BY t.nth LIMIT $4),"
                            " open AS (SELECT h.nth, h.installation, h.id, (" SHARED_RUN_BYTES
                            " > $5) AS large"
                            " FROM heads h JOIN runs r ON r.id = h.id),"
                            " wanted AS (SELECT id, due_ms, installation FROM runs"
                            " WHERE $7::bigint <> 0 AND id = $7 AND state = 'queued'"
                            " AND plugin || '' = $1 AND NOT suspect AND due_ms <= $2"
                            " AND NOT EXISTS (SELECT FROM suspects) AND $4::bigint > 0"
                            " AND " NOT_LIMITED " FOR UPDATE OF runs SKIP LOCKED),"
                            " ordinary AS (SELECT r.id, r.due_ms, o.installation, o.nth, r.place "
                            "FROM open o"
                            " CROSS JOIN LATERAL (SELECT q.*, row_number() OVER (ORDER BY "
                            "q.due_ms, q.id) AS place"
                            " FROM (SELECT id, due_ms FROM runs r WHERE " ORDINARY " AND " DUE_IN(
                                "o.installation", "<=",
                                "$2") " AND id <> $7"
                                      " AND (id = o.id OR " SHARED_RUN_BYTES
                                      " <= $5) ORDER BY due_ms, id"
                                      " LIMIT greatest(1, $4 - (SELECT count(*) FROM open) + 1)"
                                      " + CASE WHEN o.large THEN 1 ELSE 0 END FOR UPDATE SKIP "
                                      "LOCKED) q) r"
                                      " ORDER BY r.place, o.nth LIMIT $4 + (SELECT count(*) FROM "
                                      "open WHERE large)),"
                                      " due AS (SELECT id, due_ms, installation, 0 AS nth, "
                                      "-1::bigint AS place FROM suspects"
                                      " UNION ALL SELECT id, due_ms, installation, 0, 0 FROM wanted"
                                      " UNION ALL SELECT id, due_ms, installation, nth, place FROM "
                                      "ordinary)"
                                      " SELECT due.id, due.due_ms, " SHARED_RUN_BYTES
                                      ", due.installation"
                                      " FROM due JOIN runs r ON r.id = due.id ORDER BY due.place, "
                                      "due.nth, due.id",
    /* Leases the runs $4, in this order, and loads them. The server may take no index of queued
     * runs, which are many: the ids find these rows. */
    [PG_SQL_RUNS_TAKE] =
        "WITH taken AS (UPDATE runs r SET state = 'running', attempt = r.attempt + 1,"
        " granted = false, host = $1, lease_until_ms = " NOW_MS " + $2,"
        " token = $3::bigint + array_position($4::bigint[], r.id) - 1"
        " WHERE r.id = ANY ($4::bigint[]) AND r.state || '' = 'queued' RETURNING r.id, r.attempt,"
        " r.crashes, r.suspect, r.delivery, r.due_ms, r.order_key, r.coalesce_key, r.waited_ms)"
        " SELECT t.id, t.attempt, t.crashes, t.suspect, d.received_ms, d.guid, d.event, d.action,"
        " d.installation, d.repository, d.sender, d.body, d.body_bytes, d.body_codec, t.due_ms,"
        " d.item, t.order_key, t.coalesce_key, t.waited_ms FROM taken t CROSS JOIN LATERAL"
        " (SELECT * FROM deliveries WHERE id = t.delivery OFFSET 0) AS d"
        " ORDER BY array_position($4::bigint[], t.id)",
    /* For each plugin, one in each line of $1; of the runs that are due at its time in $2 or later.
     */
    [PG_SQL_RUNS_NEXT_DUE] =
        "SELECT (SELECT due_ms FROM runs WHERE state = 'queued' AND plugin = p.plugin"
        " AND " SQL_BY_DUE " AND due_ms >= p.since AND NOT suspect ORDER BY due_ms LIMIT 1),"
        " (SELECT due_ms FROM runs WHERE state = 'queued' AND plugin = p.plugin"
        " AND " SQL_BY_DUE " AND due_ms >= p.since AND suspect ORDER BY due_ms LIMIT 1)"
        " FROM (SELECT n.plugin, f.since, n.nth FROM unnest(string_to_array($1, chr(10)))"
        " WITH ORDINALITY AS n (plugin, nth) JOIN unnest($2::bigint[]) WITH ORDINALITY AS f (since,"
        " nth) ON f.nth = n.nth) AS p ORDER BY p.nth",
    [PG_SQL_RUNS_RENEW] = "UPDATE runs SET lease_until_ms = " NOW_MS " + $1"
                          " WHERE id = ANY ($2::bigint[]) AND token = ANY ($3::bigint[])"
                          " AND state = 'running' RETURNING id, token",
    [PG_SQL_RUN_LEASE_CHECK] = "UPDATE runs SET lease_until_ms = " NOW_MS " + $1"
                               " WHERE id = $2 AND token = $3 AND state = 'running'",
    /* In the order of the locks, so that two hosts never wait for each other. All that may change
     * who holds a key locks it first. So runs of one key get their ids in the order of commits. */
    [PG_SQL_ORDER_LOCK] = "SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT " ORDER_LOCK_OF(
        "key") " AS lock FROM unnest(string_to_array($1, chr(10))) AS key ORDER BY lock) AS locks",
    [PG_SQL_ORDER_LOCK_DELIVERY] =
        "SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT " ORDER_LOCK_OF(
            "plugin || ' ' || order_key") " AS lock FROM runs WHERE delivery = $1"
                                          " AND order_key <> '' ORDER BY lock) AS locks",
    [PG_SQL_ORDER_TRY_LOCK] = "SELECT pg_try_advisory_xact_lock(" ORDER_LOCK_OF(
        "$1::text || ' ' || $2::text") ")::integer::bigint",
    [PG_SQL_ORDER_PROMOTE] = SHARED_ORDER_PROMOTE,
    [PG_SQL_ORDER_DISPLACE] = SHARED_ORDER_DISPLACE,
    [PG_SQL_ORDER_JOIN] = SHARED_ORDER_JOIN,
    /* Does not wait for a key that another host has locked: a later claim finds the run again. */
    [PG_SQL_ORDER_DUE] =
        "SELECT id, plugin, order_key, by_hand, pg_try_advisory_xact_lock(" ORDER_LOCK_OF(
            "plugin || ' ' || order_key") ") FROM (SELECT id, plugin, order_key, by_hand FROM runs"
                                          " WHERE state = 'blocked' AND outside AND due_ms <= $1"
                                          " ORDER BY due_ms, id LIMIT $2) AS due",
    /* Rows: (GUID, attempt). */
    [PG_SQL_SUPERSEDE] = "WITH old AS (UPDATE runs SET finished_ms = $1, " SQL_SET_SUPERSEDED(
        "$2::text") " WHERE " SQL_REPLACEABLE " AND id < " SQL_REPLACING
                    " RETURNING delivery, attempt, first_due_ms),"
                    " hastened AS (UPDATE runs SET first_due_ms = least(runs.first_due_ms, f.ms),"
                    " due_ms = least(due_ms, f.ms + " SQL_COALESCE_MAX_MS ") FROM (SELECT"
                    " min(first_due_ms) AS ms FROM old WHERE attempt = 0) AS f"
                    " WHERE f.ms IS NOT NULL AND runs.id = " SQL_REPLACING ")"
                    " SELECT d.guid, old.attempt FROM old JOIN deliveries d ON d.id = old.delivery",
    [PG_SQL_RUN_SUPERSEDED] = SHARED_RUN_SUPERSEDED,
    [PG_SQL_ORDER_REPAIR] = SHARED_ORDER_REPAIR,
    [PG_SQL_ATTEMPT_ADD] = SHARED_ATTEMPT_ADD,
    [PG_SQL_ATTEMPTS_CUT] = SHARED_ATTEMPTS_CUT,
    [PG_SQL_RUN_END] = SHARED_RUN_END,
    /* Arrays of $1..$3: runs, the tokens of their claims, and when they ended. The server may take
     * no index of running runs: the ids find these rows. */
    [PG_SQL_RUNS_END] =
        "UPDATE runs SET state = 'done', label = $4, reason = '', suspect = FALSE, crashes = 0,"
        " finished_ms = ($3::bigint[])[array_position($1::bigint[], id)], token = 0,"
        " lease_until_ms = 0, by_hand = FALSE WHERE id = ANY ($1::bigint[])"
        " AND token = ($2::bigint[])[array_position($1::bigint[], id)]"
        " AND state || '' = 'running' RETURNING id",
    [PG_SQL_RUN_AGAIN] = SHARED_RUN_AGAIN,
    [PG_SQL_RUN_PARK] = SHARED_RUN_PARK,
    /* Makes the installation's parked runs due, and marks its running runs, which may be about to
     * park. The runs of the granting delivery itself are left out, because they begin after the
     * grant. It is one statement, so PostgreSQL looks again at a run that another host parks at
     * this moment. */
    [PG_SQL_RUNS_UNPARK] =
        "UPDATE runs SET " SQL_SET_UNPARKED ","
        " due_ms = CASE state WHEN 'parked' THEN $1 ELSE due_ms END, granted = state = "
        "'running'"
        " WHERE (state = 'parked' OR state = 'running') AND EXISTS (SELECT FROM deliveries "
        "d"
        " WHERE d.id = runs.delivery AND d.installation = $2 AND d.guid <> $3)"
        " RETURNING (state <> 'running')::integer::bigint",
    [PG_SQL_RUNS_UNINSTALL] = SHARED_RUNS_UNINSTALL,
    /* $3: the backend as libpq knows it. Behind a pooler it is another one than the server's, and
     * the session ends at other times than the host: then the lease alone counts. */
    [PG_SQL_ELECT] = "UPDATE elections SET host = $1, lease_until_ms = " NOW_MS " + $2,"
                     " session_lock = CASE WHEN $3::bigint = pg_backend_pid()"
                     " AND pg_try_advisory_lock($1) THEN 1 ELSE 0 END"
                     " WHERE name IN (SELECT e.name FROM elections e WHERE e.name = 'maintenance'"
                     " AND (e.host = $1 OR e.lease_until_ms < " NOW_MS
                     " OR (e.session_lock = 1 AND NOT EXISTS (SELECT 1 FROM pg_locks l"
                     " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
                     " AND l.database = (SELECT oid FROM pg_database"
                     " WHERE datname = current_database())"
                     " AND l.classid::bigint = e.host >> 32"
                     " AND l.objid::bigint = e.host & 4294967295))) FOR UPDATE SKIP LOCKED)",
    /* $1: the first due time of the queued runs. */
    [PG_SQL_NOTIFY] = "SELECT pg_notify('snekomatic', $1::bigint::text)",
    [PG_SQL_HOLDS_READ] = SHARED_HOLDS,
    [PG_SQL_HOLD_FIND] = SHARED_HOLD_FIND,
    [PG_SQL_HOLD_PUT] = SHARED_HOLD_PUT,
    [PG_SQL_HOLD_END] = SHARED_HOLD_END,
    [PG_SQL_HOLDS_FORGET] = SHARED_HOLDS_FORGET,
    [PG_SQL_HOLDS_COUNT] = SHARED_HOLDS_COUNT,
    [PG_SQL_RUN_SET_ASIDE] = SHARED_RUN_SET_ASIDE,
    [PG_SQL_RUNS_RELEASE] = SHARED_RUNS_RELEASE("= ANY (ARRAY(", "))"),
    [PG_SQL_STATS] = SHARED_STATS,
    [PG_SQL_SET_HAS] = SHARED_SET_HAS,
    [PG_SQL_SET_HAS_ADOPTED] = SHARED_SET_HAS_ADOPTED,
    [PG_SQL_SET_ADD] = SET_ADD,
    [PG_SQL_SET_REMOVE] = SET_REMOVE,
    [PG_SQL_KEY_GET] = SHARED_KEY_GET,
    [PG_SQL_KEY_PUT] = KEY_PUT,
    [PG_SQL_RESERVE] = "WITH reserved AS (" SHARED_RESERVE " RETURNING 1)"
                       " SELECT (CASE WHEN EXISTS (SELECT 1 FROM reserved) THEN 1"
                       " WHEN " SQL_RESERVES_MOST("$4") " THEN 3 ELSE 0 END)::bigint",
    [PG_SQL_KEY_DELETE] = KEY_DELETE,
    [PG_SQL_AUDIT_HOUR] = SHARED_AUDIT_HOUR,
    [PG_SQL_AUDIT_ITEM] = SHARED_AUDIT_ITEM,
    [PG_SQL_LOOP_GET] = SHARED_LOOP_GET,
    [PG_SQL_LOOP_PUT] = SHARED_LOOP_PUT,
    [PG_SQL_LOOP_HELD] = SHARED_LOOP_HELD,
    [PG_SQL_PRUNE_LOOPS] = SHARED_PRUNE_LOOPS,
    [PG_SQL_AUDIT_ADD] = SHARED_AUDIT_ADD,
    [PG_SQL_AUDIT_COMPLETE] = SHARED_AUDIT_COMPLETE,
    [PG_SQL_AUDIT_UNSENT] = SHARED_AUDIT_UNSENT,
    [PG_SQL_AUDIT_READ] = SHARED_AUDIT_READ,
    [PG_SQL_PRUNE_AUDIT] = SHARED_PRUNE_AUDIT,
    [PG_SQL_BOT_USER_GET] = SHARED_BOT_USER_GET,
    [PG_SQL_BOT_USER_PUT] = SHARED_BOT_USER_PUT,
    [PG_SQL_PULL_BEGIN] = SHARED_PULL_BEGIN,
    [PG_SQL_PULL_PLACE] = SHARED_PULL_PLACE,
    [PG_SQL_PULL_NOTE] = SHARED_PULL_NOTE,
    [PG_SQL_PULL_MOVE] = SHARED_PULL_MOVE,
    [PG_SQL_PULL_DUE] = SHARED_PULL_DUE,
    [PG_SQL_PULL_WAITING] = SHARED_PULL_WAITING,
    [PG_SQL_PULL_FAIL] = SHARED_PULL_FAIL,
    [PG_SQL_PULL_TAKE] = SHARED_PULL_TAKE,
    [PG_SQL_PULL_FORGET] = SHARED_PULL_FORGET,
    [PG_SQL_PRUNE_PULLED] = SHARED_PRUNE_PULLED,
    [PG_SQL_HOST_SEEN] = "INSERT INTO hosts (name, seen_ms, salt, fingerprints)"
                         " VALUES ($1, " NOW_MS ", $2, $3)"
                         " ON CONFLICT (name) DO UPDATE SET seen_ms = excluded.seen_ms,"
                         " salt = excluded.salt, fingerprints = excluded.fingerprints",
    [PG_SQL_HOST_GONE] = "DELETE FROM hosts WHERE name = $1",
    [PG_SQL_HOSTS_FORGET] = "DELETE FROM hosts WHERE seen_ms < " NOW_MS " - $1::bigint",
    [PG_SQL_HOSTS_LIST] = "SELECT name, " NOW_MS " - seen_ms, salt, fingerprints FROM hosts"
                          " ORDER BY name",
    [PG_SQL_SECRET_CHECK_GET] = "SELECT salt FROM secret_checks WHERE one = 1"
                                " AND asked_ms > " NOW_MS " - $1::bigint",
    [PG_SQL_SECRET_CHECK_PUT] = "INSERT INTO secret_checks (one, salt, asked_ms)"
                                " VALUES (1, $1, " NOW_MS ")"
                                " ON CONFLICT (one) DO UPDATE SET salt = excluded.salt,"
                                " asked_ms = excluded.asked_ms",
    [PG_SQL_DELIVERY_FIND] = SHARED_DELIVERY_FIND,
    [PG_SQL_DELIVERY_BODY] = "SELECT body, body_codec, body_bytes FROM deliveries WHERE guid = $1",
    [PG_SQL_LIST_ALL] = SHARED_LIST_OF_CHUNK(SHARED_LIST_CHUNK_ALL("500")) LIST_ORDER,
    [PG_SQL_LIST_ALL_END] = SHARED_LIST_END(SHARED_LIST_CHUNK_ALL("500")),
    [PG_SQL_LIST_EVENT] = SHARED_LIST_OF_CHUNK(SHARED_LIST_CHUNK_EVENT) LIST_ORDER,
    [PG_SQL_LIST_EVENT_END] = SHARED_LIST_END(SHARED_LIST_CHUNK_EVENT),
    [PG_SQL_LIST_ALL_OF_PLUGIN] =
        LIST_PLUGIN_OF_CHUNK(SHARED_LIST_CHUNK_ALL("5000"), "5000") LIST_ORDER,
    [PG_SQL_LIST_ALL_OF_PLUGIN_END] = SHARED_LIST_LONG_END(SHARED_LIST_CHUNK_ALL("5000")),
    [PG_SQL_LIST_EVENT_OF_PLUGIN] = LIST_PLUGIN_OF_CHUNK(SHARED_LIST_CHUNK_EVENT, "500") LIST_ORDER,
    [PG_SQL_LIST_EVENT_OF_PLUGIN_END] = SHARED_LIST_END(SHARED_LIST_CHUNK_EVENT),
    [PG_SQL_LIST_DELIVERY] = SHARED_LIST_DELIVERY LIST_ORDER,
    [PG_SQL_LIST_QUEUED] = LIST_SHOWN(SQL_SHOWN_QUEUED("r.id")),
    [PG_SQL_LIST_BLOCKED] = LIST_OF_STATE("blocked"),
    [PG_SQL_LIST_HELD] = LIST_SHOWN(SQL_SHOWN_HELD("r.id")),
    [PG_SQL_LIST_RUNNING] = LIST_OF_STATE("running"),
    [PG_SQL_LIST_WAITING] = LIST_OF_WAITING,
    [PG_SQL_LIST_PARKED] = LIST_OF_STATE("parked"),
    [PG_SQL_LIST_DEAD] = LIST_OF_STATE("dead"),
    [PG_SQL_LIST_PLUGIN] = LIST_FROM " AND r.plugin = $5" SHARED_LIST_ORDER LIST_ORDER,
    [PG_SQL_LIST_COUNT_QUEUED] = SHARED_LIST_COUNT_OF(SQL_SHOWN_QUEUED("1")),
    [PG_SQL_LIST_COUNT_BLOCKED] = SHARED_LIST_COUNT("state = 'blocked'"),
    [PG_SQL_LIST_COUNT_HELD] = SHARED_LIST_COUNT_OF(SQL_SHOWN_HELD("1")),
    [PG_SQL_LIST_COUNT_RUNNING] = SHARED_LIST_COUNT("state = 'running'"),
    [PG_SQL_LIST_COUNT_WAITING] = SHARED_LIST_COUNT(SQL_WAITING),
    [PG_SQL_LIST_COUNT_PARKED] = SHARED_LIST_COUNT("state = 'parked'"),
    [PG_SQL_LIST_COUNT_DEAD] = SHARED_LIST_COUNT("state = 'dead'"),
    [PG_SQL_LIST_COUNT_PLUGIN] = SHARED_LIST_COUNT("plugin = $1"),
    [PG_SQL_RUNS_RERUN] = SHARED_RUNS_RERUN,
    [PG_SQL_RUNS_DISCARD] = SHARED_RUNS_DISCARD,
    [PG_SQL_INSTALLATIONS_LIMITED] = SHARED_INSTALLATIONS_LIMITED,
    [PG_SQL_INSTALLATIONS_PARKED] = SHARED_INSTALLATIONS_PARKED,
    [PG_SQL_INSTALLATION_HASTEN] = SHARED_INSTALLATION_HASTEN,
    [PG_SQL_INSTALLATION_END_LIMITS] = SHARED_INSTALLATION_END_LIMITS,
    [PG_SQL_INSTALLATION_UNPARK] = SHARED_INSTALLATION_UNPARK,
    [PG_SQL_PREVIEWS_FORGET] = SHARED_PREVIEWS_FORGET,
    [PG_SQL_PREVIEW_ADD] = SHARED_PREVIEW_ADD,
    /* $3 is an array of runs; $4 has their states, one in each line. */
    [PG_SQL_PREVIEW_ADD_RUNS] =
        "INSERT INTO preview_runs (preview, number, run, state)"
        " SELECT $1::bigint, $2::bigint + n - 1, run, state FROM ROWS FROM ("
        "unnest($3::bigint[]), unnest(string_to_array($4, chr(10)))) WITH ORDINALITY"
        " AS r (run, state, n)",
    [PG_SQL_PREVIEW_IN_DOUBT] = SHARED_PREVIEW_IN_DOUBT,
    [PG_SQL_PREVIEW_FIND] = SHARED_PREVIEW_FIND,
    [PG_SQL_PREVIEW_NEXT] = SHARED_PREVIEW_NEXT " FOR UPDATE SKIP LOCKED",
    [PG_SQL_PREVIEW_TAKE] = SHARED_PREVIEW_TAKE,
    [PG_SQL_PREVIEW_END] = SHARED_PREVIEW_END,
    [PG_SQL_PREVIEW_RUN] = SHARED_PREVIEW_RUN,
    [PG_SQL_PREVIEW_RUN_LOCK] = SHARED_PREVIEW_RUN " FOR UPDATE OF r",
    [PG_SQL_UNWANTED] = SHARED_UNWANTED,
    [PG_SQL_MARK_END] = SHARED_MARK_END,
    [PG_SQL_RUNS_MARK] = SHARED_RUNS_MARK,
    /* The array is made first, so the runs are found by their deliveries. */
    [PG_SQL_RUNS_END_UNCONFIGURED] = SHARED_RUNS_END_UNCONFIGURED("= ANY (ARRAY(", "))"),
    /* The hosts' own names, one in each line of $1. */
    [PG_SQL_PLUGINS_CONFIGURED] =
        "INSERT INTO configured_plugins (name, until_ms) SELECT name, " NOW_MS " + $2::bigint"
        " FROM unnest(string_to_array($1, chr(10))) AS n (name) WHERE name <> '' ORDER BY "
        "name" SQL_CONFIGURED_LONGER,
    [PG_SQL_PRUNE_LOOK] =
        "SELECT d.received_ms, d.id, octet_length(d.body)::bigint, " SHARED_ENDED_BEFORE(
            "$3", "$4") " FROM deliveries d WHERE d.body IS NOT NULL"
                        " AND (d.received_ms, d.id) > ($1, $2) AND d.received_ms < $3"
                        " ORDER BY d.received_ms, d.id LIMIT $5",
    [PG_SQL_PRUNE_LOCK] = "SELECT id FROM deliveries WHERE id = ANY ($1::bigint[])"
                          " ORDER BY id FOR UPDATE SKIP LOCKED",
    [PG_SQL_PRUNE_BODIES] = "UPDATE deliveries d SET body = NULL WHERE id = ANY ($1::bigint[])"
                            " AND received_ms < $2::bigint AND " SHARED_ENDED_BEFORE("$2", "$3"),
    [PG_SQL_PRUNE_READS] = "DELETE FROM journal WHERE kind <> 'effect' AND run IN"
                           " (SELECT r.id FROM runs r JOIN deliveries d ON d.id = r.delivery"
                           " WHERE d.id = ANY ($1::bigint[]) AND d.body IS NULL)",
    [PG_SQL_PRUNE_RESPONSES] = "UPDATE journal SET headers = '', body = '' WHERE run IN"
                               " (SELECT r.id FROM runs r JOIN deliveries d ON d.id = r.delivery"
                               " WHERE d.id = ANY ($1::bigint[]) AND d.body IS NULL)",
    [PG_SQL_PRUNE_FORGET] =
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
        " WHERE body IS NULL AND (received_ms, id) > ($1, $2)"
        " AND received_ms < $3 AND " SHARED_NOT_NEWEST " ORDER BY received_ms, id LIMIT $4"
        " FOR UPDATE SKIP LOCKED) RETURNING received_ms, id",
    [PG_SQL_PRUNE_REDELIVERIES] = SHARED_PRUNE_REDELIVERIES,
    [PG_SQL_FIND_MISSING] = "SELECT (SELECT count(*) FROM deliveries WHERE guid = $1),"
                            " (SELECT requests FROM redeliveries WHERE guid = $1),"
                            " (SELECT requested_ms FROM redeliveries WHERE guid = $1)",
    [PG_SQL_REDELIVERY_COUNT] = SHARED_REDELIVERY_COUNT,
    [PG_SQL_REDELIVERY_UNCOUNT] = SHARED_REDELIVERY_UNCOUNT,
    [PG_SQL_RUNS_SET_BACK] = SHARED_RUNS_SET_BACK,
    [PG_SQL_RUNS_BEHIND] = SHARED_RUNS_BEHIND,
    /* The array is made first, so the runs are found by their deliveries. */
    [PG_SQL_RUNS_OF_FUTURE] = SQL_SET_NOW " AND delivery = ANY (ARRAY(" SQL_OF_FUTURE "))",
    [PG_SQL_RATE_LIMITS_SET_BACK] = SHARED_RATE_LIMITS_SET_BACK,
    [PG_SQL_REDELIVERY_FETCHED] = SHARED_REDELIVERY_FETCHED,
    [PG_SQL_REDELIVERY_ARRIVED] = SHARED_REDELIVERY_ARRIVED,
    /* Locks the row, so that no other host takes the run before the group has committed. */
    [PG_SQL_RUN_HELD] = "SELECT lease_until_ms - " NOW_MS " FROM runs WHERE id = $1 AND token = $2"
                        " AND state = 'running' FOR UPDATE",
    [PG_SQL_JOURNALS_READ] = "SELECT run, number, kind, state, key, marker, dry, at_ms, method,"
                             " url, outcome, status, message, headers, body, token"
                             " FROM journal WHERE run = ANY ($1::bigint[]) ORDER BY run, number",
    [PG_SQL_JOURNAL_WRITE] = SHARED_JOURNAL_WRITE,
    [PG_SQL_JOURNAL_COMPLETE] = SHARED_JOURNAL_COMPLETE,
    [PG_SQL_JOURNAL_OUTCOME] = SHARED_JOURNAL_OUTCOME,
    /* Only for a run that is done, whichever claim finished it. */
    [PG_SQL_JOURNAL_CUT_BACK] = "DELETE FROM journal WHERE run = $1 AND kind <> 'effect'"
                                " AND EXISTS (SELECT FROM runs WHERE id = $1 AND state = 'done')",
    [PG_SQL_JOURNAL_CUT_RESPONSES] = "UPDATE journal SET headers = '', body = '' WHERE run = $1"
                                     " AND EXISTS (SELECT FROM runs WHERE id = $1"
                                     " AND state = 'done')",
    /* A delivery that comes again runs afresh; but one whose run died is taken up where it
       was. */
    [PG_SQL_JOURNALS_DROP] = SHARED_JOURNALS_DROP,
    [PG_SQL_RATE_LIMIT_PUT] =
        "INSERT INTO rate_limits (installation, all_ms, search_ms, graphql_ms)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (installation) DO UPDATE SET"
        " all_ms = greatest(rate_limits.all_ms, excluded.all_ms),"
        " search_ms = greatest(rate_limits.search_ms, excluded.search_ms),"
        " graphql_ms = greatest(rate_limits.graphql_ms, excluded.graphql_ms)",
    /* Skips locked runs, because a host is claiming them. */
    [PG_SQL_RATE_LIMIT_DELAY] = SHARED_PLUGINS_QUEUED
    " UPDATE runs SET due_ms = $1 WHERE id IN (SELECT r.id FROM p"
    " CROSS JOIN (VALUES (true), (false)) AS s (suspect)"
    " CROSS JOIN LATERAL (SELECT id FROM runs WHERE state = 'queued'"
    " AND plugin = p.plugin AND suspect = s.suspect"
    " AND " DUE_IN("$2", "<", "$1") " LIMIT $3"
                                    " FOR UPDATE SKIP LOCKED) r LIMIT $3)",
    [PG_SQL_TIMERS_DUE] = SHARED_TIMERS_DUE,
    [PG_SQL_TIMER_SET] = SHARED_TIMER_SET,
    [PG_SQL_TIMER_CANCEL] = SHARED_TIMER_CANCEL,
    [PG_SQL_TIMERS_OTHERS] = SHARED_TIMERS_OTHERS,
    [PG_SQL_TIMER_TAKE] = SHARED_TIMER_TAKE,
    [PG_SQL_TIMERS_UNINSTALL] = SHARED_TIMERS_UNINSTALL,
    [PG_SQL_SLOTS_UNINSTALL] = SHARED_SLOTS_UNINSTALL,
    [PG_SQL_TIMERS_FORGET] = SHARED_TIMERS_FORGET,
    [PG_SQL_SLOTS_FORGET] = SHARED_SLOTS_FORGET,
    [PG_SQL_SLOT_FIND] = SHARED_SLOT_FIND,
    [PG_SQL_SLOT_TAKE] = SHARED_SLOT_TAKE,
    [PG_SQL_FIRING_UNFINISHED] = SHARED_FIRING_UNFINISHED,
    [PG_SQL_RATE_LIMIT_GET] = SHARED_RATE_LIMIT_GET,
#define CONSOLE_ROW(name, text) [PG_SQL_CONSOLE + CONSOLE_##name] = text,
    CONSOLE_STATEMENTS(CONSOLE_ROW)};
