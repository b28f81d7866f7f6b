/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The store in an SQLite file: opened with the settings that the promise needs (WAL, each commit
 * synced), rejected when they cannot be had; a group of operations is one transaction. */
#include "inbox/sqlite_store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS                                                                            \
    3000 /* who else writes (a backup's checkpoint, a shell) is short, or                          \
            ingest says 503 within 5 s */

/* Of memory: 4 MiB of pages, the rest of a large transaction goes to the WAL before its commit. Of
 * the WAL: moved into the file every 4 MiB, since the commits wait meanwhile: 16 MiB gained nothing
 * in rate and made p99 three times as long. A WAL that a large body made grow is cut back. */
static const char settings[] = "PRAGMA foreign_keys = ON;"
                               "PRAGMA cache_size = -4096;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA wal_autocheckpoint = 1000;"
                               "PRAGMA journal_size_limit = 67108864;";

/* What LIST selects; ?1 to ?2 the deliveries, then since, event, plugin, state. */
#define LIST_COLUMNS                                                                               \
    "SELECT d.id, d.guid, d.event, d.action, d.installation, d.repository, d.sender,"              \
    " d.received_ms, iif(d.body IS NULL, -1, d.body_bytes), r.id, r.plugin, r.state, r.attempt, "  \
    "r.crashes,"                                                                                   \
    " r.suspect, r.due_ms, r.lease_until_ms, r.finished_ms, r.label, r.reason"
#define LIST_FILTERS                                                                               \
    " AND d.received_ms >= ?3 AND (?4 IS NULL OR d.event = ?4) AND (?5 IS NULL OR r.plugin = ?5)"  \
    " AND (?6 IS NULL OR r.state = ?6) ORDER BY d.id DESC, r.plugin"
#define LIST_OF_STATE(state, index)                                                                \
    LIST_COLUMNS " FROM runs r INDEXED BY " index " CROSS JOIN deliveries d ON d.id = r.delivery"  \
                 " WHERE r.state = '" state                                                        \
                 "' AND r.delivery >= ?1 AND r.delivery < ?2" LIST_FILTERS

static const char *const statements[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    /* Writes a page even when nothing changes, which an UPDATE would not. */
    [SQL_PROBE] = "PRAGMA user_version = 0",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DELIVERY_FIND] = "SELECT id FROM deliveries WHERE guid = ?1",
    [SQL_DELIVERY_INSERT] = "INSERT INTO deliveries (event, action, installation, repository,"
                            " sender, received_ms, body_codec, body_bytes, body, guid)"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [SQL_DELIVERY_REPLACE] = "UPDATE deliveries SET event = ?1, action = ?2, installation = ?3,"
                             " repository = ?4, sender = ?5, received_ms = ?6, body_codec = ?7,"
                             " body_bytes = ?8, body = ?9 WHERE id = ?10",
    [SQL_RUNS_UNFINISHED] = "SELECT 1 FROM runs WHERE delivery = ?1"
                            " AND state IN ('queued', 'running', 'parked') LIMIT 1",
    [SQL_RUNS_HASTEN] = "UPDATE runs SET due_ms = min(due_ms, ?1), state = 'queued'"
                        " WHERE delivery = ?2 AND (state = 'parked'"
                        " OR (state = 'queued' AND attempt > 0))",
    /* Those that wait for what the installation has just given. */
    [SQL_RUNS_UNPARK] = "UPDATE runs SET state = 'queued', due_ms = ?1 WHERE state = 'parked'"
                        " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = runs.delivery"
                        " AND d.installation = ?2)",
    /* Those that may be about to wait for it; not what came with it, which begins after it. */
    [SQL_RUNS_GRANT] = "UPDATE runs SET granted = 1 WHERE state = 'running'"
                       " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = runs.delivery"
                       " AND d.installation = ?1 AND d.guid <> ?2)",
    [SQL_RUN_QUEUE] = "INSERT INTO runs (delivery, plugin, due_ms, state, attempt, host,"
                      " token, lease_until_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                      " ON CONFLICT (delivery, plugin) DO UPDATE SET state = excluded.state,"
                      " attempt = excluded.attempt, host = excluded.host, token = excluded.token,"
                      " lease_until_ms = excluded.lease_until_ms, due_ms = excluded.due_ms,"
                      " crashes = 0, suspect = 0, label = '', reason = '', finished_ms = NULL"
                      " RETURNING id",
    [SQL_RUNS_DUE] = "SELECT r.id, r.attempt, r.crashes, r.suspect, d.id, d.received_ms, d.guid,"
                     " d.event, d.action, d.installation, d.repository, d.sender, d.body_bytes,"
                     " d.body_codec, r.due_ms"
                     " FROM runs r INDEXED BY runs_due CROSS JOIN deliveries d ON d.id = r.delivery"
                     " WHERE r.state = 'queued' AND r.plugin = ?1 AND r.suspect = ?2"
                     " AND r.due_ms <= ?3 ORDER BY r.due_ms, r.id LIMIT ?4",
    [SQL_RUN_LEASE] = "UPDATE runs SET state = 'running', attempt = attempt + 1, granted = 0,"
                      " host = ?1, token = ?2, lease_until_ms = ?3 WHERE id = ?4",
    [SQL_RUN_NEXT_DUE] = "SELECT due_ms FROM runs INDEXED BY runs_due WHERE state = 'queued'"
                         " AND plugin = ?1 AND suspect = ?2 ORDER BY due_ms LIMIT 1",
    [SQL_RUN_END] = "UPDATE runs SET state = ?1, finished_ms = ?2, label = ?3, reason = ?4,"
                    " suspect = ?5, crashes = ?6, token = 0, lease_until_ms = 0"
                    " WHERE id = ?7 AND token = ?8 AND state = 'running'",
    [SQL_RUN_AGAIN] = "UPDATE runs SET state = 'queued', attempt = attempt - ?1, due_ms = ?2,"
                      " label = ?3, reason = ?4, suspect = ?5, crashes = ?6, token = 0,"
                      " lease_until_ms = 0"
                      " WHERE id = ?7 AND token = ?8 AND state = 'running'",
    [SQL_RUN_PARK] = "UPDATE runs SET state = iif(granted, 'queued', 'parked'), granted = 0,"
                     " attempt = attempt - ?1, due_ms = ?2, label = ?3, reason = ?4, suspect = ?5,"
                     " crashes = ?6, token = 0, lease_until_ms = 0"
                     " WHERE id = ?7 AND token = ?8 AND state = 'running'"
                     " RETURNING state = 'queued'",
    [SQL_RUNS_RECOVER] =
        "UPDATE runs SET state = 'queued', due_ms = ?1, token = 0,"
        " lease_until_ms = 0, " STORE_SET_HOST_DIED("TRUE") " WHERE state = 'running'",
    /* lease_until_ms is of the monotonic clock, which setting the wall's does not disturb: it lasts
     * no longer than this process, whose next start makes all running runs due. */
    [SQL_RUNS_RECLAIM] = "UPDATE runs SET state = 'queued', due_ms = ?1, token = 0,"
                         " lease_until_ms = 0 WHERE state = 'running' AND lease_until_ms < ?2"
                         " AND token NOT IN (SELECT value FROM json_each(?3))",
    [SQL_RUN_RENEW] = "UPDATE runs SET lease_until_ms = ?1"
                      " WHERE id = ?2 AND token = ?3 AND state = 'running'",
    [SQL_RUN_HELD] = "SELECT lease_until_ms FROM runs WHERE id = ?1 AND token = ?2"
                     " AND state = 'running'",
    [SQL_JOURNAL_READ] = "SELECT number, kind, state, key, marker, dry, at_ms, method, url,"
                         " outcome, status, message, headers, body"
                         " FROM journal WHERE run = ?1 ORDER BY number",
    [SQL_JOURNAL_WRITE] = "INSERT INTO journal (run, number, kind, state, token, key, marker, dry,"
                          " method, url, at_ms, outcome, status, message, headers, body)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
                          " ?15, ?16)"
                          " ON CONFLICT (run, number) DO UPDATE SET state = excluded.state,"
                          " token = excluded.token, marker = excluded.marker,"
                          " dry = excluded.dry, at_ms = excluded.at_ms,"
                          " outcome = excluded.outcome, status = excluded.status,"
                          " message = excluded.message, headers = excluded.headers,"
                          " body = excluded.body",
    [SQL_JOURNAL_COMPLETE] = "UPDATE journal SET state = ?1, at_ms = ?2, outcome = ?3, status = ?4,"
                             " message = ?5, headers = ?6, body = ?7"
                             " WHERE run = ?8 AND number = ?9 AND token = ?10"
                             " AND state = 'intended'",
    [SQL_JOURNAL_CUT_BACK] = "DELETE FROM journal WHERE run = ?1 AND kind <> 'effect'",
    [SQL_JOURNAL_CUT_ANSWERS] = "UPDATE journal SET headers = x'', body = x'' WHERE run = ?1",
    /* A delivery that comes again runs afresh; but one whose run died is taken up where it was, for
     * what it had done already is done. */
    [SQL_JOURNALS_DROP] = "DELETE FROM journal WHERE run IN"
                          " (SELECT id FROM runs WHERE delivery = ?1 AND state = 'done')",
    [SQL_STATS] = "SELECT (SELECT count(*) FROM runs WHERE state = 'queued'),"
                  " (SELECT count(*) FROM runs WHERE state = 'running'),"
                  " (SELECT count(*) FROM runs WHERE state = 'dead'),"
                  " (SELECT count(*) FROM journal j JOIN runs r ON r.id = j.run"
                  "  WHERE j.state = 'intended' AND r.state <> 'running'),"
                  " (SELECT min(due_ms) FROM runs WHERE state = 'queued'),"
                  " (SELECT count(*) FROM runs WHERE state = 'parked')",
    [SQL_SET_HAS] = "SELECT 1 FROM plugin_sets WHERE plugin = ?1 AND scope = ?2 AND name = ?3"
                    " AND entry = ?4",
    [SQL_SET_HAS_ADOPTED] = "SELECT 1 FROM persistent_set_sent_invitation WHERE entry = ?1",
    [SQL_SET_ADD] = "INSERT INTO plugin_sets (plugin, scope, name, entry)"
                    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    [SQL_SET_REMOVE] = "DELETE FROM plugin_sets WHERE plugin = ?1 AND scope = ?2 AND name = ?3"
                       " AND entry = ?4",
    [SQL_KEY_GET] = "SELECT value FROM plugin_keys WHERE plugin = ?1 AND scope = ?2 AND name = ?3",
    [SQL_KEY_PUT] = "INSERT INTO plugin_keys (plugin, scope, name, value)"
                    " VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (plugin, scope, name) DO UPDATE SET value = excluded.value",
    [SQL_KEY_DELETE] = "DELETE FROM plugin_keys WHERE plugin = ?1 AND scope = ?2 AND name = ?3",
    [SQL_LIST_CHUNK] = "SELECT ifnull(min(id), 0), count(*) FROM (SELECT id FROM deliveries"
                       " WHERE id < ?1 ORDER BY id DESC LIMIT ?2)",
    [SQL_LIST] = LIST_COLUMNS " FROM deliveries d LEFT JOIN runs r ON r.delivery = d.id"
                              " WHERE d.id >= ?1 AND d.id < ?2" LIST_FILTERS,
    [SQL_LIST_QUEUED] = LIST_OF_STATE("queued", "runs_due"),
    [SQL_LIST_RUNNING] = LIST_OF_STATE("running", "runs_leased"),
    [SQL_LIST_PARKED] = LIST_OF_STATE("parked", "runs_parked"),
    [SQL_LIST_DEAD] = LIST_OF_STATE("dead", "runs_dead"),
    [SQL_DELIVERY_BODY] = "SELECT body IS NULL, body_codec, body_bytes FROM deliveries"
                          " WHERE id = ?1",
    [SQL_RUNS_RERUN] = "UPDATE runs SET state = 'queued', attempt = 0, crashes = 0, suspect = 0,"
                       " due_ms = ?1, label = '', reason = '', finished_ms = NULL"
                       " WHERE delivery = ?2 AND state IN ('queued', 'parked', 'dead')"
                       " AND (?3 IS NULL OR plugin = ?3)",
    [SQL_RUNS_DISCARD] = "UPDATE runs SET state = 'dead', finished_ms = ?1, label = 'discarded',"
                         " reason = 'discarded by hand', token = 0, lease_until_ms = 0"
                         " WHERE delivery = ?2 AND state IN ('queued', 'running', 'parked')"
                         " AND (?3 IS NULL OR plugin = ?3)",
    [SQL_PRUNE_LOOK] =
        "SELECT d.received_ms, d.id, length(d.body), NOT EXISTS (SELECT 1"
        " FROM runs r WHERE r.delivery = d.id AND (r.state IN ('queued', 'running', 'parked')"
        " OR r.finished_ms >= iif(r.state = 'dead', ?4, ?3)))"
        " FROM deliveries d INDEXED BY deliveries_kept WHERE d.body IS NOT NULL"
        " AND (d.received_ms, d.id) > (?1, ?2) AND d.received_ms < ?3"
        " ORDER BY d.received_ms, d.id LIMIT ?5",
    [SQL_PRUNE_BODY] = "UPDATE deliveries SET body = NULL WHERE id = ?1",
    [SQL_PRUNE_READS] = "DELETE FROM journal WHERE kind <> 'effect' AND run IN"
                        " (SELECT id FROM runs WHERE delivery = ?1)",
    [SQL_PRUNE_ANSWERS] = "UPDATE journal SET headers = x'', body = x'' WHERE run IN"
                          " (SELECT id FROM runs WHERE delivery = ?1)",
    [SQL_PRUNE_FORGET] = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
                         " INDEXED BY deliveries_pruned WHERE body IS NULL AND received_ms < ?1"
                         " ORDER BY received_ms LIMIT ?2)",
    [SQL_PRUNE_REDELIVERIES] =
        "DELETE FROM redeliveries WHERE guid IN (SELECT guid FROM redeliveries"
        " WHERE requested_ms < ?1 LIMIT ?2)",
    [SQL_REDELIVERY_FIND] = "SELECT requests, requested_ms FROM redeliveries WHERE guid = ?1",
    [SQL_REDELIVERY_COUNT] =
        "INSERT INTO redeliveries (guid, requests, requested_ms) VALUES (?1, 1, ?2)"
        " ON CONFLICT (guid) DO UPDATE SET requests = requests + 1,"
        " requested_ms = excluded.requested_ms",
    [SQL_REDELIVERY_UNCOUNT] = "UPDATE redeliveries SET requests = requests - 1, requested_ms = ?2"
                               " WHERE guid = ?1 AND requests > 0",
    [SQL_REDELIVERY_FETCHED] = "UPDATE redeliveries SET fetched = 1 WHERE guid = ?1",
    [SQL_REDELIVERY_ARRIVED] = "UPDATE redeliveries SET duplicates = duplicates + 1"
                               " WHERE guid = ?1 AND duplicates < requests - 1 + fetched",
    [SQL_RATE_LIMIT_PUT] = "INSERT INTO rate_limits (installation, all_ms, search_ms, graphql_ms)"
                           " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (installation) DO UPDATE SET"
                           " all_ms = max(all_ms, excluded.all_ms),"
                           " search_ms = max(search_ms, excluded.search_ms),"
                           " graphql_ms = max(graphql_ms, excluded.graphql_ms)",
    [SQL_RATE_LIMIT_DELAY] = "UPDATE runs SET due_ms = ?1 WHERE state = 'queued' AND due_ms < ?1"
                             " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = runs.delivery"
                             " AND d.installation = ?2)",
    [SQL_RATE_LIMIT_GET] =
        "SELECT all_ms, search_ms, graphql_ms FROM rate_limits WHERE installation = ?1",
};

/* A group */

static int perform(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    if (store_check(operation, err) < 0) {
        store->broken = false;
        return -1;
    }
    switch (operation->kind) {
    case INBOX_PUT:
        return sqlite_put(store, CONTAINER_OF(operation, struct inbox_put, operation), err);
    case INBOX_CLAIM:
        return sqlite_claim(store, CONTAINER_OF(operation, struct inbox_claim, operation), err);
    case INBOX_FINISH:
        return sqlite_finish(store, CONTAINER_OF(operation, struct inbox_finish, operation), err);
    case INBOX_INTEND:
        return sqlite_intend(store, CONTAINER_OF(operation, struct inbox_intend, operation), err);
    case INBOX_COMPLETE:
        return sqlite_complete(store, CONTAINER_OF(operation, struct inbox_complete, operation),
                               err);
    case INBOX_STATS:
        return sqlite_stats(store, CONTAINER_OF(operation, struct inbox_stats, operation), err);
    case INBOX_RENEW:
        return sqlite_renew(store, CONTAINER_OF(operation, struct inbox_renew, operation), err);
    case INBOX_LEASE_CHECK:
        return sqlite_lease_check(
            store, CONTAINER_OF(operation, struct inbox_lease_check, operation), err);
    case INBOX_ELECT:
        return 1; /* a file has one host */
    case INBOX_SET_HAS:
    case INBOX_SET_ADD:
    case INBOX_SET_REMOVE:
    case INBOX_KEY_GET:
    case INBOX_KEY_PUT:
    case INBOX_KEY_DELETE:
        return sqlite_item(store, CONTAINER_OF(operation, struct inbox_plugin_state, operation),
                           err);
    case INBOX_KINDS:
        break;
    case INBOX_LIST:
        return sqlite_list(store, CONTAINER_OF(operation, struct inbox_list, operation), err);
    case INBOX_JOURNAL_READ: {
        struct inbox_journal_read *journal =
            CONTAINER_OF(operation, struct inbox_journal_read, operation);
        return sqlite_journal_read(store, journal->run, &journal->records, &journal->n_records,
                                   err);
    }
    case INBOX_BODY:
        return sqlite_body(store, CONTAINER_OF(operation, struct inbox_body, operation), err);
    case INBOX_RERUN:
    case INBOX_DISCARD:
        return sqlite_change(store, CONTAINER_OF(operation, struct inbox_change, operation), err);
    case INBOX_PRUNE:
        return sqlite_prune(store, CONTAINER_OF(operation, struct inbox_prune, operation), err);
    case INBOX_FIND_MISSING:
        return sqlite_find_missing(
            store, CONTAINER_OF(operation, struct inbox_find_missing, operation), err);
    case INBOX_COUNT_REDELIVERY:
        return sqlite_count_redelivery(
            store, CONTAINER_OF(operation, struct inbox_count_redelivery, operation), err);
    case INBOX_UNCOUNT_REDELIVERY:
        return sqlite_uncount_redelivery(
            store, CONTAINER_OF(operation, struct inbox_uncount_redelivery, operation), err);
    case INBOX_RATE_LIMIT_PUT:
    case INBOX_RATE_LIMIT_GET:
        return sqlite_rate_limit(store, CONTAINER_OF(operation, struct inbox_rate_limit, operation),
                                 err);
    }
    store->broken = false;
    return error_set(err, "no such operation");
}

static int run(struct sqlite_store *store, enum sqlite_sql sql, struct error *err,
               const char *what) {
    AUTO_QUERY struct query query = query_begin(store, sql);
    return query_run(&query, err, what);
}

static void roll_back(struct sqlite_store *store) {
    /* Some failures (a full disk) have rolled back already. When this fails too, the next BEGIN
     * says so. */
    if (!sqlite3_get_autocommit(store->db)) {
        (void)run(store, SQL_ROLLBACK, NULL, "rolling back");
    }
}

static int transact(struct store *base, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure) {
    struct sqlite_store *store = CONTAINER_OF(base, struct sqlite_store, store);
    failure->culprit = STORE_NOBODY;
    failure->broken = true;
    if (run(store, SQL_BEGIN, &failure->error, "beginning a transaction") < 0) {
        roll_back(store);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        operations[i]->result = perform(store, operations[i], &failure->error);
        if (operations[i]->result < 0) {
            failure->culprit = i;
            failure->broken = store->broken;
            roll_back(store);
            return -1;
        }
    }
    if ((probe && run(store, SQL_PROBE, &failure->error, "writing") < 0) ||
        run(store, SQL_COMMIT, &failure->error, "committing") < 0) {
        roll_back(store);
        return -1;
    }
    return 0;
}

/* Opening and closing */

static void store_free(struct store *base) {
    struct sqlite_store *store = CONTAINER_OF(base, struct sqlite_store, store);
    for (size_t i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
    }
    if (store->db && !store->tool) {
        /* What it cannot move now, the next opening does. */
        (void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    (void)sqlite3_close(store->db);
    cleanup_close(&store->lock_fd);
    free(store);
}

static const struct store_methods methods = {.transact = transact, .free = store_free};

static int check_path(const char *path, struct error *err) {
    return path[0] && strcmp(path, ":memory:") != 0
               ? 0
               : error_set(err, "an inbox in memory would lose deliveries: name a file");
}

/* Of the file, which is there. */
static int check_directory(const char *path, struct error *err) {
    AUTO_FREE char *real = realpath(path, NULL);
    if (!real) {
        return error_set(err, "cannot find its directory: %s", strerror(errno));
    }
    const char *directory = dirname(real);
    if (access(directory, W_OK | X_OK) < 0) {
        return error_set(err,
                         "its directory %s cannot be written (%s); the write-ahead log has to"
                         " lie beside it",
                         directory, strerror(errno));
    }
    return 0;
}

/* Creates the file for our eyes only, and keeps other hosts away from it. */
static int lock_file(struct sqlite_store *store, const char *path, struct error *err) {
    if (check_path(path, err) < 0) {
        return -1;
    }
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (store->lock_fd < 0) {
        return error_set(err, "cannot open or create it: %s", strerror(errno));
    }
    struct stat status;
    if (fstat(store->lock_fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return error_set(err, "it is not a regular file");
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? error_set(err, "another snekomatic is using it")
                                    : error_set(err, "cannot lock it: %s", strerror(errno));
    }
    return check_directory(path, err);
}

/* The value that a setting has now, as text. */
static int expect(struct sqlite_store *store, const char *pragma, const char *wanted,
                  const char *why, struct error *err) {
    sqlite3_stmt *statement = NULL;
    int result = -1;
    if (sqlite3_prepare_v2(store->db, pragma, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        (void)sqlite_error(store->db, err, pragma);
    } else {
        const char *got = (const char *)sqlite3_column_text(statement, 0);
        if (got && strcmp(got, wanted) == 0) {
            result = 0;
        } else {
            (void)error_set(err, "%s gives %s, not %s: %s", pragma, got ? got : "nothing", wanted,
                            why);
        }
    }
    (void)sqlite3_finalize(statement);
    return result;
}

static int apply_settings(struct sqlite_store *store, struct error *err) {
    static const char loses[] = "a power cut could lose deliveries that were answered";
    if (sqlite3_compileoption_used("NO_SYNC")) {
        return error_set(err, "this SQLite was built with SQLITE_NO_SYNC: %s", loses);
    }
    if (expect(store, "PRAGMA journal_mode = WAL", "wal",
               "does its file system lack locks or shared memory?", err) < 0) {
        return -1;
    }
    if (sqlite3_exec(store->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, settings, NULL, NULL, NULL) != SQLITE_OK) {
        return sqlite_error(store->db, err, "applying the settings");
    }
    if (expect(store, "PRAGMA synchronous", "2", loses, err) < 0) {
        return -1;
    }
    return expect(store, "PRAGMA foreign_keys", "1", "this SQLite was built without them", err);
}

static int prepare(struct sqlite_store *store, bool write, struct error *err) {
    for (size_t i = 0; i < SQL_COUNT; i++) {
        if (i == SQL_SET_HAS_ADOPTED && !store->adopted) {
            continue;
        }
        const char *sql = i == SQL_BEGIN && !write ? "BEGIN" : statements[i];
        if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK) {
            return sqlite_error(store->db, err, sql);
        }
    }
    return 0;
}

static int open_file(struct sqlite_store *store, const char *path, struct error *err) {
    /* Not SQLITE_OPEN_READONLY: that cannot read a write-ahead log whose index is not there. */
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        return store->db ? sqlite_error(store->db, err, "opening it")
                         : error_set(err, "opening it: out of memory");
    }
    return 0;
}

static int open_store(struct sqlite_store *store, const char *path, int64_t now_ms,
                      struct error *err) {
    if (lock_file(store, path, err) < 0 || open_file(store, path, err) < 0) {
        return -1;
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    if (sqlite_check_identity(store->db, err) < 0 || apply_settings(store, err) < 0 ||
        sqlite_migrate(store->db, now_ms, err) < 0 || sqlite_compare_schema(store->db, err) < 0 ||
        sqlite_find_adopted(store->db, &store->adopted, err) < 0 || prepare(store, true, err) < 0) {
        return -1;
    }
    return sqlite_recover(store, now_ms, err);
}

/* The host's commits are many and short: to get one of its own in between, a tool waits longer. */
#define TOOL_BUSY_TIMEOUT_MS 30000

static int open_tool(struct sqlite_store *store, const char *path, bool write, struct error *err) {
    if (access(path, F_OK) < 0) {
        return error_set(err, "%s; the host makes it when it first starts", strerror(errno));
    }
    if (open_file(store, path, err) < 0) {
        return -1;
    }
    (void)sqlite3_busy_timeout(store->db, TOOL_BUSY_TIMEOUT_MS);
    if (sqlite_check_identity(store->db, err) < 0 || sqlite_check_version(store->db, err) < 0 ||
        sqlite_compare_schema(store->db, err) < 0 ||
        sqlite_find_adopted(store->db, &store->adopted, err) < 0) {
        return -1;
    }
    if (write && sqlite3_db_readonly(store->db, "main")) {
        return error_set(err, "it cannot be written: run this as the user that the host runs as");
    }
    if (sqlite3_exec(store->db, settings, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, write ? "PRAGMA synchronous = FULL" : "PRAGMA query_only = ON",
                     NULL, NULL, NULL) != SQLITE_OK) {
        return sqlite_error(store->db, err, "applying the settings");
    }
    return prepare(store, write, err);
}

int inbox_open_sqlite_tool(const char *path, bool write, struct inbox **inbox, struct error *err) {
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store) {
        return error_set(err, "opening the inbox: out of memory");
    }
    store->store.methods = &methods;
    store->lock_fd = -1;
    store->tool = true;
    if (open_tool(store, path, write, err) < 0) {
        store_free(&store->store);
        return error_wrap(err, "the inbox %s", path);
    }
    return inbox_start(&store->store, inbox, err);
}

/* Can a file be made beside `path`? One is, which never has a name that lasts: what access() says
 * of /proc is not so. */
static int check_new_file(const char *path, struct error *err) {
    AUTO_FREE char *copy = strdup(path);
    AUTO_FREE char *name = NULL;
    const char *directory = copy ? dirname(copy) : NULL;
    if (!directory || asprintf(&name, "%s/.snekomatic-XXXXXX", directory) < 0) {
        name = NULL;
        return error_set(err, "out of memory");
    }
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        fd = mkostemp(name, O_CLOEXEC); /* its file system has no files without a name */
        if (fd >= 0) {
            (void)unlink(name);
        }
    }
    if (fd < 0) {
        return error_set(err, "no file can be made in %s: %s", directory, strerror(errno));
    }
    (void)close(fd);
    return 0;
}

static int check_file(struct sqlite_store *store, const char *path, struct error *err) {
    struct stat status;
    if (check_path(path, err) < 0) {
        return -1;
    }
    if (stat(path, &status) < 0) {
        return errno == ENOENT ? check_new_file(path, err) : error_set(err, "%s", strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, "it is not a regular file");
    }
    if (access(path, R_OK | W_OK) < 0) {
        return error_set(err, "it cannot be read and written: %s", strerror(errno));
    }
    if (check_directory(path, err) < 0 || open_file(store, path, err) < 0) {
        return -1;
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    return sqlite_check_schema(store->db, err);
}

int inbox_check_sqlite(const char *path, struct error *err) {
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store) {
        return error_set(err, "looking at the inbox: out of memory");
    }
    store->lock_fd = -1;
    store->tool = true;
    int result = check_file(store, path, err);
    store_free(&store->store);
    return result < 0 ? error_wrap(err, "the inbox %s", path) : 0;
}

int inbox_open_sqlite(const char *path, int64_t now_ms, struct inbox **inbox, struct error *err) {
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store) {
        return error_set(err, "opening the inbox: out of memory");
    }
    store->store.methods = &methods;
    store->lock_fd = -1;
    if (open_store(store, path, now_ms, err) < 0) {
        store_free(&store->store);
        return error_wrap(err, "the inbox %s", path);
    }
    return inbox_start(&store->store, inbox, err);
}
