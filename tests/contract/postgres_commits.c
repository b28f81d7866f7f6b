/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lets the server end transactions of the PostgreSQL store, and counts its round trips. */
#include "postgres_commits.h"

#include "postgres_place.h"

#include "inbox/stats.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_uint round_trips;

/* The store waits for the server after each of these. */
int PQpipelineSync(PGconn *connection) {
    int (*real)(PGconn * connection) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "PQpipelineSync");
    assert_non_null(real);
    atomic_fetch_add(&round_trips, 1);
    return real(connection);
}

/* A sequence counts on whatever is rolled back: the first so many are rejected. */
static void reject_first(const struct fixture *fixture, const char *state, int n) {
    char sql[512];
    snprintf(sql, sizeof sql,
             "CREATE SEQUENCE tries; CREATE FUNCTION give_way() RETURNS trigger LANGUAGE"
             " plpgsql AS $$ BEGIN IF nextval('tries') <= %d THEN RAISE EXCEPTION"
             " 'give way' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$;"
             "CREATE TRIGGER give_way BEFORE INSERT ON deliveries FOR EACH ROW"
             " EXECUTE FUNCTION give_way()",
             n, state);
    query(fixture->place, sql);
}

static void what_gave_way_in_a_deadlock_is_done_again(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1"), next = put_of("guid-2");
    reject_first(fixture, "40P01", 2);
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_int_equal(query(fixture->place, "SELECT nextval('tries')"), 4);
    assert_int_equal(fixture_do(fixture, &next.operation), INBOX_STORED);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 2);
}

static void what_gives_way_again_and_again_is_rejected(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    reject_first(fixture, "40P01", 1000);
    assert_int_equal(fixture_do(fixture, &put.operation), -1);
    assert_non_null(strstr(put.operation.error.text, "give way"));
}

static unsigned count_round_trips(struct fixture *fixture, struct inbox_put *put, int result) {
    unsigned before = atomic_load(&round_trips);
    assert_int_equal(fixture_do(fixture, &put->operation), result);
    return atomic_load(&round_trips) - before;
}

static void a_lone_delivery_takes_one_round_trip(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put without = put_of("without"), with = put_of("with");
    struct inbox_put_run run = {.plugin = "ping", .leased = true};
    without.n_runs = 0;
    /* A run that is not leased is a reason to notify other hosts, which is a round trip too. */
    with.runs = &run;
    with.host = fixture_host();
    with.lease_ms = 30000;
    assert_int_equal(count_round_trips(fixture, &without, INBOX_STORED), 1);
    assert_int_equal(count_round_trips(fixture, &with, INBOX_STORED), 1);
    assert_true(run.id > 0);
    /* A known GUID needs more, in a transaction of its own: its runs have not finished. */
    assert_true(count_round_trips(fixture, &with, INBOX_DUPLICATE) > 1);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM runs"), 1);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 2);
}

static void a_delivery_that_the_server_does_not_commit_is_rejected(void **state) {
    struct fixture *fixture = *state;
    query(
        fixture->place,
        "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.guid = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER object AFTER INSERT ON deliveries DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION object()");
    struct inbox_put good = put_of("good"), bad = put_of("bad"), next = put_of("next");
    assert_int_equal(fixture_do(fixture, &good.operation), INBOX_STORED);
    assert_int_equal(fixture_do(fixture, &bad.operation), -1);
    assert_non_null(strstr(bad.operation.error.text, "not this one"));
    assert_int_equal(fixture_do(fixture, &next.operation), INBOX_STORED);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 2);
}

/* A count of the runs that waits for a lock. */
struct held_count {
    struct fixture *fixture;
    struct inbox_stats stats;
    bool answered;
    PGconn *holder;
};

static void on_counted(struct inbox_operation *operation) {
    struct held_count *count = CONTAINER_OF(operation, struct held_count, stats.operation);
    count->answered = true;
    count->fixture->answered++;
}

static void on_listening(void *context) {
    atomic_store((atomic_bool *)context, true);
}

/* The host is ready to count on its second connection. */
static void listen_for_others(struct fixture *fixture) {
    static atomic_bool listens;
    atomic_store(&listens, false);
    inbox_listen(fixture->inbox, on_listening, &listens);
    while (!atomic_load(&listens)) {
        (void)usleep(2000);
    }
}

static int64_t count_waiting(const struct fixture *fixture) {
    return query(fixture->place, "SELECT count(*) FROM pg_locks WHERE NOT granted");
}

static void begin_count(struct held_count *count, struct fixture *fixture) {
    *count =
        (struct held_count){.fixture = fixture,
                            .stats = {.operation = {.kind = INBOX_STATS,
                                                    .reply_to = &fixture->mailbox,
                                                    .on_result = on_counted}},
                            .holder = PQconnectdb(((const struct place *)fixture->place)->url)};
    PGresult *locked = PQexec(count->holder, "BEGIN; LOCK TABLE timers IN ACCESS EXCLUSIVE MODE");
    assert_int_equal(PQresultStatus(locked), PGRES_COMMAND_OK);
    PQclear(locked);
    inbox_submit(fixture->inbox, &count->stats.operation);
    while (count_waiting(fixture) == 0) {}
}

static void no_webhook_waits_for_a_count_of_the_runs(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1");
    struct held_count count;
    listen_for_others(fixture);
    begin_count(&count, fixture);
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_false(count.answered);
    PQfinish(count.holder);
    fixture_wait(fixture, 1);
    assert_true(count.answered);
    assert_int_equal(count.stats.operation.result, 0);
    fixture_expect_stats(fixture, 1, 0, 0);
}

static void a_count_whose_connection_is_lost_fails_and_the_next_one_succeeds(void **state) {
    struct fixture *fixture = *state;
    struct held_count count;
    listen_for_others(fixture);
    begin_count(&count, fixture);
    assert_int_equal(query(fixture->place, "SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
                                           " WHERE NOT granted"),
                     1);
    fixture_wait(fixture, 1);
    assert_int_equal(count.stats.operation.result, -1);
    assert_non_null(strstr(count.stats.operation.error.text, "counting runs"));
    PQfinish(count.holder);
    fixture_expect_stats(fixture, 0, 0, 0);
}

static void a_count_ends_with_the_store(void **state) {
    struct fixture *fixture = *state;
    struct held_count count;
    listen_for_others(fixture);
    begin_count(&count, fixture);
    fixture_close(fixture);
    fixture_wait(fixture, 1);
    assert_int_equal(count.stats.operation.result, -1);
    PQfinish(count.holder);
}

size_t postgres_commit_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(what_gave_way_in_a_deadlock_is_done_again),
        CONTRACT(what_gives_way_again_and_again_is_rejected),
        CONTRACT(a_lone_delivery_takes_one_round_trip),
        CONTRACT(a_delivery_that_the_server_does_not_commit_is_rejected),
        CONTRACT(no_webhook_waits_for_a_count_of_the_runs),
        CONTRACT(a_count_whose_connection_is_lost_fails_and_the_next_one_succeeds),
        CONTRACT(a_count_ends_with_the_store),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
