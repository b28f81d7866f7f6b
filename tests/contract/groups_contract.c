/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about groups of operations, threads and crashes. */
#include "inbox_contract.h"

#include "inbox/rate_limits.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int put(struct fixture *fixture, const char *guid) {
    struct inbox_put operation = put_of(guid);
    return fixture_do(fixture, &operation.operation);
}

static void an_operation_that_fails_takes_no_neighbour_with_it(void **state) {
    enum { N = 40 };
    struct fixture *fixture = *state;
    fixture->store->poison(fixture->place, "poison");
    char guids[N][16];
    struct inbox_put *puts = calloc(N, sizeof *puts);
    assert_non_null(puts);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(guids[i], sizeof guids[i], i % 7 == 3 ? "poison" : "guid-%zu", i);
        puts[i] = put_of(guids[i]);
        fixture_submit(fixture, &puts[i].operation);
    }
    fixture_wait(fixture, N);
    size_t stored = 0;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(puts[i].operation.result, i % 7 == 3 ? -1 : INBOX_STORED);
        assert_int_equal(puts[i].operation.error.text[0] != '\0', i % 7 == 3);
        stored += i % 7 != 3;
    }
    free(puts);
    assert_true(inbox_healthy(fixture->inbox));
    fixture_expect_stats(fixture, (int64_t)stored, 0, 0);
}

/* A mix of what a group may store with one statement and what it may not. */
enum { MIXED = 120 };

struct mixed {
    char guid[16], body[32];
    struct inbox_put put;
    struct inbox_put_run runs[2];
};

static void mix(struct mixed *all, size_t i) {
    struct mixed *mixed = &all[i];
    (void)snprintf(mixed->guid, sizeof mixed->guid, "guid-%zu", i % 10 == 9 ? i - 1 : i);
    (void)snprintf(mixed->body, sizeof mixed->body, "{\"a\":%zu}", i);
    mixed->put = put_of(mixed->guid);
    mixed->put.body = mixed->body;
    mixed->put.body_bytes = strlen(mixed->body);
    mixed->put.installation = i % 11 == 5 ? "limited" : "7";
    mixed->put.host = fixture_host();
    mixed->put.lease_ms = 30000;
    mixed->put.runs = mixed->runs;
    mixed->put.n_runs = i % 3;
    mixed->runs[0] = (struct inbox_put_run){.plugin = "invite", .leased = i % 2};
    mixed->runs[1] = (struct inbox_put_run){.plugin = "ping",
                                            .order = i % 4 ? INBOX_ORDER_NONE : INBOX_ORDER_ITEM};
}

/* The run that the store has for it. */
static void expect_mixed_run(struct fixture *fixture, const struct mixed *mixed, size_t nth) {
    const struct inbox_put_run *run = &mixed->runs[nth];
    bool limited = strcmp(mixed->put.installation, "limited") == 0;
    bool leased = run->leased && !limited;
    char sql[512];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM runs r JOIN deliveries d ON d.id = r.delivery"
        " WHERE d.guid = '%s' AND r.plugin = '%s' AND r.installation = d.installation"
        " AND r.attempt = %d AND (r.state = 'running') = %s AND (r.token = %lld OR NOT %s)"
        " AND (r.id = %lld OR %lld = 0)"
        " AND r.due_ms = %lld AND d.body_bytes = %zu",
        mixed->guid, run->plugin, leased, leased ? "TRUE" : "FALSE", (long long)run->token,
        leased ? "TRUE" : "FALSE", (long long)run->id, (long long)run->id,
        (long long)(limited ? FIXTURE_NOW + 60000 : FIXTURE_NOW), mixed->put.body_bytes);
    if (fixture->store->query(fixture->place, sql) != 1) {
        fail_msg("not one row: %s", sql);
    }
    assert_int_equal(run->id != 0, leased || !run->leased);
}

static void a_group_stores_each_delivery_once_with_its_own_runs(void **state) {
    struct fixture *fixture = *state;
    struct inbox_rate_limit limit = {.operation = {.kind = INBOX_RATE_LIMIT_PUT},
                                     .installation = "limited",
                                     .until_ms = {[INBOX_RATE_LIMIT_ALL] = FIXTURE_NOW + 60000}};
    assert_int_equal(fixture_do(fixture, &limit.operation), 0);
    struct mixed *all = calloc(MIXED, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < MIXED; i++) {
        mix(all, i);
        fixture_submit(fixture, &all[i].put.operation);
    }
    fixture_wait(fixture, MIXED);
    for (size_t i = 0; i < MIXED; i++) {
        bool again = i % 10 == 9;
        int expected = INBOX_STORED;
        if (again) {
            /* The first one had no runs, so all its runs have ended. */
            expected = all[i - 1].put.n_runs > 0 ? INBOX_DUPLICATE : INBOX_REDELIVERED;
        }
        assert_int_equal(all[i].put.operation.result, expected);
        for (size_t j = 0; j < all[i].put.n_runs && !again; j++) {
            expect_mixed_run(fixture, &all[i], j);
        }
    }
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM deliveries"),
                     MIXED - MIXED / 10);
    free(all);
}

/* A mix of what a group may end with one statement and what it may not. */
enum { ENDED = 100 };

static void expect_ended(struct fixture *fixture, const struct inbox_finish *finish, bool stale) {
    char sql[512];
    bool done = finish->how == INBOX_DONE && !stale;
    const char *state = finish->how == INBOX_DONE ? "done" : "queued";
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM runs WHERE id = %lld AND state = '%s' AND label = '%s'"
                   " AND reason = '%s' AND (token = 0) = %s AND coalesce(finished_ms, 0) = %lld",
                   (long long)finish->run, stale ? "running" : state, stale ? "" : finish->label,
                   stale ? "" : finish->reason, stale ? "FALSE" : "TRUE",
                   (long long)(done ? finish->now_ms : 0));
    if (fixture->store->query(fixture->place, sql) != 1) {
        fail_msg("not one row: %s", sql);
    }
}

static void a_group_ends_each_run_once_under_its_own_claim(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ENDED; i++) {
        char guid[16];
        (void)snprintf(guid, sizeof guid, "guid-%zu", i);
        assert_int_equal(put(fixture, guid), INBOX_STORED);
    }
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, ENDED);
    struct inbox_finish *all = calloc(2 * ENDED, sizeof *all), *again = all + ENDED;
    assert_non_null(all);
    for (size_t i = 0; i < ENDED; i++) {
        all[i] = finish_of(&claim.runs[i], i % 10 == 3 ? INBOX_RETRY : INBOX_DONE);
        all[i].label = i % 10 == 5 ? "skipped" : "done";
        all[i].reason = i % 10 == 6 ? "why" : "";
        all[i].now_ms = FIXTURE_NOW + (int64_t)i;
        /* The token of another run that the same statement ends. */
        all[i].token = i % 10 == 7 ? claim.runs[i + 1].token : all[i].token;
        again[i] = all[i];
    }
    for (size_t i = 0; i < (size_t)2 * ENDED; i++) {
        fixture_submit(fixture, &all[i].operation);
    }
    fixture_wait(fixture, 2 * ENDED);
    for (size_t i = 0; i < ENDED; i++) {
        bool stale = i % 10 == 7;
        assert_int_equal(all[i].operation.result, stale ? INBOX_STALE : 0);
        assert_int_equal(again[i].operation.result, INBOX_STALE);
        expect_ended(fixture, &all[i], stale);
    }
    free(all);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void what_one_asker_submits_is_done_in_that_order(void **state) {
    enum { N = 600 };
    struct fixture *fixture = *state;
    struct inbox_plugin_state *items = calloc(N, sizeof *items);
    assert_non_null(items);
    /* Each sees what the one before it did, group ends or not. */
    for (size_t i = 0; i < N; i++) {
        items[i] = (struct inbox_plugin_state){
            .operation = {.kind = i % 2 ? INBOX_SET_REMOVE : INBOX_SET_ADD},
            .plugin = "invite",
            .scope = "",
            .set = "s",
            .name = "n"};
        fixture_submit(fixture, &items[i].operation);
    }
    fixture_wait(fixture, N);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(items[i].operation.result, 1);
    }
    free(items);
}

enum { THREADS = 8, PUTS_EACH = 100 };

struct producer {
    /* Its own mailbox on the shared inbox. */
    struct fixture fixture;
    pthread_t thread;
    unsigned number;
    unsigned stored;
};

static void *produce(void *argument) {
    struct producer *producer = argument;
    for (unsigned i = 0; i < PUTS_EACH; i++) {
        char guid[32];
        (void)snprintf(guid, sizeof guid, "guid-%u-%u", producer->number, i);
        struct inbox_put operation = put_of(guid);
        producer->stored += fixture_do(&producer->fixture, &operation.operation) == INBOX_STORED;
    }
    return NULL;
}

static void many_threads_submit_at_once_and_each_gets_its_answers(void **state) {
    struct fixture *fixture = *state;
    struct producer *producers = calloc(THREADS, sizeof *producers);
    assert_non_null(producers);
    for (unsigned i = 0; i < THREADS; i++) {
        producers[i].number = i;
        producers[i].fixture.inbox = fixture->inbox;
        assert_int_equal(mailbox_init(&producers[i].fixture.mailbox), 0);
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
        assert_int_equal(producers[i].stored, PUTS_EACH);
        mailbox_finish(&producers[i].fixture.mailbox);
    }
    free(producers);
    fixture_expect_stats(fixture, THREADS * PUTS_EACH, 0, 0);
}

static void closing_finishes_what_was_submitted(void **state) {
    enum { N = 500 };
    struct fixture *fixture = *state;
    char guids[N][16];
    struct inbox_put *puts = calloc(N, sizeof *puts);
    assert_non_null(puts);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "guid-%zu", i);
        puts[i] = put_of(guids[i]);
        fixture_submit(fixture, &puts[i].operation);
    }
    fixture_close(fixture);
    fixture_wait(fixture, N);
    free(puts);
    fixture_open(fixture, FIXTURE_NOW);
    fixture_expect_stats(fixture, N, 0, 0);
}

/* ---- crashes ---- */

/* In the child: stores until it is killed, and says each GUID's number once it was answered. */
_Noreturn static void store_until_killed(const struct fixture *parent, int out) {
    struct fixture fixture = {.store = parent->store, .place = parent->place};
    struct error err;
    if (mailbox_init(&fixture.mailbox) < 0 ||
        fixture.store->open(fixture.place, FIXTURE_NOW, &fixture.inbox, &err) != 0) {
        _exit(1);
    }
    for (unsigned i = 0;; i++) {
        char guid[32];
        (void)snprintf(guid, sizeof guid, "guid-%u", i);
        struct inbox_put operation = put_of(guid);
        if (fixture_do(&fixture, &operation.operation) != INBOX_STORED ||
            write(out, &i, sizeof i) != sizeof i) {
            _exit(1);
        }
    }
}

static void what_was_answered_survives_kill_9(void **state) {
    struct fixture *fixture = *state;
    fixture_close(fixture);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        store_until_killed(fixture, ends[1]);
    }
    (void)close(ends[1]);
    unsigned last = 0, number;
    while (last < 50 && read(ends[0], &number, sizeof number) == sizeof number) {
        last = number;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
        /* Answered before the kill took effect. */
        last = number;
    }
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(last >= 50);

    fixture_open(fixture, FIXTURE_NOW);
    for (unsigned i = 0; i <= last; i++) {
        char guid[32];
        (void)snprintf(guid, sizeof guid, "guid-%u", i);
        assert_int_equal(put(fixture, guid), INBOX_DUPLICATE);
    }
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_true(claim.n_runs > last);
    inbox_runs_free(claim.runs, claim.n_runs);
}

size_t contract_group_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(an_operation_that_fails_takes_no_neighbour_with_it),
        CONTRACT(a_group_stores_each_delivery_once_with_its_own_runs),
        CONTRACT(a_group_ends_each_run_once_under_its_own_claim),
        CONTRACT(what_one_asker_submits_is_done_in_that_order),
        CONTRACT(many_threads_submit_at_once_and_each_gets_its_answers),
        CONTRACT(closing_finishes_what_was_submitted),
        CONTRACT(what_was_answered_survives_kill_9),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
