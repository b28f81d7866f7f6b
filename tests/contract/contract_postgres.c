/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The inbox's contract on PostgreSQL, and what only a server has: its settings, its absence, hosts
 * that share it. One server for the whole program, a schema for each test. */
#include "postgres_commits.h"
#include "postgres_place.h"
#include "postgres_plans.h"

#include "base/buffer.h"
#include "inbox/console.h"
#include "inbox/postgres/link.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *url_in(const struct fixture *fixture) {
    return ((const struct place *)fixture->place)->url;
}

static void expect_rejection(const char *url, const char *words) {
    struct inbox *inbox = NULL;
    struct error err = {.text = ""};
    assert_int_equal(inbox_open(url, FIXTURE_NOW, &inbox, &err), -1);
    assert_null(inbox);
    if (!strstr(err.text, words)) {
        fail_msg("\"%s\" is not in: %s", words, err.text);
    }
    if (strstr(err.text, PASSWORD)) {
        fail_msg("the password is in: %s", err.text);
    }
}

static void a_url_that_leads_nowhere_is_rejected_without_its_password(void **state) {
    (void)state;
    char url[256];
    expect_rejection("postgres://snek:" PASSWORD "@[::1/x", "its URL is not one");
    expect_rejection("postgres://snek:" PASSWORD "@h/x?colour=red", "its URL is not one");
    (void)snprintf(url, sizeof url, "postgres://snek:x" PASSWORD "x@127.0.0.1:%d/postgres",
                   server.port);
    expect_rejection(url, "password authentication failed");
    (void)snprintf(url, sizeof url, "postgresql://snek:" PASSWORD "@127.0.0.1:%d/nowhere",
                   server.port);
    expect_rejection(url, "database \"nowhere\" does not exist");
    (void)snprintf(url, sizeof url,
                   "postgres://snek:" PASSWORD "@127.0.0.1:%d/postgres?options=-csearch_path%%3Dno",
                   server.port);
    expect_rejection(url, "none of the schemas");
}

static void tls_is_demanded_of_a_server_elsewhere_unless_the_url_says_otherwise(void **state) {
    struct fixture *fixture = *state;
    char url[320];
    static const struct {
        const char *host, *more, *words;
        /* Reaches the loopback, and is none. */
    } cases[] = {{"0.0.0.0", "", "SSL"},
                 {"db.example", "&hostaddr=0.0.0.0", "SSL"},
                 {"127.0.0.1", "&sslmode=require", "SSL"},
                 {"0.0.0.0", "&sslmode=disable", NULL},
                 {"localhost", "&hostaddr=127.0.0.1", NULL}};
    fixture_close(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(url, sizeof url,
                       "postgres://snek:" PASSWORD "@%s:%d/postgres?options=-csearch_path%%3D%s%s",
                       cases[i].host, server.port, ((struct place *)fixture->place)->schema,
                       cases[i].more);
        if (cases[i].words) {
            expect_rejection(url, cases[i].words);
        } else {
            struct error err;
            if (inbox_open(url, FIXTURE_NOW, &fixture->inbox, &err) < 0) {
                fail_msg("%s", err.text);
            }
            fixture_close(fixture);
        }
    }
}

static void settings_that_void_the_promise_are_rejected(void **state) {
    (void)state;
    static const struct {
        char setting[32];
        const char *words;
    } cases[] = {{"fsync=off", "fsync = off"}, {"full_page_writes=off", "full_page_writes = off"}};
    for (size_t i = 0; i < 2; i++) {
        struct server unsafe;
        char url[256], setting[32];
        char *const settings[] = {setting, NULL};
        memcpy(setting, cases[i].setting, sizeof setting);
        start_server(&unsafe, settings);
        url_of(url, unsafe.port, "public");
        expect_rejection(url, cases[i].words);
        assert_int_equal(query_at(url, "SELECT count(*) FROM pg_class WHERE relname = 'runs'"), 0);
        stop_server(&unsafe);
    }
}

static void commits_last_although_the_servers_default_is_that_they_need_not(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "ALTER ROLE snek SET synchronous_commit = off");
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM pg_settings WHERE name ="
                                           " 'synchronous_commit' AND setting = 'off'"),
                     1);
    fixture_open(fixture, FIXTURE_NOW);
    /* Only the session knows its own setting; a trigger in it tells. */
    (void)query(fixture->place,
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " NEW.sender := current_setting('synchronous_commit'); RETURN NEW; END $$;"
                "CREATE TRIGGER note BEFORE INSERT ON deliveries FOR EACH ROW"
                " EXECUTE FUNCTION note()");
    struct inbox_put put = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries WHERE sender = 'on'"),
                     1);
    (void)query(fixture->place, "ALTER ROLE snek RESET synchronous_commit");
}

static void a_newer_schema_is_rejected(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "INSERT INTO schema_migrations VALUES (2, '0002_future', 0)");
    expect_rejection(url_in(fixture), "its schema is version 2, and this snekomatic knows up to 1");
    (void)query(fixture->place, "DELETE FROM schema_migrations WHERE version = 1");
    expect_rejection(url_in(fixture), "version 2");
    (void)query(fixture->place, "UPDATE schema_migrations SET version = 1");
    fixture_open(fixture, FIXTURE_NOW);
}

static void a_tampered_schema_is_rejected_with_the_place(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *tamper, *fix, *place;
    } cases[] = {
        {"ALTER TABLE runs ADD COLUMN colour text", "ALTER TABLE runs DROP COLUMN colour",
         "table runs, column colour: not expected"},
        {"ALTER TABLE runs RENAME COLUMN label TO zlabel",
         "ALTER TABLE runs RENAME COLUMN zlabel TO label", "table runs, column label: missing"},
        {"ALTER TABLE runs ALTER COLUMN label DROP NOT NULL",
         "ALTER TABLE runs ALTER COLUMN label SET NOT NULL",
         "table runs, column label: is \"text default"},
        {"ALTER TABLE deliveries ALTER COLUMN body SET STORAGE EXTENDED",
         "ALTER TABLE deliveries ALTER COLUMN body SET STORAGE EXTERNAL",
         "table deliveries, column body: is \"bytea storage x\", expected"},
        {"DROP INDEX runs_dead",
         "CREATE INDEX runs_dead ON runs (finished_ms, id, plugin) WHERE state = 'dead'",
         "index runs_dead: missing"},
        {"CREATE INDEX extra ON runs (label)", "DROP INDEX extra", "index extra: not expected"},
        {"ALTER TABLE runs DROP CONSTRAINT runs_delivery_fkey",
         "ALTER TABLE runs ADD FOREIGN KEY (delivery) REFERENCES deliveries (id) ON DELETE CASCADE",
         "table runs, constraint runs_delivery_fkey: missing"},
        {"CREATE TRIGGER extra BEFORE UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION"
         " suppress_redundant_updates_trigger()",
         "DROP TRIGGER extra ON runs", "trigger extra: not expected"},
        {"ALTER TABLE plugin_keys SET UNLOGGED", "ALTER TABLE plugin_keys SET LOGGED",
         "table plugin_keys: is \"unlogged\""},
        {"ALTER TABLE plugin_keys RENAME TO plugin_kees",
         "ALTER TABLE plugin_kees RENAME TO plugin_keys",
         "table plugin_keys, column name: missing"},
    };
    fixture_close(fixture);
    (void)query(fixture->place, "CREATE TABLE recipes (name text)"); /* another's; left alone */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)query(fixture->place, cases[i].tamper);
        expect_rejection(url_in(fixture), cases[i].place);
        (void)query(fixture->place, cases[i].fix);
    }
    fixture_open(fixture, FIXTURE_NOW);
}

static void a_table_of_another_application_is_rejected_and_left_alone(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    remove_place(fixture->place);
    fixture->place = make();
    (void)query(fixture->place, "CREATE TABLE runs (name text)");
    expect_rejection(url_in(fixture), "relation \"runs\" already exists");
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM pg_class WHERE relnamespace ="
                                           " current_schema()::regnamespace"),
                     1);
}

static void a_table_that_only_looks_like_the_originals_is_rejected(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "CREATE TABLE persistent_set_sent_invitation (entry varchar)");
    expect_rejection(url_in(fixture), "persistent_set_sent_invitation has no key \"entry\"");
}

/* Text that PostgreSQL would reject */

static void text_of_strangers_that_is_no_utf8_does_not_cost_the_delivery(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    put.sender = "m\xFFna\xC3";
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_string_equal(claim.runs[0].sender, "m\xEF\xBF\xBDna\xEF\xBF\xBD");
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DEAD);
    end.reason = "it said \xFE";
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    struct inbox_plugin_state item = {.operation = {.kind = INBOX_SET_ADD},
                                      .plugin = "invite",
                                      .scope = "",
                                      .set = "s",
                                      /* A key must not become another one. */
                                      .name = "\xFF"};
    assert_int_equal(fixture_do(fixture, &item.operation), -1);
    assert_true(inbox_healthy(fixture->inbox));
}

/* Hosts that share it */

enum { HOSTS = 3 };

struct starter {
    const char *url;
    pthread_t thread;
    struct inbox *inbox;
    struct error err;
    int result;
};

static void *start(void *argument) {
    struct starter *starter = argument;
    starter->result = inbox_open(starter->url, FIXTURE_NOW, &starter->inbox, &starter->err);
    return NULL;
}

static void three_hosts_start_together_on_an_empty_database(void **state) {
    struct fixture *fixture = *state;
    for (unsigned round = 0; round < 5; round++) {
        struct starter starters[HOSTS];
        fixture_close(fixture);
        remove_place(fixture->place);
        fixture->place = make();
        for (size_t i = 0; i < HOSTS; i++) {
            starters[i] = (struct starter){.url = url_in(fixture)};
            assert_int_equal(pthread_create(&starters[i].thread, NULL, start, &starters[i]), 0);
        }
        for (size_t i = 0; i < HOSTS; i++) {
            (void)pthread_join(starters[i].thread, NULL);
        }
        for (size_t i = 0; i < HOSTS; i++) {
            if (starters[i].result < 0) {
                fail_msg("%s", starters[i].err.text);
            }
            inbox_free(starters[i].inbox);
        }
        assert_int_equal(query(fixture->place, "SELECT count(*) FROM schema_migrations"), 1);
    }
}

/* Another host on the fixture's place; free with leave(). */
static struct fixture *join(struct fixture *fixture) {
    struct fixture *other = calloc(1, sizeof *other);
    assert_non_null(other);
    other->store = fixture->store;
    other->place = fixture->place;
    assert_int_equal(mailbox_init(&other->mailbox), 0);
    fixture_open(other, FIXTURE_NOW);
    return other;
}

static void leave(struct fixture *other) {
    fixture_close(other);
    mailbox_finish(&other->mailbox);
    free(other);
}

static void a_run_that_another_host_holds_is_not_claimed(void **state) {
    struct fixture *fixture = *state, *other = join(fixture);
    struct inbox_put put = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    struct inbox_claim none = fixture_claim(other, "invite", FIXTURE_NOW);
    assert_int_equal(none.n_runs, 0);
    leave(other);
    /* Nor does a host that starts take it for its own. */
    other = join(fixture);
    none = fixture_claim(other, "invite", FIXTURE_NOW);
    assert_int_equal(none.n_runs, 0);
    leave(other);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_row_that_another_session_has_locked_is_passed_over(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        struct inbox_put put = put_of(guids[i]);
        put.due_ms = FIXTURE_NOW + (int64_t)i;
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    }
    /* A host that stopped within a transaction. */
    PGconn *stopped = PQconnectdb(url_in(fixture));
    PQclear(PQexec(stopped, "BEGIN"));
    PQclear(PQexec(stopped, "SELECT * FROM runs ORDER BY id LIMIT 1 FOR UPDATE"));
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 1);
    assert_int_equal(claim.n_runs, 1);
    assert_string_equal(claim.runs[0].guid, "b");
    inbox_runs_free(claim.runs, claim.n_runs);
    claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 1);
    assert_int_equal(claim.n_runs, 0);
    assert_int_equal(claim.next_due_ms,
                     /* Not at once: it would turn in circles. */
                     FIXTURE_NOW + 101);
    PQclear(PQexec(stopped, "ROLLBACK"));
    PQfinish(stopped);
    claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 1);
    assert_int_equal(claim.n_runs, 1);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void one_guid_at_two_hosts_at_once_is_stored_once(void **state) {
    enum { N = 200 };
    struct fixture *fixture = *state, *other = join(fixture);
    struct inbox_put *puts = calloc(2 * N, sizeof *puts);
    char guids[N][16];
    assert_non_null(puts);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "guid-%zu", i);
        puts[i] = puts[N + i] = put_of(guids[i]);
        fixture_submit(fixture, &puts[i].operation);
        fixture_submit(other, &puts[N + i].operation);
    }
    fixture_wait(fixture, N);
    fixture_wait(other, N);
    fixture_put_again(fixture, puts, N);
    fixture_put_again(other, puts + N, N);
    for (size_t i = 0; i < N; i++) {
        int a = puts[i].operation.result, b = puts[N + i].operation.result;
        if (!((a == INBOX_STORED && b == INBOX_DUPLICATE) ||
              (a == INBOX_DUPLICATE && b == INBOX_STORED))) {
            fail_msg("%s: %d and %d: %s%s", guids[i], a, b, puts[i].operation.error.text,
                     puts[N + i].operation.error.text);
        }
    }
    free(puts);
    leave(other);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM runs"), N);
}

static void on_queued(void *context) {
    atomic_store((atomic_bool *)context, true);
}

/* A host that drains gives its runs back, and they keep their due times. */
static void a_claim_finds_an_old_run_that_another_host_has_just_queued(void **state) {
    static atomic_bool listens;
    struct fixture *fixture = *state, *other = join(fixture);
    inbox_listen(fixture->inbox, on_queued, &listens);
    while (!atomic_load(&listens)) {
        (void)usleep(2000);
    }
    struct inbox_run run = fixture_put_and_claim(other, "guid-1");
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 30000);
    struct inbox_finish requeue = finish_of(&run, INBOX_REQUEUE);
    requeue.due_ms = FIXTURE_NOW;
    requeue.now_ms = FIXTURE_NOW + 30000;
    assert_int_equal(fixture_do(other, &requeue.operation), 0);
    for (int i = 0; i < 2000 && claim.n_runs == 0; i++) {
        (void)usleep(5000);
        assert_int_equal(fixture_claim(other, "none", FIXTURE_NOW).n_runs, 0);
        claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 30000);
    }
    assert_int_equal(claim.n_runs, 1);
    inbox_runs_free(claim.runs, claim.n_runs);
    inbox_run_finish(&run);
    leave(other);
}

/* SQLite has one writer at a time. */
static void two_hosts_that_digest_at_once_sum_a_delivery_once(void **state) {
    struct fixture *fixture = *state, *other = join(fixture);
    for (int n = 1; n <= 2; n++) {
        struct inbox_put put = put_of(n == 1 ? "a" : "b");
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
        struct inbox_digest here = {{.kind = INBOX_DIGEST}, FIXTURE_NOW + INBOX_DIGEST_DELAY_MS};
        struct inbox_digest there = here;
        /* Both read the place before either one moves it. */
        PGconn *third = PQconnectdb(url_in(fixture));
        PQclear(PQexec(third, "BEGIN; LOCK TABLE series_place IN SHARE MODE"));
        fixture_submit(fixture, &here.operation);
        fixture_submit(other, &there.operation);
        while (query(fixture->place, "SELECT count(*) FROM pg_locks WHERE NOT granted") < 2) {}
        PQfinish(third);
        fixture_wait(fixture, 1);
        fixture_wait(other, 1);
        assert_true(here.operation.result == 0 && there.operation.result == 0);
        assert_int_equal(query(fixture->place, "SELECT max(count) FROM series"), n);
    }
    leave(other);
}

static void one_host_is_elected_until_its_lease_lapses(void **state) {
    struct fixture *fixture = *state, *other = join(fixture);
    struct inbox_elect ours = {.operation = {.kind = INBOX_ELECT}, .host = 1, .lease_ms = 300};
    struct inbox_elect theirs = {
        .operation = {.kind = INBOX_ELECT}, .host = 2, .lease_ms = 3600000};
    int64_t until_ms = clock_monotonic_ms() + 60000, from_ms = clock_monotonic_ms();
    assert_int_equal(fixture_do(fixture, &ours.operation), 1);
    assert_int_equal(fixture_do(fixture, &ours.operation), 1);
    while (fixture_do(other, &theirs.operation) == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        (void)usleep(2000);
    }
    assert_true(clock_monotonic_ms() - from_ms >= 300);
    assert_int_equal(fixture_do(fixture, &ours.operation), 0);
    assert_int_equal(fixture_do(other, &theirs.operation), 1);
    leave(other);
}

static void the_end_of_the_elected_hosts_session_elects_another_at_once(void **state) {
    struct fixture *fixture = *state, *other = join(fixture);
    struct inbox_elect ours = {.operation = {.kind = INBOX_ELECT}, .host = 1, .lease_ms = 3600000};
    struct inbox_elect theirs = {
        .operation = {.kind = INBOX_ELECT}, .host = INT64_MAX - 1, .lease_ms = 3600000};
    int64_t until_ms = clock_monotonic_ms() + 60000;
    assert_int_equal(fixture_do(other, &theirs.operation), 1);
    assert_int_equal(fixture_do(other, &theirs.operation), 1);
    assert_int_equal(fixture_do(fixture, &ours.operation), 0);
    leave(other);
    while (fixture_do(fixture, &ours.operation) == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        (void)usleep(2000);
    }
}

static const char end_elected_session[] =
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks l WHERE locktype = 'advisory'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND objid = 7 AND classid = 0";

static void a_lost_connection_alone_elects_no_other_host(void **state) {
    struct fixture *fixture = *state, *other = join(fixture);
    struct inbox_elect ours = {.operation = {.kind = INBOX_ELECT}, .host = 7, .lease_ms = 3600000};
    struct inbox_elect theirs = {
        .operation = {.kind = INBOX_ELECT}, .host = 2, .lease_ms = 3600000};
    assert_int_equal(fixture_do(fixture, &ours.operation), 1);
    assert_int_equal(query(fixture->place, end_elected_session), 1);
    /* Any operation connects again. */
    struct inbox_put put = put_of("a");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_int_equal(fixture_do(other, &theirs.operation), 0);
    /* Without a new connection the host is as good as gone. */
    assert_int_equal(query(fixture->place, end_elected_session), 1);
    assert_int_equal(fixture_do(other, &theirs.operation), 1);
    assert_int_equal(fixture_do(fixture, &ours.operation), 0);
    leave(other);
}

/* A pooler keeps sessions for longer or shorter than hosts live, and shares them. libpq gets
 * another number of the backend from it than the server's. */
static void behind_a_pooler_the_lease_alone_elects(void **state) {
    struct fixture *fixture = *state;
    struct place *place = fixture->place;
    size_t bytes = strlen(place->url);
    query(place, "CREATE FUNCTION pg_backend_pid() RETURNS integer LANGUAGE sql AS 'SELECT 1'");
    fixture_close(fixture);
    (void)snprintf(place->url + bytes, sizeof place->url - bytes, "%%2Cpg_catalog");
    fixture_open(fixture, FIXTURE_NOW);
    struct fixture *other = join(fixture);
    struct inbox_elect ours = {.operation = {.kind = INBOX_ELECT}, .host = 7, .lease_ms = 3600000};
    struct inbox_elect theirs = {
        .operation = {.kind = INBOX_ELECT}, .host = 2, .lease_ms = 3600000};
    assert_int_equal(fixture_do(fixture, &ours.operation), 1);
    assert_int_equal(query(place, "SELECT session_lock FROM elections WHERE name = 'maintenance'"),
                     0);
    assert_int_equal(query(place, end_elected_session), 0);
    query(place, "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                 " WHERE application_name = 'snekomatic'");
    assert_int_equal(fixture_do(other, &theirs.operation), 0);
    assert_int_equal(fixture_do(fixture, &ours.operation), 1);
    leave(other);
    place->url[bytes] = '\0';
}

/* A tool */

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
    assert_int_equal(inbox_open_tool(url_in(fixture), false, &fixture->inbox, &err), 0);
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    assert_string_equal(list.entries[0].state, "running"); /* it was not recovered */
    inbox_entries_free(list.entries, list.n_entries);
    assert_int_equal(fixture_do(fixture, &discard.operation), -1); /* it only looks */
    inbox_free(fixture->inbox);

    assert_int_equal(inbox_open_tool(url_in(fixture), true, &fixture->inbox, &err), 0);
    assert_int_equal(fixture_do(fixture, &discard.operation), 0);
    inbox_free(fixture->inbox);
    fixture->inbox = host;
    struct inbox_finish end = finish_of(&claim.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &end.operation), INBOX_STALE);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_tool_makes_no_tables(void **state) {
    struct fixture *fixture = *state;
    struct inbox *inbox = NULL;
    struct error err = {.text = ""};
    fixture_close(fixture);
    remove_place(fixture->place);
    fixture->place = make();
    assert_int_equal(inbox_open_tool(url_in(fixture), true, &inbox, &err), -1);
    assert_non_null(strstr(err.text, "it has no tables yet"));
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM pg_class WHERE relnamespace ="
                                           " current_schema()::regnamespace"),
                     0);
}

static void a_connection_error_may_pass_by_its_sqlstate_in_any_language(void **state) {
    (void)state;
    static const struct {
        const char *reason;
        bool may_come;
    } cases[] = {
        {"connecting: connection to server at \"::1\", port 5432 failed: FATAL:  57P03: das"
         " Datenbanksystem startet",
         true},
        {"connecting: FATAL:  53300: d\303\251sol\303\251, trop de clients sont connect\303\251s",
         true},
        {"connecting: FATAL:  28P01: Passwort-Authentifizierung fehlgeschlagen", false},
        {"connecting: FATAL:  3D000: la base de donn\303\251es n'existe pas", false},
        {"connecting: connection to server failed: session is read-only", true},
        {"connecting: connection to server failed: Connection refused", true},
        {"connecting: server does not support SSL, but SSL was required", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (link_is_temporary(cases[i].reason) != cases[i].may_come) {
            fail_msg("%s", cases[i].reason);
        }
    }
}

/* A server that is away */

static int64_t ask_and_time(struct fixture *fixture, const char *guid, int wanted) {
    struct inbox_put put = put_of(guid);
    int64_t from_ms = clock_monotonic_ms();
    assert_int_equal(fixture_do(fixture, &put.operation), wanted);
    return clock_monotonic_ms() - from_ms;
}

static void recover(struct fixture *fixture, const char *guid) {
    int64_t until_ms = clock_monotonic_ms() + 5000;
    struct inbox_put put = put_of(guid);
    while (fixture_do(fixture, &put.operation) < 0) {
        if (clock_monotonic_ms() > until_ms) {
            fail_msg("it has not recovered: %s", put.operation.error.text);
        }
        (void)usleep(20000);
    }
    assert_true(inbox_healthy(fixture->inbox));
}

/* For real: each locks the row that the other wants next. The server looks for a deadlock after 1 s
 * unless told otherwise; on a busy machine that leaves too little of the statement's time limit. */
static void two_hosts_in_a_deadlock_both_go_through(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    (void)query(fixture->place, "ALTER ROLE snek SET deadlock_timeout = '50ms'");
    fixture_open(fixture, FIXTURE_NOW);
    struct fixture *other = join(fixture);
    (void)query(fixture->place,
                "CREATE TABLE crossing (name text PRIMARY KEY, n bigint);"
                "INSERT INTO crossing VALUES ('a', 0), ('b', 0);"
                "CREATE FUNCTION cross_over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " UPDATE crossing SET n = n + 1 WHERE name = NEW.event; PERFORM pg_sleep(0.1);"
                " UPDATE crossing SET n = n + 1 WHERE name <> NEW.event; RETURN NEW; END $$;"
                "CREATE TRIGGER cross_over BEFORE INSERT ON deliveries FOR EACH ROW"
                " EXECUTE FUNCTION cross_over()");
    struct inbox_put here = put_of("guid-1"), there = put_of("guid-2");
    here.event = "a";
    there.event = "b";
    fixture_submit(fixture, &here.operation);
    fixture_submit(other, &there.operation);
    fixture_wait(fixture, 1);
    fixture_wait(other, 1);
    assert_int_equal(here.operation.result, INBOX_STORED);
    assert_int_equal(there.operation.result, INBOX_STORED);
    leave(other);
    assert_int_equal(query(fixture->place, "SELECT sum(n)::bigint FROM crossing"), 4);
    (void)query(fixture->place, "ALTER ROLE snek RESET deadlock_timeout");
}

static void an_idle_connection_that_the_server_ended_costs_no_rejection(void **state) {
    struct fixture *fixture = *state;
    ask_and_time(fixture, "a", INBOX_STORED);
    static const char *const guids[] = {"b", "c", "d"};
    for (size_t i = 0; i < 3; i++) {
        query(fixture->place, "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                              " WHERE application_name = 'snekomatic'");
        ask_and_time(fixture, guids[i], INBOX_STORED);
        assert_true(inbox_healthy(fixture->inbox));
    }
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 4);
}

/* A server in recovery is like one whose transactions are read-only, which a test can make. */
static void a_session_that_became_read_only_is_left_for_a_new_one(void **state) {
    struct fixture *fixture = *state;
    ask_and_time(fixture, "a", INBOX_STORED);
    query(
        fixture->place,
        "CREATE SEQUENCE tries; CREATE FUNCTION fail_over() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN IF nextval('tries') <= 1 THEN RAISE EXCEPTION 'read-only' USING ERRCODE ="
        " '25006'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER fail_over BEFORE INSERT ON deliveries FOR EACH ROW"
        " EXECUTE FUNCTION fail_over()");
    int64_t backend = query(fixture->place, "SELECT pid FROM pg_stat_activity"
                                            " WHERE application_name = 'snekomatic'");
    ask_and_time(fixture, "b", INBOX_STORED);
    assert_int_not_equal(query(fixture->place, "SELECT pid FROM pg_stat_activity WHERE"
                                               " application_name = 'snekomatic'"
                                               " ORDER BY backend_start DESC LIMIT 1"),
                         backend);
}

static void an_operation_that_takes_too_long_fails_alone(void **state) {
    struct fixture *fixture = *state;
    query(fixture->place,
          "CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
          " IF NEW.guid = 'slow' THEN PERFORM pg_sleep(10); END IF; RETURN NEW; END $$;"
          "CREATE TRIGGER crawl BEFORE INSERT ON deliveries FOR EACH ROW"
          " EXECUTE FUNCTION crawl()");
    struct inbox_put puts[] = {put_of("a"), put_of("slow"), put_of("b")};
    for (size_t i = 0; i < 3; i++) {
        fixture_submit(fixture, &puts[i].operation);
    }
    fixture_wait(fixture, 3);
    assert_int_equal(puts[0].operation.result, INBOX_STORED);
    assert_int_equal(puts[1].operation.result, -1);
    assert_int_equal(puts[2].operation.result, INBOX_STORED);
    assert_true(inbox_healthy(fixture->inbox));
}

static void a_server_that_quotes_all_identifiers_is_no_other_schema(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    query(fixture->place, "ALTER ROLE snek SET quote_all_identifiers = on");
    fixture_open(fixture, FIXTURE_NOW);
    query(fixture->place, "ALTER ROLE snek RESET quote_all_identifiers");
}

static void a_server_that_stops_answering_is_said_within_5_s(void **state) {
    struct fixture *fixture = *state;
    int64_t backend = query(fixture->place, "SELECT pid FROM pg_stat_activity"
                                            " WHERE application_name = 'snekomatic'");
    (void)ask_and_time(fixture, "a", INBOX_STORED);
    assert_int_equal(kill((pid_t)backend, SIGSTOP), 0);
    assert_int_equal(kill(server.postmaster, SIGSTOP), 0);
    for (int i = 0; i < 4; i++) {
        assert_in_range(ask_and_time(fixture, "b", -1), 0, 5000);
        assert_false(inbox_healthy(fixture->inbox));
    }
    assert_int_equal(kill(server.postmaster, SIGCONT), 0);
    assert_int_equal(kill((pid_t)backend, SIGCONT), 0);
    recover(fixture, "b");
}

static void runs_of_another_hosts_plugin_are_its_own(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    struct inbox_elect elect = {.operation = {.kind = INBOX_ELECT},
                                .host = fixture_host(),
                                .lease_ms = 30000,
                                .configured = "\ninvite\n"};
    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .now_ms = FIXTURE_NOW,
                                .done_before_ms = FIXTURE_NOW + 1,
                                .most = 100,
                                .most_bytes = 1 << 20,
                                .configured = "\nping\n"};
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_int_equal(fixture_do(fixture, &elect.operation), 1);
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    put.configured = "\nping\n";
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_DUPLICATE);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM runs WHERE state = 'queued' AND"
                                           " reason = ''"),
                     1);
}

/* A name server that is silent. libpq would wait for it on the writer's thread. */
static atomic_bool names_are_slow;

/* libpq's too. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    bool ours = node && strcmp(node, "store.example") == 0;
    while (ours && atomic_load(&names_are_slow)) {
        (void)usleep(1000);
    }
    return real(ours ? "127.0.0.1" : node, service, hints, found);
}

static void a_silent_name_server_holds_up_no_operation(void **state) {
    struct fixture *fixture = *state;
    struct place *place = fixture->place;
    char url[256];
    fixture_close(fixture);
    (void)snprintf(url, sizeof url, "%s", place->url);
    (void)snprintf(place->url, sizeof place->url,
                   "postgres://snek:" PASSWORD "@store.example:%d/postgres?sslmode=disable&"
                   "options=-csearch_path%%3D%s",
                   server.port, place->schema);
    fixture_open(fixture, FIXTURE_NOW);
    struct inbox_put operation = put_of("guid-1");
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    atomic_store(&names_are_slow, true);
    (void)query_at(url, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
                        " application_name = 'snekomatic'");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_do(fixture, &operation.operation), -1);
    }
    atomic_store(&names_are_slow, false);
    while (fixture_do(fixture, &operation.operation) < 0) {}
    assert_int_equal(operation.operation.result, INBOX_DUPLICATE);
    (void)snprintf(place->url, sizeof place->url, "%s", url);
}

int main(int argc, char **argv) {
    const struct contract_store *store = &postgres;
    const struct CMUnitTest own[] = {
        cmocka_unit_test(a_url_that_leads_nowhere_is_rejected_without_its_password),
        CONTRACT(tls_is_demanded_of_a_server_elsewhere_unless_the_url_says_otherwise),
        cmocka_unit_test(settings_that_void_the_promise_are_rejected),
        CONTRACT(commits_last_although_the_servers_default_is_that_they_need_not),
        CONTRACT(a_newer_schema_is_rejected),
        CONTRACT(a_tampered_schema_is_rejected_with_the_place),
        CONTRACT(a_table_of_another_application_is_rejected_and_left_alone),
        CONTRACT(a_table_that_only_looks_like_the_originals_is_rejected),
        CONTRACT(text_of_strangers_that_is_no_utf8_does_not_cost_the_delivery),
        CONTRACT(three_hosts_start_together_on_an_empty_database),
        CONTRACT(a_run_that_another_host_holds_is_not_claimed),
        CONTRACT(a_row_that_another_session_has_locked_is_passed_over),
        CONTRACT(one_guid_at_two_hosts_at_once_is_stored_once),
        CONTRACT(a_claim_finds_an_old_run_that_another_host_has_just_queued),
        CONTRACT(two_hosts_that_digest_at_once_sum_a_delivery_once),
        CONTRACT(one_host_is_elected_until_its_lease_lapses),
        CONTRACT(the_end_of_the_elected_hosts_session_elects_another_at_once),
        CONTRACT(a_lost_connection_alone_elects_no_other_host),
        CONTRACT(behind_a_pooler_the_lease_alone_elects),
        CONTRACT(a_tool_reads_and_writes_beside_the_host),
        CONTRACT(a_tool_makes_no_tables),
        CONTRACT(two_hosts_in_a_deadlock_both_go_through),
        CONTRACT(an_idle_connection_that_the_server_ended_costs_no_rejection),
        cmocka_unit_test(a_connection_error_may_pass_by_its_sqlstate_in_any_language),
        CONTRACT(a_session_that_became_read_only_is_left_for_a_new_one),
        CONTRACT(an_operation_that_takes_too_long_fails_alone),
        CONTRACT(a_server_that_quotes_all_identifiers_is_no_other_schema),
        CONTRACT(a_server_that_stops_answering_is_said_within_5_s),
        CONTRACT(runs_of_another_hosts_plugin_are_its_own),
        CONTRACT(a_silent_name_server_holds_up_no_operation),
    };
    struct CMUnitTest tests[CONTRACT_TESTS_MAX + PLAN_TESTS_MAX + COMMIT_TESTS_MAX +
                            sizeof own / sizeof *own] = {{0}};
    const char *part = argc > 1 ? argv[1] : NULL;
    size_t n = contract_tests(store, part, tests);
    assert_true(n <= CONTRACT_TESTS_MAX);
    /* cmocka passes over the entries that stay empty. */
    if (contract_has(part, "own")) {
        n += postgres_plan_tests(store, tests + n);
        n += postgres_commit_tests(store, tests + n);
        memcpy(tests + n, own, sizeof own);
    }
    cmocka_set_test_filter(getenv("SNEK_TEST"));
    return cmocka_run_group_tests(tests, set_up_server, tear_down_server);
}
