/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The store in an SQLite file. A group of operations is one transaction. The store uses a WAL and
 * syncs each commit; if SQLite does not accept these settings, it rejects the file. */
#include "inbox/sqlite/sqlite.h"

#include "base/array.h"
#include "base/list.h"
#include "inbox/common/operations.h"
#include "inbox/sqlite/operations.h"
#include "inbox/sqlite/schema.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another writer (the checkpoint of a backup, a shell) needs less time than this. If it needs
 * longer, the next groups wait only for the shorter time, until one gets the lock: a webhook that
 * arrives while a group waits gets its 503 after both, and GitHub waits for 10 s. */
#define BUSY_TIMEOUT_MS 3000
#define BUSY_AGAIN_MS 250

/* The cache has 4 MiB of pages; a larger transaction goes to the WAL before its commit. Every 4 MiB
 * a checkpoint moves the WAL into the file, and commits wait for it: 16 MiB gave no higher rate and
 * made p99 three times as long. A checkpoint shrinks a WAL that grew through large bodies to 64
 * MiB. */
static const char settings[] = "PRAGMA foreign_keys = ON;"
                               "PRAGMA cache_size = -4096;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA wal_autocheckpoint = 1000;"
                               "PRAGMA journal_size_limit = 67108864;";

/* A group */

static sqlite_operation *const operations_of[INBOX_KINDS] = {
    [INBOX_PUT] = sqlite_put,
    [INBOX_CLAIM] = sqlite_claim,
    [INBOX_FINISH] = sqlite_finish,
    [INBOX_FINISH_TIMERS] = sqlite_finish_timers,
    [INBOX_TIMERS_DUE] = sqlite_timers_due,
    [INBOX_FIRE] = sqlite_fire,
    [INBOX_RENEW] = sqlite_renew,
    [INBOX_LEASE_CHECK] = sqlite_lease_check,
    [INBOX_INTEND] = sqlite_intend,
    [INBOX_COMPLETE] = sqlite_complete,
    [INBOX_SET_HAS] = sqlite_set_has,
    [INBOX_SET_ADD] = sqlite_set_add,
    [INBOX_SET_REMOVE] = sqlite_set_remove,
    [INBOX_KEY_GET] = sqlite_key_get,
    [INBOX_KEY_PUT] = sqlite_key_put,
    [INBOX_KEY_DELETE] = sqlite_key_delete,
    [INBOX_RATE_LIMIT_PUT] = sqlite_rate_limit_put,
    [INBOX_RATE_LIMIT_GET] = sqlite_rate_limit_get,
    [INBOX_AUDIT_READ] = sqlite_audit_read,
    [INBOX_RESERVE] = sqlite_reserve,
    [INBOX_BOT_USER_GET] = sqlite_bot_user_get,
    [INBOX_BOT_USER_PUT] = sqlite_bot_user_put,
    [INBOX_HOST_SEEN] = sqlite_host_seen,
    [INBOX_HOSTS] = sqlite_hosts,
    [INBOX_HOLD_PUT] = sqlite_hold_put,
    [INBOX_HOLD_END] = sqlite_hold_end,
    [INBOX_HOLDS] = sqlite_holds,
    [INBOX_PULL_BEGIN] = sqlite_pull_begin,
    [INBOX_PULL_NOTE] = sqlite_pull_note,
    [INBOX_PULL_DUE] = sqlite_pull_due,
    [INBOX_PULL_FAIL] = sqlite_pull_fail,
    [INBOX_PULL_FORGET] = sqlite_pull_forget,
    [INBOX_STATS] = sqlite_stats,
    [INBOX_LIST] = sqlite_list,
    [INBOX_BODY] = sqlite_body,
    [INBOX_JOURNAL_READ] = sqlite_journal_read,
    [INBOX_RERUN] = sqlite_rerun,
    [INBOX_DISCARD] = sqlite_discard,
    [INBOX_INSTALLATIONS] = sqlite_installations,
    [INBOX_INSTALLATION_RELEASE] = sqlite_installation_release,
    [INBOX_PREVIEW] = sqlite_preview,
    [INBOX_PREVIEW_APPLY] = sqlite_preview_apply,
    [INBOX_SEARCH] = sqlite_console,
    [INBOX_SHOW] = sqlite_console,
    [INBOX_TIMELINE] = sqlite_console,
    [INBOX_FAILURES] = sqlite_console,
    [INBOX_SERIES] = sqlite_console,
    [INBOX_DIGEST] = sqlite_console,
    [INBOX_PLUGINS] = sqlite_console,
    [INBOX_RECOVERY] = sqlite_console,
    [INBOX_ACTION_PUT] = sqlite_console,
    [INBOX_ACTIONS] = sqlite_console,
    [INBOX_ELECT] = sqlite_elect,
    [INBOX_PRUNE] = sqlite_prune,
    [INBOX_FIND_MISSING] = sqlite_find_missing,
    [INBOX_COUNT_REDELIVERY] = sqlite_count_redelivery,
    [INBOX_UNCOUNT_REDELIVERY] = sqlite_uncount_redelivery,
    [INBOX_CLOCK_SET_BACK] = sqlite_clock_set_back,
};

static int perform(struct sqlite_store *store, struct inbox_operation *operation,
                   struct error *err) {
    if (operation_check(operation, err) < 0) {
        store->broken = false;
        return -1;
    }
    return operations_of[operation->kind](store, operation, err);
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
        run(store, SQL_ROLLBACK, NULL, "rolling back");
    }
}

static int fail_replaced(struct error *err, const char *path, const char *what) {
    return error_set(err,
                     "%s was %s while the host has it open, so that nothing stored now would last: "
                     "put the file back (or restore a backup) and restart the host",
                     path, what);
}

/* Asks for the identity only. A stat() would ask for the times too, and since Linux 6.13 a file
 * whose times were read gets a new time at its next write: each commit would write the log's inode.
 */
static int identify(int directory_fd, const char *path, int flags, struct file_identity *identity) {
    struct statx found;
    if (statx(directory_fd, path, flags, STATX_INO, &found) < 0) {
        return -1;
    }
    *identity = (struct file_identity){.inode = found.stx_ino,
                                       .device_major = found.stx_dev_major,
                                       .device_minor = found.stx_dev_minor};
    return 0;
}

static bool is_same(const struct file_identity *a, const struct file_identity *b) {
    return a->inode == b->inode && a->device_major == b->device_major &&
           a->device_minor == b->device_minor;
}

/* Detects that the file was deleted or replaced: its commits would be lost. */
static int check_in_place(struct sqlite_store *store, struct error *err) {
    struct file_identity there;
    if (!store->path) {
        return 0;
    }
    assert(store->file.inode != 0);
    if (identify(AT_FDCWD, store->path, 0, &there) < 0) {
        return fail_replaced(err, store->path, "deleted");
    }
    if (!is_same(&there, &store->file)) {
        return fail_replaced(err, store->path, "replaced");
    }
    if (identify(AT_FDCWD, store->wal_path, 0, &there) < 0) {
        return store->wal.inode == 0 ? 0 : fail_replaced(err, store->wal_path, "deleted");
    }
    if (store->wal.inode == 0) {
        store->wal = there;
    }
    return is_same(&there, &store->wal) ? 0 : fail_replaced(err, store->wal_path, "replaced");
}

static int begin(struct sqlite_store *store, struct error *err) {
    if (!store->tool) {
        sqlite3_busy_timeout(store->db, store->locked ? BUSY_AGAIN_MS : BUSY_TIMEOUT_MS);
    }
    store->locked = false;
    if (run(store, SQL_BEGIN, err, "beginning a transaction") < 0) {
        store->locked = sqlite3_errcode(store->db) == SQLITE_BUSY;
        roll_back(store);
        return -1;
    }
    return 0;
}

static int transact(struct store *base, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure) {
    struct sqlite_store *store = CONTAINER_OF(base, struct sqlite_store, store);
    failure->failed_index = STORE_NO_OPERATION;
    failure->broken = true;
    if (check_in_place(store, &failure->error) < 0) {
        return -1;
    }
    if (begin(store, &failure->error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        operations[i]->result = perform(store, operations[i], &failure->error);
        if (operations[i]->result < 0) {
            failure->failed_index = i;
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
    return check_in_place(store, &failure->error);
}

/* Opening and closing */

static void store_free(struct store *base) {
    struct sqlite_store *store = CONTAINER_OF(base, struct sqlite_store, store);
    for (size_t i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
    }
    if (store->db && !store->tool) {
        /* The next opening moves the pages that this checkpoint cannot move. */
        sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    sqlite3_close(store->db);
    cleanup_close(&store->lock_fd);
    turns_finish(&store->turns);
    effect_rooms_finish(&store->rooms);
    free(store->path);
    free(store->wal_path);
    free(store);
}

/* The pages of the cache. */
static void release_memory(struct store *base) {
    sqlite3_db_release_memory(CONTAINER_OF(base, struct sqlite_store, store)->db);
}

static const struct store_methods methods = {
    .transact = transact, .release_memory = release_memory, .free = store_free};

/* A store without a connection. NULL: no memory. */
static struct sqlite_store *new_store(bool tool) {
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (store) {
        store->store.methods = &methods;
        store->lock_fd = -1;
        store->tool = tool;
        effect_rooms_init(&store->rooms);
    }
    return store;
}

static int check_path(const char *path, struct error *err) {
    return path[0] && strcmp(path, ":memory:") != 0
               ? 0
               : error_set(err, "an inbox in memory would lose deliveries: name a file");
}

/* The file exists. */
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

/* Creates the file so that only this user can read it, and locks it against other hosts. */
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
    if (identify(store->lock_fd, "", AT_EMPTY_PATH, &store->file) < 0) {
        return error_set(err, "cannot read its inode: %s", strerror(errno));
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) {
            return error_set(err, "cannot lock it: %s", strerror(errno));
        }
        error_set(err,
                  "another snekomatic is using it: stop that host (`fuser` shows its process), or "
                  "set another store.url for this one");
        return error_mark_transient(err);
    }
    store->path = realpath(path, NULL);
    if (!store->path || asprintf(&store->wal_path, "%s-wal", store->path) < 0) {
        store->wal_path = NULL;
        return error_set(err, "out of memory");
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
        sqlite_error(store->db, err, pragma);
    } else {
        const char *got = (const char *)sqlite3_column_text(statement, 0);
        if (got && strcmp(got, wanted) == 0) {
            result = 0;
        } else {
            error_set(err, "%s gives %s, not %s: %s", pragma, got ? got : "nothing", wanted, why);
        }
    }
    sqlite3_finalize(statement);
    return result;
}

static int apply_settings(struct sqlite_store *store, struct error *err) {
    static const char loses[] =
        "a power failure could lose deliveries that the host confirmed to GitHub";
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

/* Prepares what each group needs and what must not fail later: the rollback. All 170 others would
 * take more than half of the host's start; query_begin() prepares each at its first use. */
static int prepare(struct sqlite_store *store, struct error *err) {
    static const enum sqlite_sql now[] = {SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_PROBE};
    for (size_t i = 0; i < ARRAY_LENGTH(now); i++) {
        if (sqlite_prepare(store, now[i]) != SQLITE_OK) {
            return sqlite_error(store->db, err, sqlite_statements[now[i]]);
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
    return sqlite_add_functions(store->db) == SQLITE_OK
               ? 0
               : sqlite_error(store->db, err, "opening it");
}

static int open_store(struct sqlite_store *store, const char *path, int64_t now_ms,
                      struct error *err) {
    if (lock_file(store, path, err) < 0 || open_file(store, path, err) < 0) {
        return -1;
    }
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    if (sqlite_check_identity(store->db, err) < 0 || apply_settings(store, err) < 0 ||
        sqlite_migrate(store->db, now_ms, err) < 0 || sqlite_compare_schema(store->db, err) < 0 ||
        sqlite_find_adopted(store->db, &store->adopted, err) < 0 || prepare(store, err) < 0) {
        return -1;
    }
    return sqlite_recover(store, now_ms, err);
}

/* The host makes many short commits. A tool waits longer, so that it gets its turn between them. */
#define TOOL_BUSY_TIMEOUT_MS 30000

static int open_tool(struct sqlite_store *store, const char *path, bool write, struct error *err) {
    if (access(path, F_OK) < 0) {
        return error_set(err, "%s; the host makes it when it first starts", strerror(errno));
    }
    if (open_file(store, path, err) < 0) {
        return -1;
    }
    sqlite3_busy_timeout(store->db, TOOL_BUSY_TIMEOUT_MS);
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
    store->reads_only = !write;
    return prepare(store, err);
}

int sqlite_open_tool(const char *path, bool write, struct store **store, struct error *err) {
    struct sqlite_store *made = new_store(true);
    if (!made) {
        return error_set(err, "opening the inbox: out of memory");
    }
    if (open_tool(made, path, write, err) < 0) {
        store_free(&made->store);
        return error_wrap(err, "the inbox %s", path);
    }
    *store = &made->store;
    return 0;
}

/* Checks that a file can be made in the directory of `path`, by making a temporary one: access() is
 * not reliable, for example in /proc. */
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
        /* Its file system has no files without a name. */
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0) {
            unlink(name);
        }
    }
    if (fd < 0) {
        return error_set(err, "no file can be made in %s: %s", directory, strerror(errno));
    }
    close(fd);
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
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    return sqlite_check_schema(store->db, err);
}

int sqlite_check(const char *path, struct error *err) {
    struct sqlite_store *store = new_store(true);
    if (!store) {
        return error_set(err, "looking at the inbox: out of memory");
    }
    int result = check_file(store, path, err);
    store_free(&store->store);
    return result < 0 ? error_wrap(err, "the inbox %s", path) : 0;
}

int sqlite_open(const char *path, int64_t now_ms, struct store **store, struct error *err) {
    struct sqlite_store *made = new_store(false);
    if (!made) {
        return error_set(err, "opening the inbox: out of memory");
    }
    if (open_store(made, path, now_ms, err) < 0) {
        store_free(&made->store);
        return error_wrap(err, "the inbox %s", path);
    }
    *store = &made->store;
    return 0;
}
