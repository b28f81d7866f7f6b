/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's statements (inbox/console.h), which both stores share. Include it after shared.h.
 * A store defines CONSOLE_INDEXED(index) and CONSOLE_C, the collation that orders by bytes, and
 * CONSOLE_HAS(text, part). */
#ifndef SNEK_INBOX_SQL_CONSOLE_H
#define SNEK_INBOX_SQL_CONSOLE_H

#include "inbox/common/console_sql.h"

/* Runs of one state that a search sorts at once. */
#define CONSOLE_FEW "5000"
/* Dead runs that one search looks at. */
#define CONSOLE_DEAD_CHUNK "2000"

#define CONSOLE_IS(number, condition) " AND (CAST(" number " AS text) IS NULL OR " condition ")"
/* The filters $3 to $11; NULL: any. */
#define CONSOLE_FILTERS                                                                            \
    " AND d.received_ms >= $3 AND d.received_ms < $4" CONSOLE_IS("$5", "d.event = $5")             \
        CONSOLE_IS("$6", "lower(d.repository) = $6") CONSOLE_IS("$7", "d.item LIKE $7")            \
            CONSOLE_IS("$8", "lower(d.sender) = $8") CONSOLE_IS("$9", "r.plugin = $9")             \
                CONSOLE_IS("$10", SQL_SHOWN_STATE " = $10") CONSOLE_IS(                            \
                    "$11", "(" CONSOLE_HAS("lower(r.reason)",                                      \
                                           "$11") " OR " CONSOLE_HAS("lower(r.label)", "$11") ")")
#define CONSOLE_BY_DELIVERY " ORDER BY d.id DESC, r.plugin" CONSOLE_C
#define CONSOLE_BETWEEN " d.id > $1 AND d.id < $2" CONSOLE_FILTERS
#define CONSOLE_OF_STATE(ids)                                                                      \
    SHARED_LIST_COLUMNS " FROM (" ids ") AS s CROSS JOIN runs r CROSS JOIN deliveries d"           \
                        " WHERE r.id = s.id AND d.id = r.delivery"                                 \
                        " AND" CONSOLE_BETWEEN CONSOLE_BY_DELIVERY " LIMIT $12"
#define CONSOLE_IDS(index, condition)                                                              \
    "SELECT id FROM runs" CONSOLE_INDEXED(index) " WHERE " condition " LIMIT " CONSOLE_FEW
#define CONSOLE_STATE(index, state) CONSOLE_OF_STATE(CONSOLE_IDS(index, "state = '" state "'"))

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

#define CONSOLE_STATEMENTS(ROW)                                                                    \
    ROW(SEARCH_GUID, SHARED_LIST_COLUMNS                                                           \
        " FROM deliveries d LEFT JOIN runs r ON r.delivery = d.id"                                 \
        " WHERE" CONSOLE_BETWEEN " AND d.guid = $12" CONSOLE_BY_DELIVERY " LIMIT $13")             \
    ROW(SEARCH_RANGE,                                                                              \
        SHARED_LIST_COLUMNS " FROM deliveries d LEFT JOIN runs r ON r.delivery = d.id"             \
                            " WHERE" CONSOLE_BETWEEN CONSOLE_BY_DELIVERY " LIMIT $12")             \
    ROW(SEARCH_DEAD,                                                                               \
        SHARED_LIST_COLUMNS " FROM (SELECT id " CONSOLE_DEAD_BEFORE CONSOLE_DEAD_CHUNK             \
                            ") AS s CROSS JOIN runs r CROSS JOIN deliveries d"                     \
                            " WHERE r.id = s.id AND d.id = r.delivery" CONSOLE_FILTERS             \
                            " ORDER BY r.finished_ms DESC, r.id DESC LIMIT $12")                   \
    ROW(SEARCH_DEAD_END, "SELECT finished_ms, id " CONSOLE_DEAD_BEFORE "1 OFFSET 1999")            \
    ROW(SEARCH_QUEUED, CONSOLE_STATE("runs_due", "queued"))                                        \
    ROW(SEARCH_BLOCKED, CONSOLE_STATE("runs_blocked", "blocked"))                                  \
    ROW(SEARCH_HELD, CONSOLE_STATE("runs_held", "held"))                                           \
    ROW(SEARCH_RUNNING, CONSOLE_STATE("runs_leased", "running"))                                   \
    ROW(SEARCH_PARKED, CONSOLE_STATE("runs_parked", "parked"))                                     \
    ROW(SEARCH_WAITING, CONSOLE_OF_STATE(CONSOLE_IDS("runs_waiting", SQL_WAITING)))                \
    ROW(SEARCH_IN_DOUBT,                                                                           \
        CONSOLE_OF_STATE("SELECT r.id FROM (SELECT DISTINCT run FROM (SELECT run FROM journal"     \
                         " WHERE state = 'intended' LIMIT " CONSOLE_FEW                            \
                         ") AS j) AS i CROSS JOIN runs r"                                          \
                         " WHERE r.id = i.run AND r.state <> 'running'"))                          \
    ROW(COUNT_QUEUED, SHARED_LIST_COUNT("state = 'queued'"))                                       \
    ROW(COUNT_BLOCKED, SHARED_LIST_COUNT("state = 'blocked'"))                                     \
    ROW(COUNT_HELD, SHARED_LIST_COUNT("state = 'held'"))                                           \
    ROW(COUNT_RUNNING, SHARED_LIST_COUNT("state = 'running'"))                                     \
    ROW(COUNT_PARKED, SHARED_LIST_COUNT("state = 'parked'"))                                       \
    ROW(COUNT_WAITING, SHARED_LIST_COUNT(SQL_WAITING))                                             \
    ROW(SINCE_ID, CONSOLE_EDGE("min", "received_ms >= $1", "received_ms, id"))                     \
    ROW(UNTIL_ID, CONSOLE_EDGE("max", "received_ms < $1", "received_ms DESC, id DESC"))            \
    ROW(CHUNK_END,                                                                                 \
        "SELECT id FROM deliveries WHERE id < $1 AND id > $2 ORDER BY id DESC LIMIT 1 OFFSET 511") \
    ROW(RECEIVED_AT, "SELECT received_ms FROM deliveries WHERE id >= $1 ORDER BY id LIMIT 1")      \
    ROW(FILTERS_END, "SELECT last_id FROM name_filters ORDER BY first_id DESC LIMIT 1")            \
    ROW(FILTERS_MATCH,                                                                             \
        "SELECT first_id, last_id FROM name_filters WHERE first_id < $1"                           \
        " AND last_id > $2" CONSOLE_BIT("$3") CONSOLE_BIT("$4") CONSOLE_BIT("$5")                  \
            CONSOLE_BIT("$6") CONSOLE_BIT("$7") CONSOLE_BIT("$8") CONSOLE_BIT("$9")                \
                CONSOLE_BIT("$10") CONSOLE_BIT("$11") CONSOLE_BIT("$12") CONSOLE_BIT("$13")        \
                    CONSOLE_BIT("$14") CONSOLE_BIT("$15") CONSOLE_BIT("$16")                       \
                        CONSOLE_BIT("$17") " ORDER BY first_id DESC LIMIT 8")                      \
    ROW(SHOW_RUNS, SHARED_LIST_COLUMNS " FROM deliveries d LEFT JOIN runs r ON r.delivery = d.id"  \
                                       " WHERE d.guid = $1 ORDER BY r.plugin" CONSOLE_C)           \
    ROW(SHOW_REQUESTS, "SELECT j.run, j.kind, j.state, j.dry, j.at_ms, j.method, j.url, j.status," \
                       " j.message, CAST(length(j.body) AS bigint) FROM deliveries d"              \
                       " CROSS JOIN runs r CROSS JOIN journal j WHERE d.guid = $1"                 \
                       " AND r.delivery = d.id AND j.run = r.id"                                   \
                       " ORDER BY r.plugin" CONSOLE_C ", j.number LIMIT 1001")                     \
    ROW(SHOW_AUDIT,                                                                                \
        CONSOLE_AUDIT_COLUMNS " FROM audit a WHERE a.delivery = $1 ORDER BY a.id LIMIT 1001")      \
    ROW(TIMELINE_EFFECTS,                                                                          \
        CONSOLE_AUDIT_PLUGINS " " CONSOLE_AUDIT_COLUMNS " FROM p CROSS JOIN audit a"               \
                              " WHERE a.plugin = p.plugin AND a.item = $1"                         \
                              " AND a.item <> '' AND a.counts"                                     \
                              " ORDER BY a.at_ms DESC LIMIT 1000")

#endif
