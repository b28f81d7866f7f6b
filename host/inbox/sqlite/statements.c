/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The texts of the SQLite store's statements. */
#include "inbox/sqlite/statements.h"

/* No other host uses the file. */
#define SQL_ELSEWHERE(plugin) ""
#define SQL_RUNS_OF(plugin, condition)                                                             \
    " CROSS JOIN runs r WHERE r.plugin = " plugin " AND " condition
#define SQL_NOW_MS "(CAST(strftime('%s', 'now') AS INTEGER) * 1000)"

#define CONSOLE_INDEXED(index) " INDEXED BY " index
#define CONSOLE_C ""
#define CONSOLE_LEFT_JOIN_RUNS " LEFT JOIN runs r ON r.delivery = d.id"
#define CONSOLE_SORT(order) ""
#define CONSOLE_JOIN(table, alias, condition) " CROSS JOIN " table " " alias " ON " condition
#define CONSOLE_AMONG(list) " IN (SELECT value FROM json_each('[' || " list " || ']'))"
#define CONSOLE_LOWER(text) "lower(" text ")"
#define CONSOLE_HAS(text, part) "instr(" text ", " part ") > 0"

#include "inbox/sql/console.h"
#include "inbox/sql/shared.h"

#define LIST_FROM(index)                                                                           \
    SHARED_LIST_COLUMNS " FROM runs r" index                                                       \
                        " CROSS JOIN deliveries d ON d.id = r.delivery" SHARED_LIST_FILTERS
/* The plugin's runs in a chunk. Only indexes are read where it has none. */
#define LIST_PLUGIN_OF_CHUNK(chunk, most)                                                          \
    SHARED_LIST_COLUMNS                                                                            \
    " FROM (" chunk most ") AS c CROSS JOIN runs r CROSS JOIN deliveries d" SHARED_LIST_FILTERS    \
    " AND r.delivery = c.id AND r.plugin = $5 AND d.id = c.id" SHARED_LIST_ORDER
#define LIST_OF_STATE(state, index)                                                                \
    LIST_FROM(" INDEXED BY " index) " AND r.state = '" state "'" SHARED_LIST_ORDER

/* The runs that are shown in a state, by the ids that `ids` returns. */
#define LIST_SHOWN(ids)                                                                            \
    SHARED_LIST_COLUMNS " FROM (" ids ") AS s CROSS JOIN runs r ON r.id = s.id CROSS JOIN"         \
                        " deliveries d ON d.id = r.delivery" SHARED_LIST_FILTERS SHARED_LIST_ORDER

#define LIST_OF_WAITING                                                                            \
    LIST_FROM(" INDEXED BY runs_waiting")                                                          \
    " AND r.label = 'waiting'"                                                                     \
    " AND r.state IN ('queued', 'blocked')" SHARED_LIST_ORDER

#define RUN_INSERT                                                                                 \
    "INSERT INTO runs (delivery, plugin, due_ms, state, attempt, host, token, lease_until_ms,"     \
    " installation, order_key, coalesce_key, first_due_ms)"                                        \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?3)"

const char *const sqlite_statements[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    /* Writes a page even when nothing changes, which an UPDATE would not. */
    [SQL_PROBE] = "PRAGMA user_version = 0",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DELIVERY_FIND] = SHARED_DELIVERY_FIND,
    [SQL_DELIVERY_INSERT] = "INSERT INTO deliveries (event, action, installation, repository,"
                            " sender, item, received_ms, body_codec, body_bytes, body, guid)"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SQL_DELIVERY_REPLACE] = SHARED_DELIVERY_REPLACE,
    [SQL_RUNS_UNFINISHED] = SHARED_RUNS_UNFINISHED,
    [SQL_RUNS_HASTEN] = "UPDATE runs SET due_ms = min(due_ms, ?1), " SQL_SET_UNPARKED
                        " WHERE delivery = ?2 AND (state = 'parked'"
                        " OR (state = 'queued' AND (attempt > 0 OR label = 'waiting'))"
                        " OR (state = 'blocked' AND outside))",
    /* Makes the parked runs of an installation due that has just granted something. */
    [SQL_RUNS_UNPARK] = "UPDATE runs SET due_ms = ?1, " SQL_SET_UNPARKED " WHERE state = 'parked'"
                        " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = runs.delivery"
                        " AND d.installation = ?2)",
    /* Marks the installation's running runs, which may be about to park. The runs of the granting
     * delivery itself are left out, because they begin after the grant. */
    [SQL_RUNS_GRANT] = "UPDATE runs SET granted = 1 WHERE state = 'running'"
                       " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = runs.delivery"
                       " AND d.installation = ?1 AND d.guid <> ?2)",
    [SQL_RUNS_UNINSTALL] = SHARED_RUNS_UNINSTALL,
    /* For a new delivery. RETURNING would cost a tenth of a commit's processor time. */
    [SQL_RUN_INSERT] = RUN_INSERT,
    [SQL_RUN_QUEUE] = RUN_INSERT
    " ON CONFLICT (delivery, plugin) DO UPDATE SET state = excluded.state,"
    " installation = excluded.installation,"
    " order_key = excluded.order_key,"
    " coalesce_key = excluded.coalesce_key, first_due_ms = excluded.first_due_ms,"
    " outside = 0, by_hand = 0, attempt = excluded.attempt, host = "
    "excluded.host, token = excluded.token,"
    " lease_until_ms = excluded.lease_until_ms, due_ms = excluded.due_ms,"
    " crashes = 0, waited_ms = 0, suspect = 0, label = '', reason = '', finished_ms = NULL"
    " RETURNING id",
    [SQL_RUN_LOAD] = "SELECT r.id, r.attempt, r.crashes, r.suspect, d.id, d.received_ms, d.guid,"
                     " d.event, d.action, d.installation, d.repository, d.sender, d.body_bytes,"
                     " d.body_codec, r.due_ms, d.item, r.order_key,"
                     " r.coalesce_key, r.waited_ms"
                     " FROM runs r CROSS JOIN deliveries d ON d.id = r.delivery WHERE r.id = ?1",
    [SQL_RUN_BYTES] = "SELECT " SHARED_RUN_BYTES " FROM runs r WHERE r.id = ?1",
    [SQL_SUSPECT_DUE] =
        "SELECT r.id, r.due_ms FROM runs r INDEXED BY runs_due WHERE r.state = 'queued'"
        " AND r.plugin = ?1 AND r.suspect = 1 AND r.due_ms <= ?2 AND NOT EXISTS"
        " (SELECT 1 FROM rate_limits l WHERE l.installation = r.installation"
        " AND l.all_ms > ?2) ORDER BY r.due_ms, r.id LIMIT 1",
    [SQL_RUN_WANTED] =
        "SELECT r.id, r.due_ms FROM runs r WHERE r.id = ?1 AND r.state = 'queued' AND r.plugin = ?2"
        " AND r.suspect = 0 AND r.due_ms <= ?3 AND NOT EXISTS"
        " (SELECT 1 FROM rate_limits l WHERE l.installation = r.installation"
        " AND l.all_ms > ?3)",
    /* The earliest run of the first installation from ?2 on, and until when that one waits. */
    [SQL_TURN_NEXT] = "SELECT r.installation, r.due_ms, (SELECT all_ms FROM rate_limits l"
                      " WHERE l.installation = r.installation) FROM runs r INDEXED BY runs_turn"
                      " WHERE r.state = 'queued' AND r.plugin = ?1 AND r.suspect = 0"
                      " AND r.installation >= ?2 ORDER BY r.installation, r.due_ms LIMIT 1",
    [SQL_TURN_OLDEST] = "SELECT r.installation, (SELECT all_ms FROM rate_limits l"
                        " WHERE l.installation = r.installation) FROM runs r INDEXED BY runs_due"
                        " WHERE r.state = 'queued' AND r.plugin = ?1 AND r.suspect = 0"
                        " AND r.due_ms <= ?2 ORDER BY r.due_ms LIMIT 1",
    [SQL_TURN_RUNS] =
        "SELECT r.id, r.due_ms FROM runs r INDEXED BY runs_turn WHERE r.state = 'queued'"
        " AND r.plugin = ?1 AND r.suspect = 0 AND r.installation = ?2"
        " AND r.due_ms <= ?3 ORDER BY r.due_ms, r.id",
    [SQL_RUN_LEASE] = "UPDATE runs SET state = 'running', attempt = attempt + 1, granted = 0,"
                      " host = ?1, token = ?2, lease_until_ms = ?3 WHERE id = ?4",
    [SQL_RUN_NEXT_DUE] = "SELECT due_ms FROM runs INDEXED BY runs_due WHERE state = 'queued'"
                         " AND plugin = ?1 AND suspect = ?2 ORDER BY due_ms LIMIT 1",
    [SQL_ORDER_HOLDER] = "SELECT 1 " SHARED_HOLDER,
    [SQL_ORDER_PROMOTE] = SHARED_ORDER_PROMOTE,
    [SQL_ORDER_DISPLACE] = SHARED_ORDER_DISPLACE,
    [SQL_ORDER_JOIN] = SHARED_ORDER_JOIN,
    [SQL_ORDER_DUE] = "SELECT id, plugin, order_key, by_hand FROM runs INDEXED BY runs_outside"
                      " WHERE state = 'blocked' AND outside AND due_ms <= ?1"
                      " ORDER BY due_ms, id LIMIT ?2",
    [SQL_SUPERSEDE] = "UPDATE runs SET finished_ms = $1, " SQL_SET_SUPERSEDED(
        "$2") " WHERE " SQL_REPLACEABLE " AND id < " SQL_REPLACING " RETURNING (SELECT guid FROM"
              " deliveries WHERE id = runs.delivery), attempt, first_due_ms",
    [SQL_SUPERSEDE_HASTEN] = "UPDATE runs SET first_due_ms = min(first_due_ms, ?1),"
                             " due_ms = min(due_ms, ?1 + " SQL_COALESCE_MAX_MS ") WHERE id = ?2",
    [SQL_RUN_SUPERSEDED] = SHARED_RUN_SUPERSEDED,
    [SQL_ORDER_REPAIR] = SHARED_ORDER_REPAIR,
    [SQL_ATTEMPT_ADD] = SHARED_ATTEMPT_ADD,
    [SQL_ATTEMPTS_CUT] = SHARED_ATTEMPTS_CUT,
    [SQL_RUN_END] = SHARED_RUN_END,
    [SQL_RUN_AGAIN] = SHARED_RUN_AGAIN,
    [SQL_RUN_PARK] = SHARED_RUN_PARK,
    [SQL_RUNS_RECOVER] =
        "UPDATE runs SET state = 'queued', due_ms = ?1, token = 0,"
        " lease_until_ms = 0, " SQL_SET_HOST_DIED("TRUE") " WHERE state = 'running'",
    /* lease_until_ms is a time of the monotonic clock, so a change of the wall clock does not
     * matter. It is valid only in this process: the next start of the host makes all running runs
     * due. */
    [SQL_RUNS_RECLAIM] = "UPDATE runs SET state = 'queued', due_ms = ?1, token = 0,"
                         " lease_until_ms = 0 WHERE state = 'running' AND lease_until_ms < ?2"
                         " AND token NOT IN (SELECT value FROM json_each(?3))",
    [SQL_RUN_RENEW] = "UPDATE runs SET lease_until_ms = ?1"
                      " WHERE id = ?2 AND token = ?3 AND state = 'running'",
    [SQL_RUN_HELD] = "SELECT lease_until_ms FROM runs WHERE id = ?1 AND token = ?2"
                     " AND state = 'running'",
    [SQL_JOURNAL_READ] = "SELECT number, kind, state, key, marker, dry, at_ms, method, url,"
                         " outcome, status, message, headers, body, token"
                         " FROM journal WHERE run = ?1 ORDER BY number",
    [SQL_JOURNAL_WRITE] = SHARED_JOURNAL_WRITE,
    [SQL_JOURNAL_COMPLETE] = SHARED_JOURNAL_COMPLETE,
    [SQL_JOURNAL_OUTCOME] = SHARED_JOURNAL_OUTCOME,
    [SQL_JOURNAL_CUT_BACK] = "DELETE FROM journal WHERE run = ?1 AND kind <> 'effect'",
    [SQL_JOURNAL_CUT_RESPONSES] = "UPDATE journal SET headers = x'', body = x'' WHERE run = ?1",
    /* A delivery that comes again runs from the start. A run that is dead keeps its journal and
     * continues where it was, because its effects stand. */
    [SQL_JOURNALS_DROP] = SHARED_JOURNALS_DROP,
    [SQL_HOLDS_READ] = SHARED_HOLDS,
    [SQL_HOLD_FIND] = SHARED_HOLD_FIND,
    [SQL_HOLD_PUT] = SHARED_HOLD_PUT,
    [SQL_HOLD_END] = SHARED_HOLD_END,
    [SQL_HOLDS_FORGET] = SHARED_HOLDS_FORGET,
    [SQL_HOLDS_COUNT] = SHARED_HOLDS_COUNT,
    [SQL_RUN_SET_ASIDE] = SHARED_RUN_SET_ASIDE,
    [SQL_RUNS_RELEASE] = SHARED_RUNS_RELEASE("IN (", ")"),
    [SQL_STATS] = SHARED_STATS,
    [SQL_SET_HAS] = SHARED_SET_HAS,
    [SQL_SET_HAS_ADOPTED] = SHARED_SET_HAS_ADOPTED,
    [SQL_SET_ADD] = "INSERT INTO plugin_sets (plugin, scope, name, entry) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT DO NOTHING",
    [SQL_SET_REMOVE] = "DELETE FROM plugin_sets WHERE plugin = ?1 AND scope = ?2 AND name = ?3"
                       " AND entry = ?4",
    [SQL_KEY_GET] = SHARED_KEY_GET,
    [SQL_KEY_PUT] = "INSERT INTO plugin_keys (plugin, scope, name, value) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (plugin, scope, name) DO UPDATE SET value = excluded.value",
    [SQL_RESERVED] = "SELECT " SQL_RESERVES_MOST("?1"),
    [SQL_RESERVE] = SHARED_RESERVE,
    [SQL_KEY_DELETE] = "DELETE FROM plugin_keys WHERE plugin = ?1 AND scope = ?2 AND name = ?3",
    [SQL_KEY_BYTES] = "SELECT length(value) FROM plugin_keys WHERE plugin = ?1 AND scope = ?2"
                      " AND name = ?3",
    [SQL_USAGE_GET] = "SELECT bytes FROM plugin_usage WHERE plugin = ?1",
    [SQL_USAGE_ADD] = "INSERT INTO plugin_usage (plugin, bytes) VALUES (?1, ?2)"
                      " ON CONFLICT (plugin) DO UPDATE SET bytes = bytes + excluded.bytes",
    [SQL_AUDIT_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM audit WHERE plugin = ?1"
                        " AND installation = ?2 AND counts AND at_ms > ?3 LIMIT ?4)",
    [SQL_AUDIT_HOUR] = SHARED_AUDIT_HOUR,
    [SQL_AUDIT_ITEM] = SHARED_AUDIT_ITEM,
    [SQL_LOOP_GET] = SHARED_LOOP_GET,
    [SQL_LOOP_PUT] = SHARED_LOOP_PUT,
    [SQL_LOOP_HELD] = SHARED_LOOP_HELD,
    [SQL_PRUNE_LOOPS] = SHARED_PRUNE_LOOPS,
    [SQL_AUDIT_ADD] = SHARED_AUDIT_ADD,
    [SQL_AUDIT_COMPLETE] = SHARED_AUDIT_COMPLETE,
    [SQL_AUDIT_UNSENT] = SHARED_AUDIT_UNSENT,
    [SQL_AUDIT_READ] = SHARED_AUDIT_READ,
    [SQL_PRUNE_AUDIT] = SHARED_PRUNE_AUDIT,
    [SQL_BOT_USER_GET] = SHARED_BOT_USER_GET,
    [SQL_BOT_USER_PUT] = SHARED_BOT_USER_PUT,
    [SQL_PULL_BEGIN] = SHARED_PULL_BEGIN,
    [SQL_PULL_PLACE] = SHARED_PULL_PLACE,
    [SQL_PULL_NOTE] = SHARED_PULL_NOTE,
    [SQL_PULL_MOVE] = SHARED_PULL_MOVE,
    [SQL_PULL_DUE] = SHARED_PULL_DUE,
    [SQL_PULL_WAITING] = SHARED_PULL_WAITING,
    [SQL_PULL_FAIL] = SHARED_PULL_FAIL,
    [SQL_PULL_TAKE] = SHARED_PULL_TAKE,
    [SQL_PULL_FORGET] = SHARED_PULL_FORGET,
    [SQL_PRUNE_PULLED] = SHARED_PRUNE_PULLED,
    [SQL_HOST_SEEN] =
        "INSERT INTO hosts (name, seen_ms, salt, fingerprints) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (name) DO UPDATE SET seen_ms = excluded.seen_ms,"
        " salt = excluded.salt, fingerprints = excluded.fingerprints",
    [SQL_HOST_GONE] = "DELETE FROM hosts WHERE name = ?1",
    [SQL_HOSTS_FORGET] = "DELETE FROM hosts WHERE seen_ms < ?1",
    [SQL_HOSTS_LIST] = "SELECT name, seen_ms, salt, fingerprints FROM hosts ORDER BY name",
    [SQL_SECRET_CHECK_GET] = "SELECT salt FROM secret_checks WHERE one = 1 AND asked_ms > ?1",
    [SQL_SECRET_CHECK_PUT] = "INSERT INTO secret_checks (one, salt, asked_ms) VALUES (1, ?1, ?2)"
                             " ON CONFLICT (one) DO UPDATE SET salt = excluded.salt,"
                             " asked_ms = excluded.asked_ms",
    [SQL_LIST_ALL] = SHARED_LIST_OF_CHUNK(SHARED_LIST_CHUNK_ALL("500")),
    [SQL_LIST_ALL_END] = SHARED_LIST_END(SHARED_LIST_CHUNK_ALL("500")),
    [SQL_LIST_EVENT] = SHARED_LIST_OF_CHUNK(SHARED_LIST_CHUNK_EVENT),
    [SQL_LIST_EVENT_END] = SHARED_LIST_END(SHARED_LIST_CHUNK_EVENT),
    [SQL_LIST_ALL_OF_PLUGIN] = LIST_PLUGIN_OF_CHUNK(SHARED_LIST_CHUNK_ALL("5000"), "5000"),
    [SQL_LIST_ALL_OF_PLUGIN_END] = SHARED_LIST_LONG_END(SHARED_LIST_CHUNK_ALL("5000")),
    [SQL_LIST_EVENT_OF_PLUGIN] = LIST_PLUGIN_OF_CHUNK(SHARED_LIST_CHUNK_EVENT, "500"),
    [SQL_LIST_EVENT_OF_PLUGIN_END] = SHARED_LIST_END(SHARED_LIST_CHUNK_EVENT),
    [SQL_LIST_DELIVERY] = SHARED_LIST_DELIVERY,
    [SQL_LIST_QUEUED] = LIST_SHOWN(SQL_SHOWN_QUEUED("r.id")),
    [SQL_LIST_BLOCKED] = LIST_OF_STATE("blocked", "runs_blocked"),
    [SQL_LIST_HELD] = LIST_SHOWN(SQL_SHOWN_HELD("r.id")),
    [SQL_LIST_RUNNING] = LIST_OF_STATE("running", "runs_leased"),
    [SQL_LIST_WAITING] = LIST_OF_WAITING,
    [SQL_LIST_PARKED] = LIST_OF_STATE("parked", "runs_parked"),
    [SQL_LIST_DEAD] = LIST_OF_STATE("dead", "runs_dead"),
    [SQL_LIST_PLUGIN] = SHARED_LIST_COLUMNS
    " FROM runs p CROSS JOIN runs r ON r.id = p.id CROSS JOIN deliveries d ON d.id = "
    "r.delivery" SHARED_LIST_FILTERS " AND p.plugin = $5" SHARED_LIST_ORDER,
    [SQL_LIST_COUNT_QUEUED] = SHARED_LIST_COUNT_OF(SQL_SHOWN_QUEUED("1")),
    [SQL_LIST_COUNT_BLOCKED] = SHARED_LIST_COUNT("state = 'blocked'"),
    [SQL_LIST_COUNT_HELD] = SHARED_LIST_COUNT_OF(SQL_SHOWN_HELD("1")),
    [SQL_LIST_COUNT_RUNNING] = SHARED_LIST_COUNT("state = 'running'"),
    [SQL_LIST_COUNT_WAITING] = SHARED_LIST_COUNT(SQL_WAITING),
    [SQL_LIST_COUNT_PARKED] = SHARED_LIST_COUNT("state = 'parked'"),
    [SQL_LIST_COUNT_DEAD] = SHARED_LIST_COUNT("state = 'dead'"),
    [SQL_LIST_COUNT_PLUGIN] = SHARED_LIST_COUNT("plugin = $1"),
    [SQL_DELIVERY_BODY] = "SELECT body IS NULL, body_codec, body_bytes FROM deliveries"
                          " WHERE id = ?1",
    [SQL_RUNS_RERUN] = SHARED_RUNS_RERUN,
    [SQL_RUNS_DISCARD] = SHARED_RUNS_DISCARD,
    [SQL_INSTALLATIONS_LIMITED] = SHARED_INSTALLATIONS_LIMITED,
    [SQL_INSTALLATIONS_PARKED] = SHARED_INSTALLATIONS_PARKED,
    [SQL_INSTALLATION_HASTEN] = SHARED_INSTALLATION_HASTEN,
    [SQL_INSTALLATION_END_LIMITS] = SHARED_INSTALLATION_END_LIMITS,
    [SQL_INSTALLATION_UNPARK] = SHARED_INSTALLATION_UNPARK,
    [SQL_PREVIEWS_FORGET] = SHARED_PREVIEWS_FORGET,
    [SQL_PREVIEW_ADD] = SHARED_PREVIEW_ADD,
    [SQL_PREVIEW_ADD_RUN] = "INSERT INTO preview_runs (preview, number, run, state)"
                            " VALUES (?1, ?2, ?3, ?4)",
    [SQL_PREVIEW_IN_DOUBT] = SHARED_PREVIEW_IN_DOUBT,
    [SQL_PREVIEW_FIND] = SHARED_PREVIEW_FIND,
    [SQL_PREVIEW_NEXT] = SHARED_PREVIEW_NEXT,
    [SQL_PREVIEW_TAKE] = SHARED_PREVIEW_TAKE,
    [SQL_PREVIEW_END] = SHARED_PREVIEW_END,
    [SQL_PREVIEW_RUN] = SHARED_PREVIEW_RUN,
    [SQL_UNWANTED] = SHARED_UNWANTED,
    [SQL_MARK_END] = SHARED_MARK_END,
    [SQL_RUNS_MARK] = SHARED_RUNS_MARK,
    [SQL_RUNS_END_UNCONFIGURED] = SHARED_RUNS_END_UNCONFIGURED("IN (", ")"),
    [SQL_PLUGIN_CONFIGURED] =
        "INSERT INTO configured_plugins (until_ms, name) VALUES (?1, ?2)" SQL_CONFIGURED_LONGER,
    [SQL_PRUNE_LOOK] = "SELECT d.received_ms, d.id, length(d.body), " SHARED_ENDED_BEFORE(
        "?3", "?4") " FROM deliveries d INDEXED BY deliveries_kept WHERE d.body IS NOT NULL"
                    " AND (d.received_ms, d.id) > (?1, ?2) AND d.received_ms < ?3"
                    " ORDER BY d.received_ms, d.id LIMIT ?5",
    [SQL_PRUNE_BODY] = "UPDATE deliveries SET body = NULL WHERE id = ?1",
    [SQL_PRUNE_READS] = "DELETE FROM journal WHERE kind <> 'effect' AND run IN"
                        " (SELECT id FROM runs WHERE delivery = ?1)",
    [SQL_PRUNE_RESPONSES] = "UPDATE journal SET headers = x'', body = x'' WHERE run IN"
                            " (SELECT id FROM runs WHERE delivery = ?1)",
    [SQL_PRUNE_FORGET] = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
                         " INDEXED BY deliveries_pruned WHERE body IS NULL AND received_ms < ?1"
                         " AND " SHARED_NOT_NEWEST " ORDER BY received_ms LIMIT ?2)",
    [SQL_PRUNE_REDELIVERIES] = SHARED_PRUNE_REDELIVERIES,
    [SQL_REDELIVERY_FIND] = SHARED_REDELIVERY_FIND,
    [SQL_REDELIVERY_COUNT] = SHARED_REDELIVERY_COUNT,
    [SQL_REDELIVERY_UNCOUNT] = SHARED_REDELIVERY_UNCOUNT,
    [SQL_RUNS_SET_BACK] = SHARED_RUNS_SET_BACK,
    [SQL_RUNS_BEHIND] = SHARED_RUNS_BEHIND,
    [SQL_RUNS_OF_FUTURE] = SQL_SET_NOW " AND delivery IN (" SQL_OF_FUTURE ")",
    [SQL_RATE_LIMITS_SET_BACK] = SHARED_RATE_LIMITS_SET_BACK,
    [SQL_REDELIVERY_FETCHED] = SHARED_REDELIVERY_FETCHED,
    [SQL_REDELIVERY_ARRIVED] = SHARED_REDELIVERY_ARRIVED,
    [SQL_RATE_LIMIT_PUT] = "INSERT INTO rate_limits (installation, all_ms, search_ms, graphql_ms)"
                           " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (installation) DO UPDATE SET"
                           " all_ms = max(all_ms, excluded.all_ms),"
                           " search_ms = max(search_ms, excluded.search_ms),"
                           " graphql_ms = max(graphql_ms, excluded.graphql_ms)",
    [SQL_RATE_LIMIT_DELAY] =
        SHARED_PLUGINS_QUEUED " UPDATE runs SET due_ms = ?1 WHERE id IN (SELECT r.id FROM p"
                              " CROSS JOIN runs r INDEXED BY runs_turn WHERE r.state = 'queued'"
                              " AND r.plugin = p.plugin AND r.suspect IN (0, 1)"
                              " AND r.installation = ?2 AND r.due_ms < ?1 LIMIT ?3)",
    [SQL_TIMERS_DUE] = SHARED_TIMERS_DUE,
    [SQL_TIMER_SET] = SHARED_TIMER_SET,
    [SQL_TIMER_CANCEL] = SHARED_TIMER_CANCEL,
    [SQL_TIMERS_OTHERS] = SHARED_TIMERS_OTHERS,
    [SQL_TIMER_TAKE] = SHARED_TIMER_TAKE,
    [SQL_TIMERS_UNINSTALL] = SHARED_TIMERS_UNINSTALL,
    [SQL_SLOTS_UNINSTALL] = SHARED_SLOTS_UNINSTALL,
    [SQL_TIMERS_FORGET] = SHARED_TIMERS_FORGET,
    [SQL_SLOTS_FORGET] = SHARED_SLOTS_FORGET,
    [SQL_SLOT_FIND] = SHARED_SLOT_FIND,
    [SQL_SLOT_TAKE] = SHARED_SLOT_TAKE,
    [SQL_FIRING_UNFINISHED] = SHARED_FIRING_UNFINISHED,
    [SQL_RATE_LIMIT_GET] = SHARED_RATE_LIMIT_GET,
#define CONSOLE_ROW(name, text) [SQL_CONSOLE + CONSOLE_##name] = text,
    CONSOLE_STATEMENTS(CONSOLE_ROW)};
