/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lets the server end transactions of the PostgreSQL store, and counts its round trips. */
#include "postgres_commits.h"

#include "postgres_place.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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

void what_gave_way_in_a_deadlock_is_done_again(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid-1"), next = put_of("guid-2");
    reject_first(fixture, "40P01", 2);
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_int_equal(query(fixture->place, "SELECT nextval('tries')"), 4);
    assert_int_equal(fixture_do(fixture, &next.operation), INBOX_STORED);
    assert_int_equal(query(fixture->place, "SELECT count(*) FROM deliveries"), 2);
}

void what_gives_way_again_and_again_is_rejected(void **state) {
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

void a_lone_delivery_takes_one_round_trip(void **state) {
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

void a_delivery_that_the_server_does_not_commit_is_rejected(void **state) {
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
