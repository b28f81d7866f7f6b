/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inbox's contract on SQLite, and what only a file has: its settings, its mode, its rejections,
 * a disk that is full. */
#include "inbox_contract.h"

#include "base/clock.h"
#include "inbox/sqlite/query.h"
#include "inbox/sqlite/sqlite.h"
#include "inbox/sqlite/statements.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char directory[64], file[96];
};

static void *make(void) {
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/snek-inbox-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->file, sizeof place->file, "%s/inbox.db", place->directory);
    return place;
}

static void remove_place(void *data) {
    struct place *place = data;
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char path[sizeof place->file + 16];
        (void)snprintf(path, sizeof path, "%s%s", place->file, ends[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
    free(place);
}

static int open_file(const char *path, int64_t now_ms, struct inbox **inbox, struct error *err) {
    char url[128];
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    return inbox_open(url, now_ms, inbox, err);
}

static int open_tool(const char *path, bool write, struct inbox **inbox, struct error *err) {
    char url[128];
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    return inbox_open_tool(url, write, inbox, err);
}

static int open_place(void *data, int64_t now_ms, struct inbox **inbox, struct error *err) {
    return open_file(((struct place *)data)->file, now_ms, inbox, err);
}

static int64_t query(void *data, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(((struct place *)data)->file, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int code = sqlite3_step(statement);
    int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

static void poison(void *data, const char *text) {
    static const char *const events[] = {"INSERT ON deliveries WHEN NEW.guid",
                                         "UPDATE ON journal WHEN NEW.message"};
    for (size_t i = 0; i < 2; i++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql,
                       "CREATE TRIGGER poison%zu BEFORE %s = '%s'"
                       " BEGIN SELECT RAISE(ABORT, 'poisoned'); END",
                       i, events[i], text);
        (void)query(data, sql);
    }
}

static const struct contract_store sqlite = {
    .make = make, .remove = remove_place, .open = open_place, .query = query, .poison = poison};

static const char *file_of(const struct fixture *fixture) {
    return ((const struct place *)fixture->place)->file;
}

static off_t size_of(const struct fixture *fixture, const char *end) {
    char path[128];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s%s", file_of(fixture), end);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

/* The store at `path` does not open, and says so with `words`. */
static void expect_rejection(const char *path, const char *words) {
    struct inbox *inbox = NULL;
    struct error err = {.text = ""};
    assert_int_equal(open_file(path, FIXTURE_NOW, &inbox, &err), -1);
    assert_null(inbox);
    if (!strstr(err.text, words) || !strstr(err.text, path)) {
        fail_msg("\"%s\" is not in: %s", words, err.text);
    }
}

static void the_file_is_for_our_eyes_only_and_says_whose_it_is(void **state) {
    struct fixture *fixture = *state;
    static const char *const ends[] = {"", "-wal"};
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        struct stat status;
        (void)snprintf(path, sizeof path, "%s%s", file_of(fixture), ends[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
    assert_int_equal(query(fixture->place, "PRAGMA application_id"), 0x736e656b);
    assert_int_equal(query(fixture->place, "SELECT max(version) FROM schema_migrations"), 1);
}

static void the_log_is_gone_when_the_store_is_closed(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_true(size_of(fixture, "-wal") > 0);
    fixture_close(fixture);
    assert_true(size_of(fixture, "-wal") <= 0);
}

static void reads_write_nothing(void **state) {
    struct fixture *fixture = *state;
    off_t before = size_of(fixture, "-wal");
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 0);
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(size_of(fixture, "-wal"), before);
}

static void a_second_host_on_the_file_is_rejected(void **state) {
    struct fixture *fixture = *state;
    expect_rejection(file_of(fixture), "another snekomatic is using it");
    struct inbox_put put = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
}

static void a_place_where_no_file_can_be_is_rejected(void **state) {
    (void)state;
    expect_rejection("/nonexistent-directory/inbox.db", "No such file or directory");
    expect_rejection("/tmp", "Is a directory");
    expect_rejection("/dev/null", "not a regular file");
    expect_rejection(":memory:", "name a file");
    expect_rejection("", "name a file");
}

static void a_file_that_is_no_database_is_rejected_and_left_alone(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    static const char text[] = "This is a letter to grandmother, not a database. "
                               "It is long enough to hold a header, were it one. Love, Mona.";
    FILE *file = fopen(file_of(fixture), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    assert_int_equal(fclose(file), 0);
    expect_rejection(file_of(fixture), "file is not a database");
    char back[sizeof text];
    file = fopen(file_of(fixture), "r");
    assert_non_null(file);
    assert_int_equal(fread(back, 1, sizeof back, file), sizeof back);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(back, text, sizeof text);
}

static void the_database_of_another_application_is_rejected_and_left_alone(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    remove_place(fixture->place);
    fixture->place = make();
    (void)query(fixture->place, "CREATE TABLE recipes (name TEXT)");
    expect_rejection(file_of(fixture), "of another application");
    (void)query(fixture->place, "DROP TABLE recipes");
    (void)query(fixture->place, "PRAGMA application_id = 77");
    expect_rejection(file_of(fixture), "of another application");
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM sqlite_schema"), 0);
}

static void a_newer_schema_is_rejected(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "INSERT INTO schema_migrations VALUES (2, '0002_future', 0)");
    expect_rejection(file_of(fixture),
                     "its schema is version 2, and this snekomatic knows up to 1");
    (void)query(fixture->place, "DELETE FROM schema_migrations WHERE version = 1");
    expect_rejection(file_of(fixture), "version 2");
    (void)query(fixture->place, "UPDATE schema_migrations SET version = 1");
    fixture_open(fixture, FIXTURE_NOW);
}

static void a_tampered_schema_is_rejected_with_the_place(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *tamper, *fix, *place;
    } cases[] = {
        {"ALTER TABLE runs ADD COLUMN colour TEXT", "ALTER TABLE runs DROP COLUMN colour",
         "table runs, column colour: not expected"},
        {"ALTER TABLE runs RENAME COLUMN label TO etiquette",
         "ALTER TABLE runs RENAME COLUMN etiquette TO label",
         "table runs, column etiquette: not expected"},
        {"CREATE TABLE extra (a INTEGER)", "DROP TABLE extra",
         "table extra, column a: not expected"},
        {"CREATE VIEW extra AS SELECT 1", "DROP VIEW extra", "view extra: not expected"},
        {"CREATE TRIGGER extra AFTER DELETE ON runs BEGIN SELECT 1; END", "DROP TRIGGER extra",
         "trigger extra: not expected"},
        {"DROP INDEX runs_dead",
         "CREATE INDEX runs_dead ON runs (finished_ms, id, plugin, state)\n WHERE state = 'dead'",
         "index runs_dead: missing"},
        {"ALTER TABLE plugin_keys RENAME TO plugin_kees",
         "ALTER TABLE plugin_kees RENAME TO plugin_keys",
         "table plugin_kees, column name: not expected"},
    };
    fixture_close(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)query(fixture->place, cases[i].tamper);
        expect_rejection(file_of(fixture), cases[i].place);
        (void)query(fixture->place, cases[i].fix);
    }
    (void)query(fixture->place, "DROP TABLE plugin_keys");
    (void)query(fixture->place,
                "CREATE TABLE plugin_keys (plugin TEXT NOT NULL, scope TEXT NOT NULL,"
                " name TEXT NOT NULL, value TEXT NOT NULL,"
                " PRIMARY KEY (plugin, scope, name)) STRICT");
    expect_rejection(file_of(fixture), "table plugin_keys, column value: is \"TEXT NOT NULL\","
                                       " expected \"BLOB NOT NULL\"");
    (void)query(fixture->place, "DROP TABLE plugin_keys");
    (void)query(fixture->place,
                "CREATE TABLE plugin_keys (plugin TEXT NOT NULL, scope TEXT NOT NULL,"
                " name TEXT NOT NULL, value BLOB NOT NULL CHECK (value <> ''),"
                " PRIMARY KEY (plugin, scope, name)) STRICT");
    expect_rejection(file_of(fixture), "table plugin_keys: is \"");
}

static void a_table_that_only_looks_like_the_originals_is_rejected(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "CREATE TABLE persistent_set_sent_invitation (login TEXT)");
    expect_rejection(file_of(fixture), "persistent_set_sent_invitation has no key \"entry\"");
}

static void a_large_body_is_never_copied_whole(void **state) {
    struct fixture *fixture = *state;
    size_t bytes = 26214400;
    char *body = calloc(1, bytes);
    assert_non_null(body);
    struct inbox_put put = put_of("guid-1");
    put.body = body;
    put.body_bytes = bytes;
    (void)sqlite3_memory_highwater(1);
    int64_t before = sqlite3_memory_used();
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    inbox_runs_free(claim.runs, claim.n_runs);
    free(body);
    assert_true(before > 0); /* SQLite counts */
    assert_true(sqlite3_memory_highwater(0) - before < 8 << 20);
}

static void runs_that_were_running_are_due_at_the_next_opening(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_claim before = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(before.n_runs, 1);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW + 9000);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 8999);
    assert_int_equal(claim.n_runs, 0);
    assert_int_equal(claim.next_due_ms, FIXTURE_NOW + 9000);
    claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 9000);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 2);
    struct inbox_finish late = finish_of(&before.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &late.operation), INBOX_STALE);
    inbox_runs_free(before.runs, before.n_runs);
    inbox_runs_free(claim.runs, claim.n_runs);
}

/* RLIMIT_FSIZE is a disk that is full: a write past it fails. */
static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_said_and_the_store_goes_on_when_there_is_room(void **state) {
    struct fixture *fixture = *state;
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    size_t bytes = 3 << 20;
    char *body = calloc(1, bytes);
    assert_non_null(body);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct inbox_put puts[3] = {put_of("a"), put_of("b"), put_of("a")};
    for (size_t i = 0; i < 3; i++) {
        puts[i].body = body;
        puts[i].body_bytes = i == 1 ? 100 : bytes;
    }
    limit_files((rlim_t)size_of(fixture, "-wal"));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fixture_do(fixture, &puts[i].operation), -1);
        assert_true(puts[i].operation.error.text[0] != '\0');
        assert_false(inbox_healthy(fixture->inbox));
        /* A read shows that it is still so: it is given something to write. */
        assert_int_equal(fixture_do(fixture, &stats.operation), -1);
        assert_false(inbox_healthy(fixture->inbox));
    }
    limit_files(RLIM_INFINITY);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.queued, 0);
    assert_true(inbox_healthy(fixture->inbox));
    assert_int_equal(fixture_do(fixture, &puts[1].operation), INBOX_STORED);
    assert_int_equal(fixture_do(fixture, &puts[2].operation), INBOX_STORED);
    free(body);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 2);
}

/* -- a tool -- */

static void a_tool_reads_and_writes_beside_the_host(void **state) {
    struct fixture *fixture = *state;
    struct error err = {.text = ""};
    struct inbox *host = fixture->inbox;
    struct inbox_put put = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);

    struct inbox_change discard = {
        .operation = {.kind = INBOX_DISCARD}, .guid = "guid-1", .now_ms = FIXTURE_NOW};
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .most = 10};
    assert_int_equal(open_tool(file_of(fixture), false, &fixture->inbox, &err), 0);
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    assert_string_equal(list.entries[0].state, "running"); /* it was not recovered */
    inbox_entries_free(list.entries, list.n_entries);
    assert_int_equal(fixture_do(fixture, &discard.operation), -1); /* it only looks */
    inbox_free(fixture->inbox);

    assert_int_equal(open_tool(file_of(fixture), true, &fixture->inbox, &err), 0);
    assert_int_equal(fixture_do(fixture, &discard.operation), 0);
    inbox_free(fixture->inbox);
    fixture->inbox = host;
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &end.operation), INBOX_STALE);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void expect_tool_rejection(const struct fixture *fixture, const char *words) {
    struct inbox *inbox = NULL;
    struct error err = {.text = ""};
    assert_int_equal(open_tool(file_of(fixture), true, &inbox, &err), -1);
    if (!strstr(err.text, words) || !strstr(err.text, file_of(fixture))) {
        fail_msg("\"%s\" is not in: %s", words, err.text);
    }
}

static void a_tool_makes_no_store_and_migrates_none(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "UPDATE schema_migrations SET version = 2");
    expect_tool_rejection(fixture, "version 2");
    (void)query(fixture->place, "DELETE FROM schema_migrations");
    expect_tool_rejection(fixture, "it has no tables yet: a host makes them when it starts");
    remove_place(fixture->place);
    fixture->place = make();
    expect_tool_rejection(fixture, "No such file or directory");
    assert_int_equal(access(file_of(fixture), F_OK), -1);
}

/* -- a steady load -- */

static void a_steady_load_with_pruning_does_not_grow_the_file(void **state) {
    enum { DAYS = 30, DELIVERIES = 40 };
    struct fixture *fixture = *state;
    static char body[20000];
    int64_t day_ms = 86400000, pages[DAYS];
    arc4random_buf(body, sizeof body); /* which does not shrink */
    for (int64_t day = 0; day < DAYS; day++) {
        int64_t now_ms = FIXTURE_NOW + day * day_ms;
        for (int i = 0; i < DELIVERIES; i++) {
            char guid[32];
            (void)snprintf(guid, sizeof guid, "guid-%d-%d", (int)day, i);
            struct inbox_put put = put_of(guid);
            put.n_runs = 0;
            put.received_ms = now_ms;
            put.body = body;
            put.body_bytes = sizeof body;
            assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
        }
        struct inbox_prune step = {.operation = {.kind = INBOX_PRUNE},
                                   .done_before_ms = now_ms - 2 * day_ms,
                                   .dead_before_ms = now_ms - 5 * day_ms,
                                   .forget_before_ms = now_ms - 5 * day_ms,
                                   .most = 100,
                                   .most_bytes = 1 << 20};
        do {
            assert_int_equal(fixture_do(fixture, &step.operation), 0);
            step.after = step.next;
        } while (step.more);
        pages[day] = query(fixture->place, "PRAGMA page_count");
    }
    /* Full after some days; from then on what was freed is enough for what comes. */
    assert_true(pages[9] > 3 * pages[0] / 2);
    assert_true(pages[DAYS - 1] <= pages[9] + 2);
}

static void a_locked_file_rejects_the_second_group_soon(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(((struct place *)fixture->place)->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t begun_ms = clock_monotonic_ms();
    assert_int_equal(fixture_do(fixture, &put.operation), -1);
    int64_t first_ms = clock_monotonic_ms() - begun_ms;
    assert_int_equal(fixture_do(fixture, &put.operation), -1);
    int64_t second_ms = clock_monotonic_ms() - begun_ms - first_ms;
    /* A group in progress and the next one together stay far below GitHub's 10 s. */
    assert_true(first_ms >= 3000);
    assert_true(second_ms < 2500);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
}

/* Moves `path` away, and puts `instead` (NULL: nothing) there; puts it back afterwards. */
static void expect_failure_without(struct fixture *fixture, const char *path, const char *instead,
                                   const char *reason) {
    char aside[300];
    snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
    if (instead) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fputs(instead, file) < 0, 0);
        assert_int_equal(fclose(file), 0);
    }
    struct inbox_put put = put_of("lost");
    assert_int_equal(fixture_do(fixture, &put.operation), -1);
    assert_non_null(strstr(put.operation.error.text, reason));
    assert_false(inbox_healthy(fixture->inbox));
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_true(inbox_healthy(fixture->inbox));
}

/* The connection of query() does not enforce foreign keys. */
static void forget_lost(struct fixture *fixture) {
    query(fixture->place, "DELETE FROM runs WHERE delivery IN"
                          " (SELECT id FROM deliveries WHERE guid = 'lost')");
    query(fixture->place, "DELETE FROM deliveries WHERE guid = 'lost'");
}

static void a_file_that_was_deleted_or_replaced_takes_no_delivery(void **state) {
    struct fixture *fixture = *state;
    const char *file = ((struct place *)fixture->place)->file;
    char log[300];
    struct inbox_put put = put_of("before");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    snprintf(log, sizeof log, "%s-wal", file);
    expect_failure_without(fixture, file, NULL, "was deleted");
    forget_lost(fixture);
    expect_failure_without(fixture, file, "another", "was replaced");
    forget_lost(fixture);
    expect_failure_without(fixture, log, NULL, "was deleted");
}

static atomic_uint stats;

/* The host's own calls come here. SQLite's do not, and it makes none for a commit. */
int stat(const char *path, struct stat *status) {
    atomic_fetch_add(&stats, 1);
    return fstatat(AT_FDCWD, path, status, 0);
}

static void a_commit_leaves_the_times_of_its_files_unread(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("first"), next = put_of("next");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    unsigned before = atomic_load(&stats);
    assert_int_equal(fixture_do(fixture, &next.operation), INBOX_STORED);
    assert_int_equal(atomic_load(&stats), before);
}

/* The steps of SQLite's machine that all statements took. */
static atomic_llong steps;

static int note_steps(unsigned what, void *context, void *statement, void *nanoseconds) {
    (void)what, (void)context, (void)nanoseconds;
    atomic_fetch_add(&steps, sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1));
    return 0;
}

static int count_steps(sqlite3 *db, char **message, const struct sqlite3_api_routines *api) {
    (void)message, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, note_steps, NULL);
}

static void make_effect(struct fixture *fixture, const struct inbox_run *run, int number) {
    struct inbox_effect effect = {.plugin = "invite",
                                  .installation = "7",
                                  .delivery = "guid-1",
                                  .sender = "mona",
                                  .item = "",
                                  .per_hour = 10000};
    struct inbox_record record = {.number = number,
                                  .kind = INBOX_EFFECT,
                                  .state = INBOX_INTENDED,
                                  .at_ms = FIXTURE_NOW + number,
                                  .method = (char *)(uintptr_t) "PUT",
                                  .url = (char *)(uintptr_t) "/orgs/o/memberships/mona"};
    const struct inbox_record *records[] = {&record};
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(run, records, 1),
                                  .effect = &effect};
    assert_int_equal(fixture_do(fixture, &intend.operation), 0);
}

static void an_effect_reads_none_of_the_hour_while_there_is_room(void **state) {
    enum { EFFECTS = 20 };
    struct fixture *fixture = *state;
    fixture_close(fixture);
    assert_int_equal(sqlite3_auto_extension((void (*)(void))count_steps), SQLITE_OK);
    fixture_open(fixture, FIXTURE_NOW);
    sqlite3_reset_auto_extension();
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    query(fixture->place,
          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
          " INSERT INTO audit (at_ms, plugin, installation, delivery, sender, item, method, url,"
          " state, counts, status) SELECT (SELECT received_ms FROM deliveries), 'invite', '7',"
          " 'guid-0', '', '', 'PUT', '/', 'completed', TRUE, 200 FROM n");
    make_effect(fixture, &run, 1);
    /* This one had to count. */
    assert_true(atomic_exchange(&steps, 0) > 5000);
    for (int i = 0; i < EFFECTS; i++) {
        make_effect(fixture, &run, 2 + i);
    }
    assert_true(atomic_load(&steps) < EFFECTS * 1000);
    inbox_run_finish(&run);
}

static void claims_order_and_coalescing_use_indexes(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        enum sqlite_sql sql;
        /* In one of the plan's rows. */
        const char *index;
    } all[] = {{SQL_RUN_LOAD, "PRIMARY KEY"},           {SQL_SUSPECT_DUE, "runs_due"},
               {SQL_RUNS_OF_FUTURE, "deliveries_kept"}, {SQL_TURN_NEXT, "runs_turn"},
               {SQL_TURN_OLDEST, "runs_due"},           {SQL_TURN_RUNS, "runs_turn"},
               {SQL_RUN_NEXT_DUE, "runs_due"},          {SQL_ORDER_HOLDER, "runs_holder"},
               {SQL_ORDER_PROMOTE, "runs_holder"},      {SQL_ORDER_PROMOTE, "runs_blocked"},
               {SQL_ORDER_DISPLACE, "runs_holder"},     {SQL_ORDER_JOIN, "PRIMARY KEY"},
               {SQL_ORDER_DUE, "runs_outside"},         {SQL_SUPERSEDE, "runs_coalesce"},
               {SQL_RUN_SUPERSEDED, "runs_coalesce"}};
    sqlite3 *db;
    assert_int_equal(sqlite3_open(((struct place *)fixture->place)->file, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char sql[4096];
        sqlite3_stmt *plan;
        bool found = false;
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", sqlite_statements[all[i].sql]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);
            found = found || strstr(step, all[i].index);
            if (strncmp(step, "SCAN ", 5) == 0) {
                fail_msg("%s: %s", step, sqlite_statements[all[i].sql]);
            }
        }
        if (!found) {
            fail_msg("not by %s: %s", all[i].index, sqlite_statements[all[i].sql]);
        }
        sqlite3_finalize(plan);
    }
    sqlite3_close(db);
}

/* The runs of one installation are found through their plugins. */
static void queued_runs_of_an_installation_are_found_by_their_index(void **state) {
    struct fixture *fixture = *state;
    char sql[4096];
    sqlite3 *db;
    sqlite3_stmt *plan;
    bool found = false;
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s",
             sqlite_statements[SQL_INSTALLATIONS_LIMITED]);
    assert_int_equal(sqlite3_open(((struct place *)fixture->place)->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        found = found || strstr(step, "runs_turn (plugin=? AND suspect=? AND installation=?");
        assert_null(strstr(step, "SCAN r "));
    }
    assert_true(found);
    sqlite3_finalize(plan);
    sqlite3_close(db);
}

/* Does the step read all of a table that grows with the deliveries? The index of a rare state may
 * be read as a whole. */
static bool scans_whole_table(const char *step) {
    static const char *const tables[] = {"deliveries", "runs", "r", "audit", "a", "journal", "j"};
    static const char *const rare[] = {"runs_due",        "runs_blocked", "runs_held",
                                       "runs_leased",     "runs_parked",  "runs_dead",
                                       "journal_in_doubt"};
    if (strncmp(step, "SCAN ", 5) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++) {
        if (strstr(step, rare[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        size_t length = strlen(tables[i]);
        if (strncmp(step + 5, tables[i], length) == 0 &&
            (step[5 + length] == '\0' || step[5 + length] == ' ')) {
            return true;
        }
    }
    return false;
}

/* A subquery of the statement may be named j or r. */
static void expect_indexes(sqlite3 *db, enum sqlite_sql number, bool subquery_j, bool subquery_r) {
    char sql[8192];
    sqlite3_stmt *plan;
    int bytes = snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", sqlite_statements[number]);
    assert_true(bytes < (int)sizeof sql);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        bool subquery = (subquery_j && strcmp(step, "SCAN j") == 0) ||
                        (subquery_r && strcmp(step, "SCAN r") == 0);
        if (scans_whole_table(step) && !subquery) {
            fail_msg("%s: %s", step, sql);
        }
    }
    sqlite3_finalize(plan);
}

static void the_statements_of_the_console_use_indexes(void **state) {
    struct fixture *fixture = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(((struct place *)fixture->place)->file, &db), SQLITE_OK);
    assert_int_equal(sqlite_add_functions(db), SQLITE_OK);
    for (int i = 0; i < CONSOLE_SQL_COUNT; i++) {
        bool in_doubt = i == CONSOLE_SEARCH_IN_DOUBT || i == CONSOLE_END_IN_DOUBT;
        expect_indexes(db, (enum sqlite_sql)(SQL_CONSOLE + i), in_doubt, i == CONSOLE_RECOVERY);
    }
    expect_indexes(db, SQL_STATS, true, true);
    sqlite3_close(db);
}

static struct sqlite_store *open_alone(const struct place *place) {
    struct store *store = NULL;
    struct error err = {.text = ""};
    if (sqlite_open(place->file, FIXTURE_NOW, &store, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return CONTAINER_OF(store, struct sqlite_store, store);
}

static void opening_prepares_few_statements(void **state) {
    struct place *place = make();
    struct sqlite_store *store = open_alone(place);
    int prepared = 0;
    for (sqlite3_stmt *at = sqlite3_next_stmt(store->db, NULL); at;
         at = sqlite3_next_stmt(store->db, at)) {
        prepared++;
    }
    assert_in_range(prepared, 1, SQL_COUNT / 10);
    store->store.methods->free(&store->store);
    remove_place(place);
}

/* Nothing else would find a wrong statement before its first use. */
static void each_statement_can_be_prepared(void **state) {
    struct place *place = make();
    sqlite3 *db;
    assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TABLE persistent_set_sent_invitation"
                                  " (entry TEXT NOT NULL PRIMARY KEY)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    struct sqlite_store *store = open_alone(place);
    assert_true(store->adopted);
    for (int sql = 0; sql < SQL_COUNT; sql++) {
        if (sqlite_prepare(store, sql) != SQLITE_OK) {
            fail_msg("%s: %s", sqlite3_errmsg(store->db), sqlite_statements[sql]);
        }
    }
    store->store.methods->free(&store->store);
    remove_place(place);
}

static void a_statement_that_cannot_be_prepared_fails_only_its_use(void **state) {
    struct place *place = make();
    struct sqlite_store *store = open_alone(place);
    struct error err = {.text = ""};
    int most = sqlite3_limit(store->db, SQLITE_LIMIT_SQL_LENGTH, 1);
    struct query query = query_begin(store, SQL_DELIVERY_BODY);
    query_text(&query, "text");
    assert_int_equal(query_step(&query, &err, "reading"), -1);
    query_end(&query);
    assert_non_null(strstr(err.text, "reading: "));
    (void)sqlite3_limit(store->db, SQLITE_LIMIT_SQL_LENGTH, most);
    query = query_begin(store, SQL_DELIVERY_BODY);
    assert_int_equal(query.code, SQLITE_OK);
    query_end(&query);
    store->store.methods->free(&store->store);
    remove_place(place);
}

int main(int argc, char **argv) {
    const struct contract_store *store = &sqlite;
    const struct CMUnitTest own[] = {
        CONTRACT(a_locked_file_rejects_the_second_group_soon),
        CONTRACT(queued_runs_of_an_installation_are_found_by_their_index),
        CONTRACT(the_statements_of_the_console_use_indexes),
        CONTRACT(the_file_is_for_our_eyes_only_and_says_whose_it_is),
        CONTRACT(the_log_is_gone_when_the_store_is_closed),
        CONTRACT(reads_write_nothing),
        CONTRACT(a_second_host_on_the_file_is_rejected),
        cmocka_unit_test(a_place_where_no_file_can_be_is_rejected),
        cmocka_unit_test(opening_prepares_few_statements),
        cmocka_unit_test(each_statement_can_be_prepared),
        cmocka_unit_test(a_statement_that_cannot_be_prepared_fails_only_its_use),
        CONTRACT(a_file_that_is_no_database_is_rejected_and_left_alone),
        CONTRACT(the_database_of_another_application_is_rejected_and_left_alone),
        CONTRACT(a_newer_schema_is_rejected),
        CONTRACT(a_tampered_schema_is_rejected_with_the_place),
        CONTRACT(a_table_that_only_looks_like_the_originals_is_rejected),
        CONTRACT(a_large_body_is_never_copied_whole),
        CONTRACT(runs_that_were_running_are_due_at_the_next_opening),
        CONTRACT(a_full_disk_is_said_and_the_store_goes_on_when_there_is_room),
        CONTRACT(a_tool_reads_and_writes_beside_the_host),
        CONTRACT(a_tool_makes_no_store_and_migrates_none),
        CONTRACT(a_file_that_was_deleted_or_replaced_takes_no_delivery),
        CONTRACT(a_commit_leaves_the_times_of_its_files_unread),
        CONTRACT(an_effect_reads_none_of_the_hour_while_there_is_room),
        CONTRACT(claims_order_and_coalescing_use_indexes),
        CONTRACT(a_steady_load_with_pruning_does_not_grow_the_file),
    };
    struct CMUnitTest tests[CONTRACT_TESTS_MAX + sizeof own / sizeof *own] = {{0}};
    const char *part = argc > 1 ? argv[1] : NULL;
    size_t n = contract_tests(store, part, tests);
    assert_true(n <= CONTRACT_TESTS_MAX);
    /* cmocka passes over the entries that stay empty. */
    if (contract_has(part, "own")) {
        memcpy(tests + n, own, sizeof own);
    }
    cmocka_set_test_filter(getenv("SNEK_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
