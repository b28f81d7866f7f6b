/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The statements that both stores share to the letter. Parameters are $1, $2 ... and first appear
 * in that order: PostgreSQL numbers them so, and SQLite numbers them by their first appearance
 * (sqlite/store.c checks it). A store defines SQL_NOW_MS, the wall clock, and
 * SQL_RUNS_OF(plugin, condition): a join with the runs `r` of the plugin of each row before it that
 * meet the condition, found by an index of (plugin), and " WHERE true". */
#ifndef SNEK_INBOX_SQL_SHARED_H
#define SNEK_INBOX_SQL_SHARED_H

#include "inbox/plugin_state.h"

#define SQL_DIGITS_(constant) #constant
/* The text of a constant of C. */
#define SQL_DIGITS(constant) SQL_DIGITS_(constant)

/* A step of pruning marks so many runs whose plugin is not configured, and looks at so many. */
#define SQL_MARKS_MAX 100
#define SQL_MARK_LOOKS 1000

/* Part of an UPDATE of runs whose host died if the condition `died` holds (right sides are the old
 * values). From the second death in a row on, the run itself may be the cause: it is a suspect,
 * which is tried alone, and each further death counts as its crash. Dispatch ends a run that has
 * too many, see run_fail_if_exhausted(). */
#define SQL_SET_HOST_DIED(died)                                                                    \
    "crashes = crashes + CASE WHEN " died " AND suspect THEN 1 ELSE 0 END,"                        \
    " suspect = (suspect OR (" died " AND label = 'host_died')),"                                  \
    " label = CASE WHEN " died " THEN 'host_died' ELSE label END,"                                 \
    " reason = CASE WHEN " died " THEN 'the host died while it ran' ELSE reason END"

/* Is `plugin` among the lines of `names`? NULL: it is not known, so every plugin counts. */
#define SQL_CONFIGURED(plugin, names)                                                              \
    "(CAST(" names " AS text) IS NULL OR replace(CAST(" names " AS text), '\n' || " plugin         \
    " || '\n', '') <> CAST(" names " AS text))"
/* The states of a run that has not ended. */
#define SQL_UNFINISHED "('queued', 'blocked', 'held', 'running', 'parked')"
/* The same, or is it configured at another host of the store? A store with one host defines
 * SQL_ELSEWHERE as "". */
#define SQL_WANTED(plugin, names) "(" SQL_CONFIGURED(plugin, names) SQL_ELSEWHERE(plugin) ")"
/* The reason of a run whose plugin is not configured. An earlier reason stays before it. */
#define SQL_NOT_CONFIGURED "its plugin is not configured"
#define SQL_SET_NOT_CONFIGURED                                                                     \
    " reason = CASE WHEN reason = '' THEN '" SQL_NOT_CONFIGURED "'"                                \
    " WHEN " SQL_IS_MARKED " THEN reason ELSE reason || '; " SQL_NOT_CONFIGURED "' END"
#define SQL_IS_MARKED "reason LIKE '%" SQL_NOT_CONFIGURED "'"

/* Part of an UPDATE of runs: a parked run is due again, or joins its key's line. */
#define SQL_SET_UNPARKED                                                                           \
    "outside = (outside OR (state = 'parked' AND order_key <> '')),"                               \
    " state = CASE WHEN state = 'parked' AND order_key <> '' THEN 'blocked'"                       \
    " WHEN state = 'parked' THEN 'queued' ELSE state END"

/* deliveries */
#define SHARED_DELIVERY_FIND "SELECT id FROM deliveries WHERE guid = $1"
#define SHARED_DELIVERY_REPLACE                                                                    \
    "UPDATE deliveries SET event = $1, action = $2, installation = $3, repository = $4,"           \
    " sender = $5, item = $6, received_ms = $7, body_codec = $8, body_bytes = $9, body = $10"      \
    " WHERE id = $11"

/* runs */
/* The bytes that a claim of the run `r` loads: its body and its journal. Each record counts with
 * its small columns too. */
#define SHARED_RUN_BYTES                                                                           \
    "((SELECT d.body_bytes FROM deliveries d WHERE d.id = r.delivery) + coalesce((SELECT"          \
    " CAST(sum(length(j.headers) + length(j.body) + length(j.url) + 512) AS bigint)"               \
    " FROM journal j WHERE j.run = r.id), 0))"
#define SHARED_RUNS_UNFINISHED                                                                     \
    "SELECT id FROM runs WHERE delivery = $1 AND state IN " SQL_UNFINISHED                         \
    " AND " SQL_WANTED("runs.plugin", "$2") " LIMIT 1"
/* An attempt of the run $5 ends, if its claim has the token $6. */
#define SHARED_ATTEMPT_ADD                                                                         \
    "INSERT INTO attempts (run, ended_ms, attempt, how, label, reason)"                            \
    " SELECT id, $1, attempt, $2, $3, $4 FROM runs WHERE id = $5 AND token = $6"                   \
    " AND state = 'running' ON CONFLICT (run, ended_ms) DO NOTHING"
/* All but the newest 50. */
#define SHARED_ATTEMPTS_CUT                                                                        \
    "DELETE FROM attempts WHERE run = $1 AND ended_ms <= (SELECT ended_ms FROM attempts"           \
    " WHERE run = $1 ORDER BY ended_ms DESC LIMIT 1 OFFSET 50)"
#define SHARED_RUN_END                                                                             \
    "UPDATE runs SET state = $1, finished_ms = $2, label = $3, reason = $4, suspect = $5,"         \
    " crashes = $6, token = 0, lease_until_ms = 0, by_hand = FALSE"                                \
    " WHERE id = $7 AND token = $8 AND state = 'running'"
/* $1: it keeps its place in its key's line. */
#define SHARED_RUN_AGAIN                                                                           \
    "UPDATE runs SET state = CASE WHEN $1 OR order_key = '' THEN 'queued' ELSE 'blocked' END,"     \
    " outside = (order_key <> '' AND NOT $1),"                                                     \
    " attempt = attempt - $2, due_ms = $3, waited_ms = $4, label = $5,"                            \
    " reason = $6, suspect = $7, crashes = $8, token = 0, lease_until_ms = 0, by_hand = FALSE"     \
    " WHERE id = $9 AND token = $10 AND state = 'running'"
#define SHARED_RUN_PARK                                                                            \
    "UPDATE runs SET state = CASE WHEN granted THEN 'queued' ELSE 'parked' END,"                   \
    " granted = false, by_hand = FALSE,"                                                           \
    " attempt = attempt - $1, due_ms = $2, label = $3, reason = $4, suspect = $5, crashes = $6,"   \
    " token = 0, lease_until_ms = 0 WHERE id = $7 AND token = $8 AND state = 'running'"            \
    " RETURNING CAST(CASE WHEN state = 'queued' THEN 1 ELSE 0 END AS bigint)"
/* A held run that has given its place up joins its line again. */
#define SQL_KEEPS_PLACE "(state IN ('queued', 'held') AND outside = FALSE)"
/* The run of a plugin that had nothing to do: running it again repeats no effect. */
#define SQL_DID_NOTHING "state = 'done' AND label = 'skipped' AND " SQL_NO_EFFECT
#define SHARED_RUNS_RERUN                                                                          \
    "UPDATE runs SET state = CASE WHEN order_key = '' OR " SQL_KEEPS_PLACE                         \
    " THEN 'queued' ELSE 'blocked' END,"                                                           \
    " outside = (order_key <> '' AND NOT " SQL_KEEPS_PLACE "), by_hand = (order_key <> ''),"       \
    " attempt = 0, waited_ms = 0,"                                                                 \
    " suspect = (suspect OR crashes > 0), crashes = 0, due_ms = $1,"                               \
    " label = '', reason = '', finished_ms = NULL WHERE delivery = $2"                             \
    " AND (state IN ('queued', 'blocked', 'held', 'parked', 'dead')"                               \
    " AND (CAST($3 AS text) IS NULL OR plugin = $3) OR plugin = $3 AND " SQL_DID_NOTHING ")"
#define SHARED_RUNS_DISCARD                                                                        \
    "UPDATE runs SET state = 'dead', finished_ms = $1, label = 'discarded',"                       \
    " reason = 'discarded by hand', token = 0, lease_until_ms = 0,"                                \
    " outside = FALSE, by_hand = FALSE WHERE delivery = $2 AND state IN " SQL_UNFINISHED           \
    " AND (CAST($3 AS text) IS NULL OR plugin = $3) RETURNING plugin, order_key"
/* The app is not installed there any more: no grant can come for what is parked. A run that is
 * about to be parked is tried once more instead, and then ends. */
#define SHARED_RUNS_UNINSTALL                                                                      \
    "UPDATE runs SET finished_ms = CASE state WHEN 'parked' THEN $1 ELSE finished_ms END,"         \
    " label = CASE state WHEN 'parked' THEN 'uninstalled' ELSE label END,"                         \
    " reason = CASE state WHEN 'parked' THEN 'the app was uninstalled' ELSE reason END,"           \
    " granted = (state = 'running'), state = CASE state WHEN 'parked' THEN 'dead' ELSE state END"  \
    " WHERE (state = 'parked' OR state = 'running') AND EXISTS (SELECT 1 FROM deliveries d"        \
    " WHERE d.id = runs.delivery AND d.installation = $2 AND d.guid <> $3)"
/* Counts up to 100,000 of a kind, so that the other operations of the group do not wait long. The
 * plugins are found one by one, by their index. $1: see SQL_CONFIGURED. */
#define SHARED_PLUGINS_QUEUED                                                                      \
    "WITH RECURSIVE p (plugin) AS (SELECT min(plugin) FROM runs WHERE state = 'queued' UNION ALL"  \
    " SELECT (SELECT min(plugin) FROM runs WHERE state = 'queued' AND plugin > p.plugin) FROM p"   \
    " WHERE p.plugin IS NOT NULL)"
/* A hold of a whole plugin. No claim is made for such a plugin, so its runs stay queued, however
 * many they are; lists and counts show them as held. */
#define SQL_WHOLE_HOLD "scope = 'plugin' AND " SHARED_HOLD_ACTIVE(SQL_NOW_MS)
#define SQL_HELD_PLUGINS "(SELECT plugin FROM holds WHERE " SQL_WHOLE_HOLD ")"
#define SQL_QUEUED_OF(plugin) SQL_RUNS_OF(plugin, "state = 'queued'")
#define SQL_IS_SHOWN " AND p.plugin NOT IN " SQL_HELD_PLUGINS
/* Queued runs, of the columns `columns` of `r`: those that are shown so, and the held ones. */
#define SQL_SHOWN_QUEUED(columns)                                                                  \
    SHARED_PLUGINS_QUEUED " SELECT " columns " FROM p" SQL_QUEUED_OF("p.plugin") SQL_IS_SHOWN
#define SQL_QUEUED_HELD(columns)                                                                   \
    "SELECT " columns " FROM (SELECT DISTINCT plugin FROM holds WHERE " SQL_WHOLE_HOLD             \
    ") AS w" SQL_QUEUED_OF("w.plugin")
/* All runs that are shown as held. */
#define SQL_SHOWN_HELD(columns)                                                                    \
    "SELECT " columns " FROM runs r WHERE r.state = 'held' UNION ALL " SQL_QUEUED_HELD(columns)
#define SQL_COUNT(rows) "(SELECT count(*) FROM (SELECT 1 " rows " LIMIT 100000) AS counted)"
#define SQL_COUNT_STATE(state) SQL_COUNT("FROM runs WHERE state = '" state "'")
#define SQL_COUNT_QUEUED SQL_COUNT("FROM p" SQL_QUEUED_OF("p.plugin") SQL_IS_SHOWN)
/* The index runs_waiting serves only the statements that say both states. */
#define SQL_WAITS(state)                                                                           \
    "label = 'waiting' AND state IN ('queued', 'blocked') AND state = '" state "'"
#define SQL_COUNT_QUEUED_WAITING                                                                   \
    SQL_COUNT("FROM p" SQL_RUNS_OF("p.plugin", SQL_WAITS("queued")) SQL_IS_SHOWN)
#define SQL_COUNT_BLOCKED_WAITING SQL_COUNT("FROM runs WHERE " SQL_WAITS("blocked"))
/* The waiting run with the smallest id came first. Each plugin's is found by its index. */
#define SQL_FIRST_WAITING(state, plugin)                                                           \
    "(SELECT id FROM runs WHERE " SQL_WAITS(state) " AND plugin = " plugin " ORDER BY id LIMIT 1)"
#define SQL_BLOCKED_PLUGIN "SELECT min(plugin) FROM runs WHERE " SQL_WAITS("blocked")
#define SQL_BLOCKED_PLUGINS                                                                        \
    "WITH RECURSIVE b (plugin) AS (" SQL_BLOCKED_PLUGIN " UNION ALL SELECT (" SQL_BLOCKED_PLUGIN   \
    " AND plugin > b.plugin) FROM b WHERE b.plugin IS NOT NULL) "
/* clang-format off */
#define SQL_OLDEST_WAITING                                                                         \
    "(SELECT received_ms FROM deliveries WHERE id = (SELECT delivery FROM runs WHERE id ="         \
    " (SELECT min(id) FROM (SELECT " SQL_FIRST_WAITING("queued", "p.plugin") " AS id FROM p"       \
    " WHERE true" SQL_IS_SHOWN " UNION ALL SELECT id FROM (" SQL_BLOCKED_PLUGINS                   \
    "SELECT " SQL_FIRST_WAITING("blocked", "b.plugin") " AS id FROM b) AS blocked) AS firsts)))"
/* clang-format on */
#define SQL_COUNT_UNWANTED(state)                                                                  \
    SQL_COUNT("FROM (SELECT plugin FROM runs WHERE state = '" state "' LIMIT 100000) AS r"         \
              " WHERE NOT " SQL_WANTED("r.plugin", "$1"))
#define SQL_COUNT_IN_DOUBT                                                                         \
    "(SELECT count(*) FROM (SELECT run FROM journal WHERE state = 'intended' LIMIT 100000) AS j"   \
    " JOIN runs r ON r.id = j.run WHERE r.state <> 'running')"
/* The run with the smallest id came first. */
#define SQL_OLDEST_IN_DOUBT                                                                        \
    "(SELECT j.at_ms FROM journal j JOIN runs r ON r.id = j.run WHERE j.state = 'intended'"        \
    " AND r.state <> 'running' ORDER BY j.run LIMIT 1)"
#define SQL_COUNT_TIMERS "(SELECT count(*) FROM (SELECT 1 FROM timers LIMIT 100000) AS t)"
/* Holds for all runs. PostgreSQL's index runs_due serves only the statements that say it. */
#define SQL_BY_DUE "due_ms >= 0"
#define SQL_FIRST_DUE(suspect)                                                                     \
    "SELECT (SELECT due_ms FROM runs WHERE state = 'queued' AND " SQL_BY_DUE                       \
    " AND plugin = p.plugin AND suspect = " suspect " ORDER BY due_ms LIMIT 1) AS due_ms FROM p"   \
    " WHERE true" SQL_IS_SHOWN
#define SQL_OLDEST_DUE                                                                             \
    "(SELECT min(due_ms) FROM (" SQL_FIRST_DUE("(1 = 0)") " UNION ALL " SQL_FIRST_DUE(             \
        "(1 = 1)") ") AS firsts)"
#define SQL_QUEUED_UNWANTED                                                                        \
    "FROM p" SQL_QUEUED_OF("p.plugin") " AND NOT " SQL_WANTED("p.plugin", "$1")
#define SQL_WAITING_UNWANTED                                                                       \
    SQL_COUNT(SQL_QUEUED_UNWANTED)                                                                 \
    " + " SQL_COUNT_UNWANTED("parked") " + " SQL_COUNT_UNWANTED("blocked")
#define SQL_COUNT_HELD SQL_COUNT("FROM (" SQL_SHOWN_HELD("1") ") AS shown")
#define SQL_COMMA ", "
/* clang-format off */
#define SHARED_STATS                                                                               \
    SHARED_PLUGINS_QUEUED " SELECT "                                                               \
    SQL_COUNT_QUEUED SQL_COMMA                                                                     \
    SQL_COUNT_STATE("running") SQL_COMMA                                                           \
    SQL_COUNT_STATE("dead") SQL_COMMA                                                              \
    SQL_COUNT_IN_DOUBT SQL_COMMA                                                                   \
    SQL_OLDEST_DUE SQL_COMMA                                                                       \
    SQL_COUNT_STATE("parked") SQL_COMMA                                                            \
    SQL_COUNT_STATE("blocked") SQL_COMMA                                                           \
    SQL_WAITING_UNWANTED SQL_COMMA                                                                 \
    SQL_COUNT_HELD SQL_COMMA                                                                       \
    SQL_COUNT_QUEUED_WAITING SQL_COMMA                                                             \
    SQL_COUNT_BLOCKED_WAITING SQL_COMMA                                                            \
    SQL_COUNT_TIMERS SQL_COMMA                                                                     \
    SQL_OLDEST_IN_DOUBT SQL_COMMA                                                                  \
    SQL_OLDEST_WAITING
/* clang-format on */

/* Order: see deliveries.h. A blocked run that is `outside` of its key's line has given its place
 * up. It waits until it is due, and then joins the line again. $1 is the plugin, $2 the key. */
#define SQL_HOLDS(run)                                                                             \
    run ".order_key <> '' AND " run ".outside = FALSE AND " run ".state IN ('queued', 'held', "    \
        "'running')"
#define SHARED_HOLDER "FROM runs h WHERE h.plugin = $1 AND h.order_key = $2 AND " SQL_HOLDS("h")
/* If the key is free, the first in line holds it. */
#define SHARED_ORDER_PROMOTE                                                                       \
    "UPDATE runs SET state = 'queued' WHERE id = (SELECT id FROM runs"                             \
    " WHERE state = 'blocked' AND plugin = $1 AND order_key = $2 AND outside = FALSE"              \
    " ORDER BY by_hand DESC, id LIMIT 1) AND NOT EXISTS (SELECT 1 " SHARED_HOLDER                  \
    ") RETURNING due_ms"
/* A holder that is not running makes room for a retry by hand. */
#define SHARED_ORDER_DISPLACE                                                                      \
    "UPDATE runs SET state = 'blocked' WHERE id = (SELECT id " SHARED_HOLDER                       \
    " AND h.state = 'queued')"
#define SHARED_ORDER_JOIN                                                                          \
    "UPDATE runs SET outside = FALSE WHERE id = $1 AND state = 'blocked' AND outside"
/* Coalescing. $1 is the time, $2 the GUID of the newer delivery, $3 the plugin, $4 the order_key
 * and $5 the coalesce_key. A waiting run may be replaced unless an operator retried it, or its
 * record has an effect. */
#define SQL_SET_SUPERSEDED(guid)                                                                   \
    "state = 'done', label = 'superseded', reason = 'a newer delivery replaced it: ' || " guid     \
    ", token = 0, lease_until_ms = 0, hold = 0, outside = FALSE, by_hand = FALSE"
#define SQL_NO_EFFECT                                                                              \
    "NOT EXISTS (SELECT 1 FROM journal j WHERE j.run = runs.id AND j.kind <> 'read')"
#define SQL_REPLACEABLE                                                                            \
    "plugin = $3 AND order_key = $4 AND coalesce_key = $5 AND coalesce_key <> 0"                   \
    " AND state IN ('queued', 'blocked', 'held') AND NOT by_hand AND " SQL_NO_EFFECT
/* The newer delivery's run, if it has not ended. */
#define SQL_REPLACING                                                                              \
    "(SELECT n.id FROM deliveries d JOIN runs n ON n.delivery = d.id"                              \
    " WHERE d.guid = $2 AND n.plugin = $3 AND n.state IN ('queued', 'blocked', 'held', "           \
    "'running'))"
/* Ends the run $6 with the token $7 if a newer run waits that replaces it. $2: its attempt does not
 * count. */
#define SQL_NEWER                                                                                  \
    "FROM runs n JOIN deliveries d ON d.id = n.delivery WHERE n.plugin = $3 AND n.order_key = $4"  \
    " AND n.coalesce_key = $5 AND n.coalesce_key <> 0 AND n.state IN ('queued', 'blocked', "       \
    "'held')"                                                                                      \
    " AND n.id > $6"
#define SHARED_RUN_SUPERSEDED                                                                      \
    "UPDATE runs SET finished_ms = $1, attempt = attempt - $2, " SQL_SET_SUPERSEDED(               \
        "(SELECT d.guid " SQL_NEWER                                                                \
        " ORDER BY n.id DESC LIMIT 1)") " WHERE id = $6 AND token = $7 AND state = 'running' AND " \
                                        "EXISTS (SELECT 1 " SQL_NEWER ")"                          \
                                        " AND " SQL_NO_EFFECT
/* A run that replaces others again and again starts at most so many milliseconds after the first of
 * them would have started. */
#define SQL_COALESCE_MAX_MS "10000"
/* Lines whose holder was ended without a successor. Looks at the first 10,000 blocked runs only. */
#define SHARED_ORDER_REPAIR                                                                        \
    "UPDATE runs SET outside = TRUE WHERE id IN (SELECT id FROM (SELECT id, plugin, order_key"     \
    " FROM runs WHERE state = 'blocked' AND outside = FALSE LIMIT 10000) AS b WHERE NOT EXISTS"    \
    " (SELECT 1 FROM runs h WHERE h.plugin = b.plugin AND h.order_key = b.order_key "              \
    "AND " SQL_HOLDS("h") "))"

/* The journal. A delivery that comes again runs from the start; but a run that died continues where
 * it was, because the effects that it made stand. */
#define SHARED_JOURNAL_COLUMNS                                                                     \
    "number, kind, state, key, marker, dry, at_ms, method, url, outcome, status, message,"         \
    " headers, body"
#define SHARED_JOURNAL_WRITE                                                                       \
    "INSERT INTO journal (run, number, kind, state, token, key, marker, dry, method, url, at_ms,"  \
    " outcome, status, message, headers, body)"                                                    \
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"              \
    " ON CONFLICT (run, number) DO UPDATE SET kind = excluded.kind, state = excluded.state,"       \
    " token = excluded.token, marker = excluded.marker, dry = excluded.dry,"                       \
    " at_ms = excluded.at_ms,"                                                                     \
    " outcome = excluded.outcome, status = excluded.status, message = excluded.message,"           \
    " headers = excluded.headers, body = excluded.body"
#define SHARED_JOURNAL_COMPLETE                                                                    \
    "UPDATE journal SET state = $1, at_ms = $2, outcome = $3, status = $4, message = $5,"          \
    " headers = $6, body = $7 WHERE run = $8 AND number = $9 AND token = $10"                      \
    " AND state = 'intended'"
/* The outcome of a change that this claim has committed. */
#define SHARED_JOURNAL_OUTCOME                                                                     \
    "SELECT outcome FROM journal WHERE run = $1 AND number = $2 AND token = $3 AND key = $4"       \
    " AND kind = 'change' AND state = 'completed'"
#define SHARED_JOURNALS_DROP                                                                       \
    "DELETE FROM journal WHERE run IN"                                                             \
    " (SELECT id FROM runs WHERE delivery = $1 AND state = 'done')"

/* The audit. The limit-th request of the last hour, counted back: it must leave the hour before the
 * next one may be sent. */
#define SHARED_AUDIT_HOUR                                                                          \
    "SELECT at_ms FROM audit WHERE plugin = $1 AND installation = $2 AND counts"                   \
    " AND at_ms > $3 AND at_ms <= $4 ORDER BY at_ms DESC LIMIT 1 OFFSET $5"
/* The effects of a plugin on an item. The loop's row says from when on they count. */
#define SHARED_AUDIT_ITEM                                                                          \
    "SELECT count(*) FROM (SELECT 1 FROM audit WHERE plugin = $1 AND item = $2 AND item <> ''"     \
    " AND counts AND at_ms > $3 AND at_ms <= $4 LIMIT $5) AS few"
#define SHARED_LOOP_GET "SELECT began_ms, wait_ms FROM loops WHERE plugin = $1 AND item = $2"
#define SHARED_LOOP_PUT                                                                            \
    "INSERT INTO loops (plugin, item, began_ms, wait_ms) VALUES ($1, $2, $3, $4)"                  \
    " ON CONFLICT (plugin, item) DO UPDATE SET began_ms = excluded.began_ms,"                      \
    " wait_ms = excluded.wait_ms"
#define SHARED_LOOP_HELD                                                                           \
    "SELECT until_ms FROM holds WHERE plugin = $1 AND scope = 'item' AND value = $2"               \
    " AND cause = 'loop' AND until_ms > $3"
#define SHARED_PRUNE_LOOPS                                                                         \
    "DELETE FROM loops WHERE (plugin, item) IN"                                                    \
    " (SELECT plugin, item FROM loops WHERE began_ms < $1 LIMIT $2)"
#define SHARED_AUDIT_ADD                                                                           \
    "INSERT INTO audit (at_ms, plugin, installation, delivery, sender, item, method, url, state,"  \
    " counts, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id"
#define SHARED_AUDIT_COMPLETE                                                                      \
    "UPDATE audit SET state = 'completed', status = $1, request_id = $2 WHERE id = $3"             \
    " AND state = 'intended'"
#define SHARED_AUDIT_UNSENT                                                                        \
    "UPDATE audit SET state = 'unsent', counts = FALSE WHERE id = $1 AND state = 'intended'"
#define SHARED_AUDIT_READ                                                                          \
    "SELECT at_ms, plugin, installation, sender, item, method, url, state, status, request_id"     \
    " FROM audit WHERE delivery = $1 ORDER BY id"
#define SHARED_PRUNE_AUDIT                                                                         \
    "DELETE FROM audit WHERE at_ms < $1 AND id IN (SELECT id FROM audit ORDER BY id LIMIT $2)"

/* the plugins' sets and keys */
#define SHARED_SET_HAS                                                                             \
    "SELECT 1 FROM plugin_sets WHERE plugin = $1 AND scope = $2 AND name = $3 AND entry = $4"
#define SHARED_SET_HAS_ADOPTED "SELECT 1 FROM persistent_set_sent_invitation WHERE entry = $1"
#define SHARED_KEY_GET                                                                             \
    "SELECT value FROM plugin_keys WHERE plugin = $1 AND scope = $2 AND name = $3"

/* Has the run INBOX_RESERVATIONS_MAX names? */
#define SQL_RESERVES_MOST(run)                                                                     \
    "(SELECT count(*) FROM (SELECT 1 FROM reservations WHERE run = CAST(" run                      \
    " AS bigint) LIMIT " SQL_DIGITS(INBOX_RESERVATIONS_MAX) ") AS names) = " SQL_DIGITS(           \
        INBOX_RESERVATIONS_MAX)
/* $4: the run. A name whose run has ended is free. The run may have most names, with this one. */
#define SHARED_RESERVE                                                                             \
    "INSERT INTO reservations (plugin, scope, name, run) SELECT $1, $2, $3, CAST($4 AS bigint)"    \
    " WHERE NOT " SQL_RESERVES_MOST(                                                               \
        "$4") " OR EXISTS (SELECT 1 FROM reservations"                                             \
              " WHERE plugin = $1 AND scope = $2 AND name = $3 AND run = CAST($4 AS bigint))"      \
              " ON CONFLICT (plugin, scope, name) DO UPDATE SET run = excluded.run"                \
              " WHERE reservations.run = excluded.run OR NOT EXISTS (SELECT 1 FROM runs"           \
              " WHERE runs.id = reservations.run AND runs.state NOT IN ('done', 'dead'))"

/* the app's bot user */
#define SHARED_BOT_USER_GET "SELECT user_id FROM bot_users WHERE app = $1"
#define SHARED_BOT_USER_PUT                                                                        \
    "INSERT INTO bot_users (app, user_id) VALUES ($1, $2)"                                         \
    " ON CONFLICT (app) DO UPDATE SET user_id = excluded.user_id"

/* what operators ask for */
/* A list's chunk: the next deliveries before the place ($1, $2), and since $3. Those with a body
 * and those without have an index each, and both are read from their ends. The index has the event
 * ($4) too, so a list of a rare event looks at all entries of the index, but at no other row. */
#define SHARED_LIST_BEFORE "(received_ms, id) < ($1, $2) AND received_ms >= $3"
#define SHARED_LIST_LATEST "ORDER BY received_ms DESC, id DESC LIMIT "
#define SHARED_LIST_CHUNK(filter, most)                                                            \
    "SELECT received_ms, id FROM (SELECT * FROM (SELECT received_ms, id FROM deliveries"           \
    " WHERE body IS NOT NULL AND " SHARED_LIST_BEFORE filter " " SHARED_LIST_LATEST most           \
    ") AS kept UNION ALL SELECT * FROM (SELECT received_ms, id FROM deliveries"                    \
    " WHERE body IS NULL AND " SHARED_LIST_BEFORE filter " " SHARED_LIST_LATEST most               \
    ") AS pruned) AS latest " SHARED_LIST_LATEST
#define SHARED_LIST_CHUNK_ALL(most) SHARED_LIST_CHUNK("", most)
#define SHARED_LIST_CHUNK_EVENT SHARED_LIST_CHUNK(" AND event = $4", "500")
/* Each delivery of a chunk is listed unless a plugin or a state is wanted. So fewer entries than
 * this mean that nothing comes after the chunk. */
#define SHARED_LIST_CHUNK_LEAST 500
/* Where a chunk of 500 or 5000 ends; no row when it is not full, so that nothing comes after it. */
#define SHARED_LIST_END(chunk) chunk "1 OFFSET 499"
#define SHARED_LIST_LONG_END(chunk) chunk "1 OFFSET 4999"
/* How many runs there are in a state, or of a plugin, up to one too many. A state has an index. For
 * a rare plugin all entries of the index of (delivery, plugin) are read, and no row: an index of
 * its own would cost each delivery another page. */
#define SHARED_LIST_COUNT(condition)                                                               \
    "SELECT count(*) FROM (SELECT 1 FROM runs WHERE " condition " LIMIT 5001) AS few"
/* The same of the rows that a statement returns. */
#define SHARED_LIST_COUNT_OF(rows)                                                                 \
    "SELECT count(*) FROM (SELECT 1 FROM (" rows ") AS shown LIMIT 5001) AS few"
/* A run whose handler asked to wait is queued or blocked until it is due. */
#define SQL_WAITING                                                                                \
    "label = 'waiting' AND state IN ('queued', 'blocked')"                                         \
    " AND (state = 'blocked' OR plugin NOT IN " SQL_HELD_PLUGINS ")"
/* The one place that decides how the state of the run `r` is shown. */
#define SQL_SHOWN_STATE                                                                            \
    "CASE WHEN r.state = 'queued' AND r.plugin IN " SQL_HELD_PLUGINS " THEN 'held'"                \
    " WHEN r.label = 'waiting' AND r.state IN ('queued', 'blocked') THEN 'waiting'"                \
    " ELSE r.state END"
#define SQL_SHOWN_REASON                                                                           \
    "CASE WHEN r.state = 'held' THEN coalesce((SELECT h.cause || ': ' || h.reason"                 \
    " FROM holds h WHERE h.id = r.hold), r.reason)"                                                \
    " WHEN r.state = 'queued' THEN coalesce((SELECT h.cause || ': ' || h.reason"                   \
    " FROM holds h WHERE h.plugin = r.plugin AND h." SQL_WHOLE_HOLD                                \
    " ORDER BY h.id LIMIT 1), r.reason) ELSE r.reason END"
#define SHARED_LIST_COLUMNS                                                                        \
    "SELECT d.id, d.guid, d.event, d.action, d.installation, d.repository, d.sender,"              \
    " d.received_ms, CASE WHEN d.body IS NULL THEN -1 ELSE d.body_bytes END, r.id, r.plugin,"      \
    " " SQL_SHOWN_STATE                                                                            \
    ", r.attempt, r.crashes, r.suspect, r.due_ms, r.lease_until_ms, r.finished_ms,"                \
    " r.label, " SQL_SHOWN_REASON ", d.item, r.order_key, r.outside,"                              \
    " (SELECT hd.guid FROM runs h JOIN deliveries hd ON hd.id = h.delivery"                        \
    " WHERE r.state = 'blocked' AND h.plugin = r.plugin AND h.order_key = r.order_key"             \
    " AND " SQL_HOLDS("h") ")"
#define SHARED_LIST_FILTERS                                                                        \
    " WHERE (d.received_ms, d.id) < ($1, $2)"                                                      \
    " AND d.received_ms >= $3 AND (CAST($4 AS text) IS NULL OR d.event = $4)"                      \
    " AND (CAST($5 AS text) IS NULL OR r.plugin = $5)"                                             \
    " AND (CAST($6 AS text) IS NULL OR " SQL_SHOWN_STATE " = $6)"
#define SHARED_LIST_ORDER " ORDER BY d.received_ms DESC, d.id DESC, r.plugin"
#define SHARED_LIST_OF_CHUNK(chunk)                                                                \
    SHARED_LIST_COLUMNS                                                                            \
    " FROM (" chunk "500) AS c JOIN deliveries d ON d.id = c.id"                                   \
    " LEFT JOIN runs r ON r.delivery = d.id" SHARED_LIST_FILTERS SHARED_LIST_ORDER
#define SHARED_LIST_DELIVERY                                                                       \
    SHARED_LIST_COLUMNS " FROM deliveries d LEFT JOIN runs r ON r.delivery = d.id"                 \
                        " WHERE d.id = $1 ORDER BY r.plugin"

/* Previews. */
#define SHARED_PREVIEWS_FORGET "DELETE FROM previews WHERE made_ms < $1"
#define SHARED_PREVIEW_ADD "INSERT INTO previews (id, action, made_ms) VALUES ($1, $2, $3)"
#define SHARED_PREVIEW_IN_DOUBT                                                                    \
    "SELECT count(*) FROM preview_runs p WHERE p.preview = $1"                                     \
    " AND EXISTS (SELECT 1 FROM journal j WHERE j.run = p.run AND j.state = 'intended')"
#define SHARED_PREVIEW_FIND                                                                        \
    "SELECT id FROM previews WHERE id = $1 AND action = $2 AND made_ms >= $3"
#define SHARED_PREVIEW_NEXT                                                                        \
    "SELECT number, run, state FROM preview_runs WHERE preview = $1 ORDER BY number LIMIT 1"
#define SHARED_PREVIEW_TAKE "DELETE FROM preview_runs WHERE preview = $1 AND number = $2"
#define SHARED_PREVIEW_END "DELETE FROM previews WHERE id = $1"
#define SHARED_PREVIEW_RUN                                                                         \
    "SELECT d.id, d.guid, r.plugin, " SQL_SHOWN_STATE                                              \
    " FROM runs r JOIN deliveries d ON d.id = r.delivery WHERE r.id = $1"

/* Timers and schedules: see timers.h. */
#define SHARED_TIMERS_DUE                                                                          \
    "SELECT id, plugin, installation, guid, due_ms, body FROM timers WHERE due_ms <= $1 "          \
    "AND " SQL_CONFIGURED("plugin", "$2") " ORDER BY due_ms, id LIMIT $3"
#define SHARED_TIMER_SET                                                                           \
    "INSERT INTO timers (plugin, installation, name, due_ms, guid, body) VALUES ($1, $2, $3, $4, " \
    "$5, $6) ON CONFLICT (plugin, installation, name) DO UPDATE SET due_ms = excluded.due_ms, "    \
    "guid = excluded.guid, body = excluded.body"
#define SHARED_TIMER_CANCEL                                                                        \
    "DELETE FROM timers WHERE plugin = $1 AND installation = $2 AND name = $3"
#define SHARED_TIMERS_OTHERS                                                                       \
    "SELECT count(*) FROM (SELECT 1 FROM timers WHERE plugin = $1 AND installation = $2 AND name " \
    "<> $3 LIMIT 10000) AS few"
#define SHARED_TIMER_TAKE "DELETE FROM timers WHERE id = $1 AND guid = $2"
#define SHARED_TIMERS_UNINSTALL "DELETE FROM timers WHERE installation = $1"
#define SHARED_SLOTS_UNINSTALL "DELETE FROM schedule_slots WHERE installation = $1"
/* No host has had the plugin configured since $1. */
#define SQL_FORGOTTEN(plugin)                                                                      \
    "NOT " SQL_CONFIGURED(                                                                         \
        plugin, "$2") " AND NOT EXISTS (SELECT 1 FROM configured_plugins k WHERE k.name = " plugin \
                      " AND k.until_ms >= $1)"
#define SHARED_TIMERS_FORGET                                                                       \
    "DELETE FROM timers WHERE due_ms < $1 AND " SQL_FORGOTTEN("timers.plugin")
#define SHARED_SLOTS_FORGET                                                                        \
    "DELETE FROM schedule_slots WHERE slot_ms < $1 AND " SQL_FORGOTTEN("schedule_slots.plugin")
#define SHARED_SLOT_FIND                                                                           \
    "SELECT slot_ms, guid FROM schedule_slots WHERE plugin = $1 AND schedule = $2 AND "            \
    "installation = $3 AND repository = $4"
#define SHARED_SLOT_TAKE                                                                           \
    "INSERT INTO schedule_slots (plugin, schedule, installation, repository, slot_ms, guid) "      \
    "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (plugin, schedule, installation, repository) DO " \
    "UPDATE SET slot_ms = excluded.slot_ms, guid = excluded.guid WHERE schedule_slots.slot_ms < "  \
    "excluded.slot_ms"
#define SHARED_FIRING_UNFINISHED                                                                   \
    "SELECT r.id FROM deliveries d JOIN runs r ON r.delivery = d.id WHERE d.guid = $1 AND "        \
    "r.plugin = $2 AND r.state IN " SQL_UNFINISHED

/* Rate limits. */
#define SHARED_RATE_LIMIT_GET                                                                      \
    "SELECT all_ms, search_ms, graphql_ms, released_ms FROM rate_limits WHERE installation = $1"

/* Installations. */
#define SQL_LIMITED "(all_ms > $1 OR search_ms > $1 OR graphql_ms > $1)"
/* The repository, whose owner is the installation's account, is that of a run that waits. For each
 * plugin and each value of `suspect`, runs_turn has the installation's runs. */
#define SHARED_INSTALLATIONS_LIMITED                                                               \
    SHARED_PLUGINS_QUEUED                                                                          \
    " SELECT installation, all_ms, search_ms, graphql_ms, (SELECT d.repository"                    \
    " FROM deliveries d WHERE d.id = (SELECT max((SELECT r.delivery FROM runs r"                   \
    " WHERE r.state = 'queued' AND r.plugin = p.plugin AND r.suspect = s.suspect"                  \
    " AND r.installation = rate_limits.installation LIMIT 1))"                                     \
    " FROM p CROSS JOIN (SELECT FALSE AS suspect UNION ALL SELECT TRUE) AS s))"                    \
    " FROM rate_limits WHERE " SQL_LIMITED " ORDER BY installation LIMIT 5000"
#define SHARED_INSTALLATIONS_PARKED                                                                \
    "SELECT r.installation, r.plugin, count(*), max(r.reason), max(d.repository) FROM runs r"      \
    " JOIN deliveries d ON d.id = r.delivery WHERE r.state = 'parked'"                             \
    " GROUP BY r.installation, r.plugin ORDER BY r.installation, r.plugin LIMIT 5000"
/* The runs that waited for the end of the limit: the store set them to that time, or the broker
 * deferred them. */
#define SHARED_INSTALLATION_HASTEN                                                                 \
    "UPDATE runs SET due_ms = $1 WHERE state = 'queued' AND installation = $2 AND due_ms > $1"     \
    " AND EXISTS (SELECT 1 FROM rate_limits l WHERE l.installation = $2"                           \
    " AND (runs.due_ms = l.all_ms OR runs.label = 'requeued'))"
#define SHARED_INSTALLATION_END_LIMITS                                                             \
    "UPDATE rate_limits SET all_ms = 0, search_ms = 0, graphql_ms = 0, released_ms = $1"           \
    " WHERE installation = $2 AND " SQL_LIMITED
#define SHARED_INSTALLATION_UNPARK                                                                 \
    "UPDATE runs SET due_ms = $1, " SQL_SET_UNPARKED " WHERE state = 'parked' AND installation = " \
    "$2"

/* Holds. */
#define SHARED_HOLD_ACTIVE(now) "(until_ms = 0 OR until_ms > " now ")"
#define SHARED_HOLDS                                                                               \
    "SELECT id, plugin, scope, value, cause, reason, since_ms, until_ms FROM holds"                \
    " WHERE " SHARED_HOLD_ACTIVE("$1") " ORDER BY cause = 'loop', plugin, scope, value,"           \
                                       " cause LIMIT 5000"
#define SHARED_HOLD_FIND                                                                           \
    "SELECT 1 FROM holds WHERE plugin = $1 AND scope = $2 AND value = $3 AND cause = $4"           \
    " AND " SHARED_HOLD_ACTIVE("$5")
#define SHARED_HOLD_PUT                                                                            \
    "INSERT INTO holds (plugin, scope, value, cause, reason, since_ms, until_ms)"                  \
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (plugin, scope, value, cause) DO UPDATE"     \
    " SET since_ms = CASE WHEN holds.until_ms <> 0 AND holds.until_ms <= excluded.since_ms"        \
    " THEN excluded.since_ms ELSE holds.since_ms END,"                                             \
    " reason = excluded.reason, until_ms = excluded.until_ms"
#define SHARED_HOLD_END                                                                            \
    "DELETE FROM holds WHERE plugin = $1 AND cause = $2 AND " SHARED_HOLD_ACTIVE(                  \
        "$3") " AND (CAST($4 AS bigint) = 1 OR (scope = $5 AND value = $6))"
#define SHARED_HOLDS_FORGET "DELETE FROM holds WHERE until_ms <> 0 AND until_ms < $1"
/* How many holds are active at $1 that an operator made and that do not cover a whole plugin. */
#define SHARED_HOLDS_COUNT                                                                         \
    "SELECT count(*) FROM (SELECT 1 FROM holds WHERE cause = 'paused' AND scope <> 'plugin' "      \
    "AND " SHARED_HOLD_ACTIVE("$1") " LIMIT 1000) AS active"
/* The run was claimed just now. $2: it gives its place in its key's line up. */
#define SHARED_RUN_SET_ASIDE                                                                       \
    "UPDATE runs SET state = 'held', hold = $1, outside = $2, attempt = attempt - 1, token = 0,"   \
    " lease_until_ms = 0 WHERE id = $3 AND token = $4 AND state = 'running'"
/* `in` and `end` enclose the list of runs, which the store makes first: it may not read all held
 * runs. For the same reason the list is in the order of the index.
 * The oldest held runs of one hold that is gone are due again. The few different holds are found by
 * their index. The state is asked for again, because another host may do the same at this moment. A
 * held run that has given its place up joins its key's line in the same claim. A run is not due so
 * long ago that a claim would not look for it (common/turns.h). */
#define SHARED_RUNS_RELEASE(in, end)                                                               \
    "UPDATE runs SET state = CASE WHEN outside THEN 'blocked' ELSE 'queued' END, hold = 0,"        \
    " due_ms = CASE WHEN due_ms < $1 - 10000 THEN $1 - 10000 ELSE due_ms END"                      \
    " WHERE state || '' = 'held' AND id " in                                                       \
    "WITH RECURSIVE h (hold) AS (SELECT min(hold) FROM runs WHERE state = 'held' UNION ALL"        \
    " SELECT (SELECT min(hold) FROM runs WHERE state = 'held' AND hold > h.hold) FROM h"           \
    " WHERE h.hold IS NOT NULL), gone (hold) AS (SELECT h.hold FROM h WHERE h.hold IS NOT NULL"    \
    " AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.id = h.hold AND " SHARED_HOLD_ACTIVE(        \
        "$1") ") LIMIT 1) SELECT id FROM runs WHERE state = 'held'"                                \
              " AND hold >= (SELECT hold FROM gone) AND hold <= (SELECT hold FROM gone)"           \
              " ORDER BY hold, id LIMIT $2" end

/* Maintenance. Did all runs of the delivery `d` end before these times? */
#define SHARED_ENDED_BEFORE(done, dead)                                                            \
    "NOT EXISTS (SELECT 1 FROM runs r WHERE r.delivery = d.id AND (r.state IN " SQL_UNFINISHED     \
    " OR r.finished_ms >= CASE WHEN r.state = 'dead'"                                              \
    " THEN CAST(" dead " AS bigint) ELSE CAST(" done " AS bigint) END))"
/* The newest delivery is never forgotten: SQLite would give its id to the next one, and cursors
 * would pass that one over. */
#define SHARED_NOT_NEWEST "id < (SELECT max(id) FROM deliveries)"
/* Is there a run to mark? A queued or blocked one is found by its plugin; only the first 5000
 * parked ones are looked at. */
#define SQL_PLUGINS_BLOCKED                                                                        \
    " b (plugin) AS (SELECT min(plugin) FROM runs WHERE state = 'blocked' UNION ALL SELECT"        \
    " (SELECT min(plugin) FROM runs WHERE state = 'blocked' AND plugin > b.plugin) FROM b"         \
    " WHERE b.plugin IS NOT NULL)"
#define SQL_HAS_UNWANTED(rows, plugin)                                                             \
    "EXISTS (SELECT 1 FROM " rows " WHERE " plugin                                                 \
    " IS NOT NULL AND NOT " SQL_WANTED(plugin, "$1") ")"
#define SHARED_UNWANTED                                                                            \
    SHARED_PLUGINS_QUEUED                                                                          \
    "," SQL_PLUGINS_BLOCKED                                                                        \
    " SELECT CAST(1 AS bigint) WHERE " SQL_HAS_UNWANTED("p", "p.plugin") " OR " SQL_HAS_UNWANTED(  \
        "b", "b.plugin") " OR " SQL_HAS_UNWANTED("(SELECT plugin FROM runs WHERE state = "         \
                                                 "'parked' LIMIT 5000) AS few",                    \
                                                 "few.plugin")
#define SQL_UNMARKED(names)                                                                        \
    "state IN ('queued', 'parked', 'blocked') AND NOT " SQL_IS_MARKED                              \
    " AND NOT " SQL_WANTED("runs.plugin", names)
/* Where a step of marking ends that begins behind the run $1: it marks few runs and looks at few.
 * 0: it reaches the last run. */
#define SHARED_MARK_END                                                                            \
    "SELECT coalesce((SELECT id FROM runs WHERE id > $1 AND id <= l.id AND " SQL_UNMARKED(         \
        "$2") " ORDER BY id LIMIT 1 OFFSET " SQL_DIGITS(SQL_MARKS_MAX) " - 1), l.last) FROM "      \
                                                                       "(SELECT"                   \
                                                                       " coalesce(e.id, "          \
                                                                       "9223372036854775807) AS "  \
                                                                       "id, coalesce(e.id, 0) AS " \
                                                                       "last FROM (SELECT (SELECT" \
                                                                       " id FROM runs WHERE id > " \
                                                                       "$1 ORDER BY id LIMIT 1 "   \
                                                                       "OFFSET " SQL_DIGITS(       \
                                                                           SQL_MARK_LOOKS) " - "   \
                                                                                           "1) "   \
                                                                                           "AS "   \
                                                                                           "id) "  \
                                                                                           "AS "   \
                                                                                           "e) "   \
                                                                                           "AS l"
/* Marks the runs behind $1, up to $2. */
#define SHARED_RUNS_MARK                                                                           \
    "UPDATE runs SET label = CASE WHEN label = '' THEN 'not_configured' ELSE label "               \
    "END," SQL_SET_NOT_CONFIGURED " WHERE id > $1 AND id <= $2 AND " SQL_UNMARKED("$3")
/* Ends runs of the deliveries between two positions, if no host had the plugin configured since
 * $7. `in` and `end` enclose the list of these deliveries. */
#define SHARED_RUNS_END_UNCONFIGURED(in, end)                                                      \
    "UPDATE runs SET state = 'dead', finished_ms = $1, outside = FALSE, by_hand = FALSE,"          \
    " label = 'not_configured'," SQL_SET_NOT_CONFIGURED                                            \
    " WHERE state IN ('queued', 'blocked', 'held', 'parked') AND NOT " SQL_CONFIGURED(             \
        "plugin",                                                                                  \
        "$2") " AND delivery " in "SELECT id FROM deliveries WHERE body IS NOT NULL"               \
              " AND (received_ms, id) > ($3, $4) AND (received_ms, id) <= ($5, $6)" end            \
              " AND NOT EXISTS (SELECT 1 FROM configured_plugins k WHERE k.name = runs.plugin"     \
              " AND k.until_ms >= $7)"
/* The end of an INSERT into configured_plugins: writes only when at least half of
 * INBOX_CONFIGURED_MS has passed. */
#define SQL_CONFIGURED_LONGER                                                                      \
    " ON CONFLICT (name) DO UPDATE SET until_ms = excluded.until_ms"                               \
    " WHERE configured_plugins.until_ms < excluded.until_ms - 300000"
#define SHARED_PRUNE_REDELIVERIES                                                                  \
    "DELETE FROM redeliveries WHERE guid IN"                                                       \
    " (SELECT guid FROM redeliveries WHERE requested_ms < $1 LIMIT $2)"
#define SHARED_REDELIVERY_COUNT                                                                    \
    "INSERT INTO redeliveries (guid, requests, requested_ms) VALUES ($1, 1, $2)"                   \
    " ON CONFLICT (guid) DO UPDATE SET requests = redeliveries.requests + 1,"                      \
    " requested_ms = excluded.requested_ms"

#define SHARED_RUNS_BEHIND "SELECT 1 FROM runs WHERE id > $1 LIMIT 1"
#define SHARED_RUNS_SET_BACK                                                                       \
    "UPDATE runs SET due_ms = CASE WHEN due_ms - $1 > $2 THEN due_ms - $1 ELSE $2 END"             \
    " WHERE state IN ('queued', 'blocked') AND due_ms > $2 AND id > $3 AND id <= $4"
/* Deliveries that arrived more than an hour after $1; few, if any. A delivery with such runs has
 * its body. */
#define SQL_OF_FUTURE                                                                              \
    "SELECT id FROM deliveries WHERE body IS NOT NULL AND received_ms > $1 + 3600000"
#define SQL_SET_NOW                                                                                \
    "UPDATE runs SET due_ms = $1 WHERE state IN ('queued', 'blocked') AND due_ms > $1"
#define SHARED_RATE_LIMITS_SET_BACK                                                                \
    "UPDATE rate_limits SET all_ms = all_ms - $1, search_ms = search_ms - $1,"                     \
    " graphql_ms = graphql_ms - $1"

/* Pull mode. */
#define SHARED_PULL_BEGIN                                                                          \
    "INSERT INTO pull_place (only_row, started_ms, oldest_ms, place_ms, full_ms)"                  \
    " VALUES (1, $1, CASE WHEN EXISTS (SELECT 1 FROM deliveries) THEN 0"                           \
    " ELSE CAST($1 AS bigint) END, 0, $1) ON CONFLICT (only_row) DO NOTHING"
#define SHARED_PULL_PLACE "SELECT started_ms, oldest_ms, place_ms, full_ms FROM pull_place"
#define SHARED_PULL_NOTE                                                                           \
    "INSERT INTO pulled (id, guid, event, redelivery, delivered_ms, attempts, due_ms)"             \
    " VALUES ($1, $2, $3, $4, $5, 0, CASE WHEN CAST($6 AS bigint) = 0"                             \
    " OR (CAST($7 AS bigint) = 1 AND EXISTS (SELECT 1 FROM deliveries WHERE guid = $2))"           \
    " THEN NULL ELSE CAST(0 AS bigint) END) ON CONFLICT (id) DO NOTHING"
#define SHARED_PULL_MOVE                                                                           \
    "UPDATE pull_place SET"                                                                        \
    " place_ms = CASE WHEN place_ms < $1 OR CAST($2 AS bigint) > 0 THEN $1 ELSE place_ms END,"     \
    " full_ms = CASE WHEN CAST($2 AS bigint) > 0 THEN $2 ELSE full_ms END"
#define SHARED_PULL_DUE                                                                            \
    "SELECT id, guid, event, redelivery, delivered_ms, attempts FROM pulled WHERE due_ms <= $1"    \
    " ORDER BY delivered_ms, id LIMIT $2"
#define SHARED_PULL_WAITING                                                                        \
    "SELECT count(*), min(CASE WHEN due_ms > $1 THEN due_ms END), min(delivered_ms) FROM pulled"   \
    " WHERE due_ms IS NOT NULL"
#define SHARED_PULL_FAIL                                                                           \
    "UPDATE pulled SET attempts = attempts + 1, due_ms = CASE WHEN CAST($1 AS bigint) = 0"         \
    " THEN NULL ELSE CAST($1 AS bigint) END WHERE id = $2 AND due_ms IS NOT NULL"
/* The rows that it changes: the entry itself, and others with its GUID. */
#define SHARED_PULL_TAKE                                                                           \
    "UPDATE pulled SET due_ms = NULL WHERE due_ms IS NOT NULL AND (id = $1 OR guid = $2)"          \
    " RETURNING id"
#define SHARED_PULL_FORGET "DELETE FROM pull_place"
#define SHARED_PRUNE_PULLED                                                                        \
    "DELETE FROM pulled WHERE id IN (SELECT id FROM pulled WHERE delivered_ms < $1 LIMIT $2)"

#define SHARED_REDELIVERY_FIND "SELECT requests, requested_ms FROM redeliveries WHERE guid = $1"
#define SHARED_REDELIVERY_UNCOUNT                                                                  \
    "UPDATE redeliveries SET requests = requests - 1, requested_ms = $1"                           \
    " WHERE guid = $2 AND requests > 0"
#define SHARED_REDELIVERY_FETCHED "UPDATE redeliveries SET fetched = 1 WHERE guid = $1"
/* A row: this arrival is one that the host requested. */
#define SHARED_REDELIVERY_ARRIVED                                                                  \
    "UPDATE redeliveries SET duplicates = duplicates + 1"                                          \
    " WHERE guid = $1 AND duplicates < requests - 1 + fetched RETURNING duplicates"

#endif
