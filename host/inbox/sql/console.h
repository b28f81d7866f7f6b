/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's statements (inbox/console.h), which both stores share. Include it after shared.h.
 * A store defines CONSOLE_INDEXED(index), CONSOLE_LEFT_JOIN_RUNS (of the delivery d), and
 * CONSOLE_C, the collation that orders by bytes, and CONSOLE_HAS(text, part), and
 * CONSOLE_LOWER(text), which changes ASCII letters only, as text_to_lower() does.
 * CONSOLE_SORT(order): " ORDER BY order" where a join may change the order of its first table;
 * SQLite's CROSS JOIN keeps it, and would sort all rows.
 * CONSOLE_JOIN(table, alias, condition): joins the rows of the table that fit each row so far, by
 * an index. The server must not join in another order, which would read all deliveries.
 * CONSOLE_AMONG(list): " IN ..." or the like, of a text of numbers with commas between them. */
#ifndef SNEK_INBOX_SQL_CONSOLE_H
#define SNEK_INBOX_SQL_CONSOLE_H

#include "inbox/common/console_sql.h"
#include "inbox/common/name_filter.h"
#include "inbox/console.h"
#include "inbox/maintenance.h"

/* A search finds a skipped run by a state of its own. */
#define CONSOLE_FOUND_STATE                                                                        \
    "CASE WHEN r.state = 'done' AND r.label = 'skipped' THEN 'skipped' ELSE " SQL_SHOWN_STATE " E" \
    "ND"
#define CONSOLE_IS(number, condition) " AND (CAST(" number " AS text) IS NULL OR " condition ")"
/* The filters $3 to $11; NULL: any. */
#define CONSOLE_FILTERS                                                                            \
    " AND d.received_ms >= $3 AND d.received_ms < $4" CONSOLE_IS("$5", "d.event = $5")             \
        CONSOLE_IS("$6", CONSOLE_LOWER("d.repository") " = $6") CONSOLE_IS("$7", "d.item LIKE $7") \
            CONSOLE_IS("$8", CONSOLE_LOWER("d.sender") " = $8") CONSOLE_IS("$9", "r.plugin = $9")  \
                CONSOLE_IS("$10", CONSOLE_FOUND_STATE " = $10") CONSOLE_IS(                        \
                    "$11", "(" CONSOLE_HAS(CONSOLE_LOWER("r.reason"), "$11") " OR " CONSOLE_HAS(   \
                               CONSOLE_LOWER("r.label"), "$11") ")")
#define CONSOLE_BY_DELIVERY " ORDER BY d.id DESC, r.plugin" CONSOLE_C
#define CONSOLE_BETWEEN " d.id > $1 AND d.id < $2" CONSOLE_FILTERS
#define CONSOLE_RUNS_OF(ids)                                                                       \
    " FROM (" ids ") AS s" CONSOLE_JOIN("runs", "r", "r.id = s.id")                                \
        CONSOLE_JOIN("deliveries", "d", "d.id = r.delivery")
/* The ids of the runs of one state. They come from an index, and only the rows of the next few are
 * read. */
#define CONSOLE_IDS(index, condition)                                                              \
    "SELECT id FROM runs" CONSOLE_INDEXED(index) " WHERE " condition                               \
                                                 " LIMIT " SQL_DIGITS(CONSOLE_FEW)
#define CONSOLE_IDS_QUEUED SQL_SHOWN_QUEUED("r.id") " LIMIT " SQL_DIGITS(CONSOLE_FEW)
#define CONSOLE_IDS_HELD SQL_SHOWN_HELD("r.id") " LIMIT " SQL_DIGITS(CONSOLE_FEW)
#define CONSOLE_IDS_BLOCKED CONSOLE_IDS("runs_blocked", "state = 'blocked'")
#define CONSOLE_IDS_RUNNING CONSOLE_IDS("runs_leased", "state = 'running'")
#define CONSOLE_IDS_PARKED CONSOLE_IDS("runs_parked", "state = 'parked'")
#define CONSOLE_IDS_WAITING CONSOLE_IDS("runs_waiting", SQL_WAITING)
#define CONSOLE_IDS_IN_DOUBT                                                                       \
    "SELECT DISTINCT run AS id FROM (SELECT run FROM journal WHERE state = 'intended'"             \
    " LIMIT " SQL_DIGITS(CONSOLE_FEW) ") AS j"
/* The last ones before $1. */
#define CONSOLE_LAST_IDS(ids)                                                                      \
    "SELECT id FROM (" ids ") AS found WHERE id < $1 ORDER BY id DESC LIMIT "
#define CONSOLE_OF_STATE(ids, and)                                                                 \
    SHARED_LIST_COLUMNS CONSOLE_RUNS_OF(                                                           \
        CONSOLE_LAST_IDS(ids) SQL_DIGITS(CONSOLE_RUNS_CHUNK)) " WHERE d.id < $2" CONSOLE_FILTERS   \
        and CONSOLE_SORT("s.id DESC") " LIMIT $12"
/* The last one of those that CONSOLE_OF_STATE() looks at. */
#define CONSOLE_END(ids)                                                                           \
    "SELECT r.delivery, r.id FROM (" CONSOLE_LAST_IDS(ids) "1 OFFSET " SQL_DIGITS(                 \
        CONSOLE_RUNS_CHUNK) " - 1) AS s" CONSOLE_JOIN("runs", "r", "r.id = s.id")
#define CONSOLE_COUNT_SHOWN(rows)                                                                  \
    "SELECT count(*) FROM (SELECT 1 FROM (" rows                                                   \
    ") AS shown LIMIT " SQL_DIGITS(CONSOLE_FEW) " + 1) AS few"

/* The first or last delivery by an index of those with a body and one of those without. */
#define CONSOLE_EDGE(which, condition, order)                                                      \
    "SELECT " which "(id) FROM (SELECT * FROM (SELECT id FROM deliveries WHERE body IS NOT NULL"   \
    " AND " condition " ORDER BY " order                                                           \
    " LIMIT 1) AS kept UNION ALL SELECT * FROM (SELECT id FROM deliveries WHERE body IS NULL"      \
    " AND " condition " ORDER BY " order " LIMIT 1) AS pruned) AS edges"

#define CONSOLE_BIT(number) " AND get_bit(bits, CAST(CAST(" number " AS bigint) AS integer)) = 1"

#define CONSOLE_DEAD_BEFORE                                                                        \
    "FROM runs" CONSOLE_INDEXED("runs_dead") " WHERE state = 'dead'"                               \
                                             " AND (finished_ms, id) < ($1, $2)"                   \
                                             " ORDER BY finished_ms DESC, id DESC LIMIT "

/* The plugins of the audit, one by one. */
#define CONSOLE_AUDIT_PLUGINS                                                                      \
    "WITH RECURSIVE p (plugin) AS (SELECT min(plugin) FROM audit WHERE counts AND item <> ''"      \
    " UNION ALL SELECT (SELECT min(plugin) FROM audit WHERE counts AND item <> ''"                 \
    " AND plugin > p.plugin) FROM p WHERE p.plugin IS NOT NULL)"
#define CONSOLE_AUDIT_COLUMNS                                                                      \
    "SELECT a.at_ms, a.plugin, a.installation, a.sender, a.item, a.method, a.url, a.state,"        \
    " a.status, a.request_id, a.delivery"

/* Runs that failed. Of one plugin, the index has the plugin: only its runs are read. */
#define CONSOLE_FAILURES_LIMIT " LIMIT " SQL_DIGITS(INBOX_FAILURES_MAX) " + 1"
#define CONSOLE_FAILURES(index, state, time, order)                                                \
    "SELECT r.state, r.plugin, r.label, r.reason, r." time                                         \
    ", r.delivery FROM runs r" CONSOLE_INDEXED(index) " WHERE r.state = '" state                   \
                                                      "'" order CONSOLE_FAILURES_LIMIT
#define CONSOLE_FAILURES_OF(index, state, time, order)                                             \
    "SELECT r.state, r.plugin, r.label, r.reason, r." time                                         \
    ", r.delivery FROM (SELECT id FROM runs" CONSOLE_INDEXED(                                      \
        index) " WHERE state = '" state "' AND plugin = $1" order CONSOLE_FAILURES_LIMIT           \
               ") AS s" CONSOLE_JOIN("runs", "r", "r.id = s.id")
/* How many runs there are, up to one too many. */
#define CONSOLE_COUNT_FEW(condition)                                                               \
    "SELECT count(*) FROM (SELECT 1 FROM runs WHERE " condition                                    \
    " LIMIT " SQL_DIGITS(CONSOLE_FEW) " + 1) AS few"
#define CONSOLE_COUNT(index, state)                                                                \
    "SELECT plugin, '" state "', count(*) FROM (SELECT plugin FROM runs" CONSOLE_INDEXED(          \
        index) " WHERE state = '" state "' LIMIT 10000) AS c GROUP BY plugin"
#define CONSOLE_COUNT_PLUGINS(plugins, state)                                                      \
    "SELECT plugin, '" state "', count(*) FROM (SELECT plugin FROM (" plugins                      \
    ") AS shown LIMIT 10000) AS c GROUP BY plugin"
/* Those of the state `state` whose handler asked to wait, see on_plugin(). */
#define CONSOLE_COUNT_WAITS(state, and)                                                            \
    " UNION ALL SELECT plugin, '" state                                                            \
    " waiting', count(*) FROM (SELECT plugin FROM runs" CONSOLE_INDEXED(                           \
        "runs_waiting") " WHERE " SQL_WAITS(state) and                                             \
        " LIMIT 10000) AS c GROUP BY plugin"
#define CONSOLE_COUNT_BOTH_WAITS                                                                   \
    CONSOLE_COUNT_WAITS("queued", " AND plugin NOT IN " SQL_HELD_PLUGINS)                          \
    CONSOLE_COUNT_WAITS("blocked", "")
#define CONSOLE_SUM(condition) "CAST(sum(CASE WHEN " condition " THEN 1 ELSE 0 END) AS bigint)"
#define CONSOLE_ASKED CONSOLE_SUM("r.requests > 0")
#define CONSOLE_FETCHED CONSOLE_SUM("r.fetched > 0")
/* The host requested them as often as it does, and they did not come. */
#define CONSOLE_GIVEN_UP                                                                           \
    CONSOLE_SUM("r.requests >= " SQL_DIGITS(INBOX_REDELIVERY_REQUESTS_MAX) CONSOLE_LOST)
#define CONSOLE_LOST " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.guid = r.guid)"
#define CONSOLE_ACTION_COLUMNS "SELECT id, at_ms, who, what, target, result FROM actions"

#define CONSOLE_STATEMENTS(ROW)                                                                                                                                                                                                            \
    ROW(SEARCH_GUID,                                                                                                                                                                                                                       \
        SHARED_LIST_COLUMNS " FROM deliveries d" CONSOLE_LEFT_JOIN_RUNS " WHERE" CONSOLE_BETWEEN                                                                                                                                           \
                            " AND d.guid = $12" CONSOLE_BY_DELIVERY " LIMIT $13")                                                                                                                                                          \
    ROW(SEARCH_RANGE,                                                                                                                                                                                                                      \
        SHARED_LIST_COLUMNS " FROM deliveries d" CONSOLE_LEFT_JOIN_RUNS                                                                                                                                                                    \
                            " WHERE" CONSOLE_BETWEEN CONSOLE_BY_DELIVERY " LIMIT $12")                                                                                                                                                     \
    ROW(SEARCH_DEAD, SHARED_LIST_COLUMNS CONSOLE_RUNS_OF(                                                                                                                                                                                  \
                         "SELECT id, finished_ms " CONSOLE_DEAD_BEFORE SQL_DIGITS(                                                                                                                                                         \
                             CONSOLE_DEAD_CHUNK)) " WHERE TRUE" CONSOLE_FILTERS                                                                                                                                                            \
                         CONSOLE_SORT("s.finished_ms DESC, s.id DESC") " LIMIT $12")                                                                                                                                                       \
    ROW(SEARCH_DEAD_END, "SELECT finished_ms, id " CONSOLE_DEAD_BEFORE                                                                                                                                                                     \
                         "1 OFFSET " SQL_DIGITS(CONSOLE_DEAD_CHUNK) " - 1")                                                                                                                                                                \
    ROW(SEARCH_QUEUED, CONSOLE_OF_STATE(CONSOLE_IDS_QUEUED, ""))                                                                                                                                                                           \
    ROW(SEARCH_BLOCKED, CONSOLE_OF_STATE(CONSOLE_IDS_BLOCKED, ""))                                                                                                                                                                         \
    ROW(SEARCH_HELD, CONSOLE_OF_STATE(CONSOLE_IDS_HELD, ""))                                                                                                                                                                               \
    ROW(SEARCH_RUNNING, CONSOLE_OF_STATE(CONSOLE_IDS_RUNNING, ""))                                                                                                                                                                         \
    ROW(SEARCH_PARKED, CONSOLE_OF_STATE(CONSOLE_IDS_PARKED, ""))                                                                                                                                                                           \
    ROW(SEARCH_WAITING, CONSOLE_OF_STATE(CONSOLE_IDS_WAITING, ""))                                                                                                                                                                         \
    ROW(SEARCH_IN_DOUBT, CONSOLE_OF_STATE(CONSOLE_IDS_IN_DOUBT, " AND r.state <> 'running'"))                                                                                                                                              \
    ROW(END_QUEUED, CONSOLE_END(CONSOLE_IDS_QUEUED))                                                                                                                                                                                       \
    ROW(END_BLOCKED, CONSOLE_END(CONSOLE_IDS_BLOCKED))                                                                                                                                                                                     \
    ROW(END_HELD, CONSOLE_END(CONSOLE_IDS_HELD))                                                                                                                                                                                           \
    ROW(END_RUNNING, CONSOLE_END(CONSOLE_IDS_RUNNING))                                                                                                                                                                                     \
    ROW(END_PARKED, CONSOLE_END(CONSOLE_IDS_PARKED))                                                                                                                                                                                       \
    ROW(END_WAITING, CONSOLE_END(CONSOLE_IDS_WAITING))                                                                                                                                                                                     \
    ROW(END_IN_DOUBT, CONSOLE_END(CONSOLE_IDS_IN_DOUBT))                                                                                                                                                                                   \
    ROW(COUNT_QUEUED, CONSOLE_COUNT_SHOWN(SQL_SHOWN_QUEUED("1")))                                                                                                                                                                          \
    ROW(COUNT_BLOCKED, CONSOLE_COUNT_FEW("state = 'blocked'"))                                                                                                                                                                             \
    ROW(COUNT_HELD, CONSOLE_COUNT_SHOWN(SQL_SHOWN_HELD("1")))                                                                                                                                                                              \
    ROW(COUNT_RUNNING, CONSOLE_COUNT_FEW("state = 'running'"))                                                                                                                                                                             \
    ROW(COUNT_PARKED, CONSOLE_COUNT_FEW("state = 'parked'"))                                                                                                                                                                               \
    ROW(COUNT_WAITING, CONSOLE_COUNT_FEW(SQL_WAITING))                                                                                                                                                                                     \
    ROW(SINCE_ID, CONSOLE_EDGE("min", "received_ms >= $1", "received_ms, id"))                                                                                                                                                             \
    ROW(UNTIL_ID, CONSOLE_EDGE("max", "received_ms < $1", "received_ms DESC, id DESC"))                                                                                                                                                    \
    ROW(CHUNK_END, "SELECT id FROM deliveries WHERE id < $1 AND id > $2 ORDER BY id DESC LIMIT 1 "                                                                                                                                         \
                   "OFFSET " SQL_DIGITS(CONSOLE_CHUNK) " - 1")                                                                                                                                                                             \
    ROW(RECEIVED_AT, "SELECT received_ms FROM deliveries WHERE id >= $1 ORDER BY id LIMIT 1")                                                                                                                                              \
    ROW(FILTERS_END, "SELECT last_id FROM name_filters ORDER BY first_id DESC LIMIT 1")                                                                                                                                                    \
    ROW(FILTERS_MATCH,                                                                                                                                                                                                                     \
        "SELECT first_id, last_id FROM name_filters WHERE first_id < $1 AND last_id > "                                                                                                                                                    \
        "$2" CONSOLE_BIT("$3") CONSOLE_BIT("$4") CONSOLE_BIT("$5") CONSOLE_BIT("$6")                                                                                                                                                       \
            CONSOLE_BIT("$7") CONSOLE_BIT("$8") CONSOLE_BIT("$9") CONSOLE_BIT("$10")                                                                                                                                                       \
                CONSOLE_BIT("$11") CONSOLE_BIT("$12") CONSOLE_BIT("$13") CONSOLE_BIT("$14")                                                                                                                                                \
                    CONSOLE_BIT("$15") CONSOLE_BIT("$16") CONSOLE_BIT(                                                                                                                                                                     \
                        "$17") " ORDER BY first_id DESC LIMIT " SQL_DIGITS(CONSOLE_PARTS))                                                                                                                                                 \
    ROW(SHOW_RUNS, SHARED_LIST_COLUMNS " FROM deliveries d" CONSOLE_LEFT_JOIN_RUNS                                                                                                                                                         \
                                       " WHERE d.guid = $1 ORDER BY r.plugin" CONSOLE_C)                                                                                                                                                   \
    ROW(SHOW_REQUESTS,                                                                                                                                                                                                                     \
        "SELECT j.run, j.kind, j.state, j.dry, j.at_ms, j.method, j.url, j.status,"                                                                                                                                                        \
        " j.message, CAST(length(j.body) AS bigint) FROM deliveries d"                                                                                                                                                                     \
        " CROSS JOIN runs r CROSS JOIN journal j WHERE d.guid = $1"                                                                                                                                                                        \
        " AND r.delivery = d.id AND j.run = r.id"                                                                                                                                                                                          \
        " ORDER BY r.plugin" CONSOLE_C ", j.number LIMIT " SQL_DIGITS(INBOX_SHOWN_MAX) " + 1")                                                                                                                                             \
    ROW(SHOW_ATTEMPTS,                                                                                                                                                                                                                     \
        "SELECT t.run, t.attempt, t.ended_ms, t.how, t.label, t.reason FROM deliveries d CROSS "                                                                                                                                           \
        "JOIN runs r CROSS JOIN attempts t WHERE d.guid = $1 AND r.delivery = d.id AND t.run = "                                                                                                                                           \
        "r.id ORDER BY r.plugin" CONSOLE_C ", t.ended_ms LIMIT 1000")                                                                                                                                                                      \
    ROW(SHOW_AUDIT, CONSOLE_AUDIT_COLUMNS                                                                                                                                                                                                  \
        " FROM audit a WHERE a.delivery = $1 ORDER BY a.id LIMIT " SQL_DIGITS(                                                                                                                                                             \
            INBOX_SHOWN_MAX) " + 1")                                                                                                                                                                                                       \
    ROW(TIMELINE_EFFECTS,                                                                                                                                                                                                                  \
        CONSOLE_AUDIT_PLUGINS " " CONSOLE_AUDIT_COLUMNS " FROM p" CONSOLE_JOIN(                                                                                                                                                            \
            "audit", "a",                                                                                                                                                                                                                  \
            "a.plugin = p.plugin AND a.item = $1 AND a.item <> '' AND "                                                                                                                                                                    \
            "a.counts") " ORDER BY a.at_ms DESC LIMIT " SQL_DIGITS(INBOX_SHOWN_MAX))                                                                                                                                                       \
    ROW(FAILURES_DEAD, CONSOLE_FAILURES("runs_dead", "dead", "finished_ms",                                                                                                                                                                \
                                        " ORDER BY finished_ms DESC, id DESC"))                                                                                                                                                            \
    ROW(FAILURES_PARKED, CONSOLE_FAILURES("runs_parked", "parked", "due_ms", ""))                                                                                                                                                          \
    ROW(FAILURES_DEAD_OF, CONSOLE_FAILURES_OF("runs_dead", "dead", "finished_ms",                                                                                                                                                          \
                                              " ORDER BY finished_ms DESC, id DESC"))                                                                                                                                                      \
    ROW(FAILURES_PARKED_OF, CONSOLE_FAILURES_OF("runs_parked", "parked", "due_ms", ""))                                                                                                                                                    \
    ROW(GUIDS_OF, "SELECT id, guid FROM deliveries WHERE id" CONSOLE_AMONG("$1"))                                                                                                                                                          \
    ROW(SERIES_PLACE, "SELECT last_id, received_ms FROM series_place WHERE only_row = 1")                                                                                                                                                  \
    ROW(SERIES_PLACE_MOVE, "INSERT INTO series_place (only_row, last_id, received_ms) VALUES (1, "                                                                                                                                         \
                           "$1, $2) ON CONFLICT (only_row) DO UPDATE SET last_id = "                                                                                                                                                       \
                           "excluded.last_id, received_ms = excluded.received_ms WHERE "                                                                                                                                                   \
                           "series_place.last_id = $3 RETURNING last_id")                                                                                                                                                                  \
    ROW(SERIES_READ, "SELECT start_ms, count, ended, latency_sum_ms, latency_max_ms FROM series "                                                                                                                                          \
                     "WHERE step_ms = $1 AND start_ms >= $2 AND plugin = $3")                                                                                                                                                              \
    ROW(SERIES_RECENT,                                                                                                                                                                                                                     \
        "SELECT received_ms / $1 * $1, count(*) FROM (SELECT received_ms FROM deliveries WHERE "                                                                                                                                           \
        "id > $2 ORDER BY id DESC LIMIT 10000) AS recent GROUP BY 1")                                                                                                                                                                      \
    ROW(SERIES_DEAD,                                                                                                                                                                                                                       \
        "SELECT finished_ms / $1 * $1, count(*) FROM (SELECT finished_ms FROM "                                                                                                                                                            \
        "runs" CONSOLE_INDEXED("runs_dead") " WHERE state = 'dead' AND finished_ms >= $2 AND "                                                                                                                                             \
                                            "(CAST($3 AS text) IS NULL OR plugin = $3) ORDER BY "                                                                                                                                          \
                                            "finished_ms DESC LIMIT 100000) AS died GROUP BY 1")                                                                                                                                           \
    ROW(SERIES_ADD,                                                                                                                                                                                                                        \
        "INSERT INTO series (step_ms, start_ms, plugin, count, ended, latency_sum_ms, "                                                                                                                                                    \
        "latency_max_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (step_ms, start_ms, "                                                                                                                                             \
        "plugin) DO UPDATE SET count = series.count + excluded.count, ended = series.ended + "                                                                                                                                             \
        "excluded.ended, latency_sum_ms = series.latency_sum_ms + excluded.latency_sum_ms, "                                                                                                                                               \
        "latency_max_ms = CASE WHEN series.latency_max_ms > excluded.latency_max_ms THEN "                                                                                                                                                 \
        "series.latency_max_ms ELSE excluded.latency_max_ms END")                                                                                                                                                                          \
    ROW(SERIES_FORGET, "DELETE FROM series WHERE step_ms = $1 AND start_ms < $2")                                                                                                                                                          \
    ROW(DIGEST_RUNS,                                                                                                                                                                                                                       \
        "SELECT d.id, d.received_ms, r.plugin, r.finished_ms FROM (SELECT id, "                                                                                                                                                            \
        "received_ms FROM deliveries WHERE id > $1 ORDER BY id LIMIT " SQL_DIGITS(                                                                                                                                                         \
            INBOX_DIGEST_DELIVERIES) ") AS d" CONSOLE_LEFT_JOIN_RUNS " ORDER BY d.id")                                                                                                                                                     \
    ROW(DIGEST_NAMES,                                                                                                                                                                                                                      \
        "SELECT d.id, d.repository, d.item, d.sender, d.event, r.plugin FROM (SELECT id, "                                                                                                                                                 \
        "repository, item, sender, event FROM deliveries WHERE id > $1 AND id <= $2 ORDER BY id "                                                                                                                                          \
        "LIMIT " SQL_DIGITS(NAME_FILTER_DELIVERIES) ") AS d" CONSOLE_LEFT_JOIN_RUNS                                                                                                                                                        \
                                                    " ORDER BY d.id")                                                                                                                                                                      \
    ROW(FILTERS_ADD, "INSERT INTO name_filters (first_id, last_id, bits) VALUES ($1, $2, $3)")                                                                                                                                             \
    ROW(FILTERS_OPEN, "UPDATE name_filters SET bits = $1 WHERE first_id = (SELECT max(first_id) "                                                                                                                                          \
                      "FROM name_filters WHERE first_id <= $2) AND last_id >= $2")                                                                                                                                                         \
    ROW(ACTIONS_FORGET, "DELETE FROM actions WHERE id IN (SELECT id FROM (SELECT id, at_ms FROM "                                                                                                                                          \
                        "actions ORDER BY id LIMIT 1000) AS oldest WHERE at_ms < $1)")                                                                                                                                                     \
    ROW(FILTERS_FORGET, "DELETE FROM name_filters WHERE first_id < (SELECT min(id) FROM "                                                                                                                                                  \
                        "deliveries) AND last_id < (SELECT min(id) FROM deliveries)")                                                                                                                                                      \
    ROW(PLUGIN_COUNTS,                                                                                                                                                                                                                     \
        CONSOLE_COUNT_PLUGINS(SQL_SHOWN_QUEUED("r.plugin"), "queued") " UNION ALL " CONSOLE_COUNT("runs_blocked", "blocked") " UNION ALL " CONSOLE_COUNT_PLUGINS(                                                                          \
            SQL_SHOWN_HELD("r.plugin"),                                                                                                                                                                                                    \
            "held") " UNION ALL " CONSOLE_COUNT("runs_leased",                                                                                                                                                                             \
                                                "running") " UNION ALL " CONSOLE_COUNT("runs_"                                                                                                                                             \
                                                                                       "parked",                                                                                                                                           \
                                                                                       "parked") " UNION ALL " CONSOLE_COUNT("runs_dead",                                                                                                  \
                                                                                                                             "dead") " UNION ALL SELECT name, '', 0 FROM configured_plugins WHERE until_ms > $1" CONSOLE_COUNT_BOTH_WAITS) \
    ROW(PLUGIN_HOURS, "SELECT plugin, start_ms, count FROM series WHERE step_ms = 3600000 AND "                                                                                                                                            \
                      "start_ms >= $1 AND plugin <> ''")                                                                                                                                                                                   \
    ROW(RECOVERY,                                                                                                                                                                                                                          \
        "SELECT count(*), " CONSOLE_ASKED ", CAST(sum(r.requests) AS bigint), " CONSOLE_FETCHED                                                                                                                                            \
        ", " CONSOLE_GIVEN_UP ", max(CASE WHEN r.requests > 0 THEN r.requested_ms END)"                                                                                                                                                    \
        " FROM (SELECT guid, requests, requested_ms, fetched FROM redeliveries LIMIT 10000) AS r")                                                                                                                                         \
    ROW(PULL_PLACE, SHARED_PULL_PLACE)                                                                                                                                                                                                     \
    ROW(PULL_WAITING, "SELECT count(*), min(delivered_ms) FROM pulled WHERE due_ms IS NOT NULL")                                                                                                                                           \
    ROW(ACTION_ADD, "INSERT INTO actions (at_ms, who, what, target, result) VALUES ($1, $2, $3, "                                                                                                                                          \
                    "$4, $5) RETURNING id")                                                                                                                                                                                                \
    ROW(ACTIONS, CONSOLE_ACTION_COLUMNS " WHERE id < $1 ORDER BY id DESC LIMIT $2")                                                                                                                                                        \
    ROW(ACTIONS_OF_TARGET,                                                                                                                                                                                                                 \
        CONSOLE_ACTION_COLUMNS " WHERE id < $1 AND target = $2 ORDER BY id DESC LIMIT $3")

#endif
