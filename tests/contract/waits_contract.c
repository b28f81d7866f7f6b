/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about what GitHub makes installations wait. */
#include "inbox_contract.h"

static int put_wait(struct bench *bench, const char *installation, int64_t all_ms,
                    int64_t search_ms) {
    struct inbox_wait wait = {
        .operation = {.kind = INBOX_WAIT_PUT},
        .installation = installation,
        .until_ms = {[INBOX_WAIT_ALL] = all_ms, [INBOX_WAIT_SEARCH] = search_ms}};
    return bench_ask(bench, &wait.operation);
}

static void expect_wait(struct bench *bench, const char *installation, int64_t all_ms,
                        int64_t search_ms) {
    struct inbox_wait wait = {.operation = {.kind = INBOX_WAIT_GET},
                              .installation = installation,
                              .until_ms = {1, 2, 3}}; /* whatever was there */
    assert_int_equal(bench_ask(bench, &wait.operation), 0);
    assert_int_equal(wait.until_ms[INBOX_WAIT_ALL], all_ms);
    assert_int_equal(wait.until_ms[INBOX_WAIT_SEARCH], search_ms);
    assert_int_equal(wait.until_ms[INBOX_WAIT_GRAPHQL], 0);
}

static void the_latest_wait_of_an_installation_lasts(void **state) {
    struct bench *bench = *state;
    expect_wait(bench, "7", 0, 0);
    assert_int_equal(put_wait(bench, "7", BENCH_NOW + 60000, 0), 0);
    assert_int_equal(put_wait(bench, "7", BENCH_NOW + 5, BENCH_NOW + 10), 0);
    bench_close(bench);
    bench_open(bench, BENCH_NOW);
    expect_wait(bench, "7", BENCH_NOW + 60000, BENCH_NOW + 10);
    expect_wait(bench, "8", 0, 0);
}

static void expect_next(struct bench *bench, int64_t now_ms, size_t n_runs, int64_t next_ms) {
    struct inbox_claim claim = bench_claim(bench, "invite", now_ms);
    assert_int_equal(claim.n_runs, n_runs);
    assert_int_equal(claim.next_due_ms, next_ms);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void runs_of_an_installation_that_waits_are_not_claimed(void **state) {
    struct bench *bench = *state;
    int64_t end_ms = BENCH_NOW + 60000;
    struct inbox_put before = put_of("before"), after = put_of("after"), other = put_of("other"),
                     later = put_of("later");
    other.installation = "8";
    later.due_ms = end_ms + 1;
    assert_int_equal(bench_ask(bench, &before.operation), INBOX_STORED);
    assert_int_equal(bench_ask(bench, &later.operation), INBOX_STORED);
    assert_int_equal(bench_ask(bench, &other.operation), INBOX_STORED);
    assert_int_equal(put_wait(bench, "7", end_ms, 0), 0);
    assert_int_equal(bench_ask(bench, &after.operation), INBOX_STORED);
    expect_next(bench, BENCH_NOW, 1, end_ms); /* the other's */
    expect_next(bench, end_ms - 1, 0, end_ms);
    expect_next(bench, end_ms, 2, end_ms + 1);
}

static void a_run_that_was_to_be_leased_is_queued_while_its_installation_waits(void **state) {
    struct bench *bench = *state;
    struct inbox_put_run runs[] = {{.plugin = "invite", .leased = true}};
    struct inbox_put operation = put_of("one");
    operation.runs = runs;
    operation.n_runs = 1;
    operation.lease = 77;
    operation.lease_ms = 30000;
    assert_int_equal(put_wait(bench, "7", BENCH_NOW + 60000, 0), 0);
    assert_int_equal(bench_ask(bench, &operation.operation), INBOX_STORED);
    assert_int_equal(runs[0].id, 0);
    expect_next(bench, BENCH_NOW, 0, BENCH_NOW + 60000);
    expect_next(bench, BENCH_NOW + 60000, 1, INT64_MAX);
}

static void a_wait_for_searches_holds_up_no_run(void **state) {
    struct bench *bench = *state;
    struct inbox_put operation = put_of("one");
    assert_int_equal(bench_ask(bench, &operation.operation), INBOX_STORED);
    assert_int_equal(put_wait(bench, "7", 0, BENCH_NOW + 60000), 0);
    expect_next(bench, BENCH_NOW, 1, INT64_MAX);
}

size_t contract_wait_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(the_latest_wait_of_an_installation_lasts),
        CONTRACT(runs_of_an_installation_that_waits_are_not_claimed),
        CONTRACT(a_run_that_was_to_be_leased_is_queued_while_its_installation_waits),
        CONTRACT(a_wait_for_searches_holds_up_no_run),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
