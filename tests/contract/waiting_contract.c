/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about runs whose handler asked to wait. */
#include "inbox_contract.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_MS INT64_C(3600000)

/* Ends the attempt with a wait of an hour. */
static void wait_an_hour(struct fixture *fixture, struct inbox_run *run) {
    struct inbox_finish finish = finish_of(run, INBOX_WAIT);
    finish.label = "waiting";
    finish.reason = "the checks run";
    finish.due_ms = FIXTURE_NOW + HOUR_MS;
    finish.waited_ms = run->waited_ms + HOUR_MS;
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(run);
}

static void expect_due(struct fixture *fixture, const char *guid, int64_t now_ms, int64_t attempt,
                       int64_t waited_ms) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
    if (claim.n_runs == 0) {
        /* It has only just joined its line. */
        claim = fixture_claim(fixture, "invite", now_ms);
    }
    assert_int_equal(claim.n_runs, 1);
    assert_string_equal(claim.runs[0].guid, guid);
    assert_int_equal(claim.runs[0].attempt, attempt);
    assert_int_equal(claim.runs[0].waited_ms, waited_ms);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void expect_none_due(struct fixture *fixture, int64_t now_ms) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
    assert_int_equal(claim.n_runs, 0);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static size_t count_listed(struct fixture *fixture, const char *state) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .state = state, .most = SIZE_MAX};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    size_t n = list.n_entries;
    if (n > 0) {
        assert_string_equal(list.entries[0].state, state);
        assert_string_equal(list.entries[0].reason, "the checks run");
    }
    inbox_entries_free(list.entries, list.n_entries);
    return n;
}

static void a_run_that_waits_loses_no_attempt_and_is_shown_as_waiting(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "a");
    wait_an_hour(fixture, &run);
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(count_listed(fixture, "waiting"), 1);
    assert_int_equal(count_listed(fixture, "queued"), 0);
    expect_none_due(fixture, FIXTURE_NOW + HOUR_MS - 1);
    expect_due(fixture, "a", FIXTURE_NOW + HOUR_MS, 1, HOUR_MS);
    assert_int_equal(count_listed(fixture, "waiting"), 0);
}

static void later_runs_of_its_key_pass_a_run_that_waits(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 2; i++) {
        struct inbox_put_run ordered = {.plugin = "invite", .order = INBOX_ORDER_ITEM};
        struct inbox_put put = put_of(i == 0 ? "first" : "second");
        put.item = "99#1";
        put.runs = &ordered;
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    }
    struct inbox_run first = fixture_claim_one(fixture);
    assert_string_equal(first.guid, "first");
    wait_an_hour(fixture, &first);
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.blocked, 0);
    struct inbox_run second = fixture_claim_one(fixture);
    assert_string_equal(second.guid, "second");
    struct inbox_finish finish = finish_of(&second, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(&second);
    expect_due(fixture, "first", FIXTURE_NOW + HOUR_MS, 1, HOUR_MS);
}

static int64_t oldest_waiting_ms(struct fixture *fixture) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    return stats.oldest_waiting_ms;
}

/* "second" comes before "first" is claimed, so "first" gives its place in the line up. */
static void the_arrival_of_the_oldest_run_that_waits_is_known(void **state) {
    struct fixture *fixture = *state;
    for (int64_t i = 0; i < 3; i++) {
        static const char *const guids[] = {"first", "second", "other"};
        struct inbox_put_run run = {.plugin = "invite",
                                    .order = i < 2 ? INBOX_ORDER_ITEM : INBOX_ORDER_NONE};
        struct inbox_put put = put_of(guids[i]);
        put.received_ms = FIXTURE_NOW - HOUR_MS + i;
        put.runs = &run;
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    }
    assert_int_equal(oldest_waiting_ms(fixture), 0);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 2);
    bool turned = strcmp(claim.runs[0].guid, "first") != 0;
    struct inbox_run other = claim.runs[turned ? 0 : 1], first = claim.runs[turned ? 1 : 0];
    free(claim.runs);
    wait_an_hour(fixture, &other);
    assert_int_equal(oldest_waiting_ms(fixture), FIXTURE_NOW - HOUR_MS + 2);
    wait_an_hour(fixture, &first);
    assert_int_equal(oldest_waiting_ms(fixture), FIXTURE_NOW - HOUR_MS);
    struct inbox_change discard = {
        .operation = {.kind = INBOX_DISCARD}, .guid = "first", .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &discard.operation), 0);
    assert_int_equal(oldest_waiting_ms(fixture), FIXTURE_NOW - HOUR_MS + 2);
}

static void a_redelivery_makes_a_run_due_that_waits(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "a");
    wait_an_hour(fixture, &run);
    struct inbox_put again = put_of("a");
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_DUPLICATE);
    expect_due(fixture, "a", FIXTURE_NOW, 1, HOUR_MS);
}

static void a_retry_by_hand_forgets_how_long_a_run_has_waited(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "a");
    wait_an_hour(fixture, &run);
    struct inbox_change change = {
        .operation = {.kind = INBOX_RERUN}, .guid = "a", .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &change.operation), 0);
    assert_int_equal(count_listed(fixture, "waiting"), 0);
    expect_due(fixture, "a", FIXTURE_NOW, 1, 0);
}

size_t contract_waiting_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(a_run_that_waits_loses_no_attempt_and_is_shown_as_waiting),
        CONTRACT(later_runs_of_its_key_pass_a_run_that_waits),
        CONTRACT(the_arrival_of_the_oldest_run_that_waits_is_known),
        CONTRACT(a_redelivery_makes_a_run_due_that_waits),
        CONTRACT(a_retry_by_hand_forgets_how_long_a_run_has_waited),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
