/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/effect: one allocation in turn fails on the way of a comment and of its next attempts.
 * At the end there is exactly one comment. */
#include "effect_world.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <string.h>

/* One attempt, in which the n-th allocation fails (negative: none). True when it failed. */
static bool attempt(int n) {
    struct run *run = begin_attempt(7);
    until_failure = n;
    make_call(run);
    bool failed = n >= 0 && until_failure < 0;
    until_failure = -1;
    end_attempt();
    return failed;
}

static void expect_one_comment(void) {
    assert_false(attempt(-1));
    assert_true(world.replied);
    assert_int_equal(world.outcome, 0);
    assert_int_equal(world.n_comments, 1);
    assert_non_null(strstr(world.comments[0], "<!-- snekomatic:effect="));
}

static void a_failed_allocation_never_makes_two_comments(void **state) {
    (void)state;
    bool failed = true;
    int n = 0;
    for (; failed; n++) {
        begin_world();
        failed = attempt(n);
        expect_one_comment();
        end_world();
    }
    assert_true(n > 10);
}

static void nor_does_one_in_the_attempt_after_a_lost_response(void **state) {
    (void)state;
    bool failed = true;
    int n = 0;
    for (; failed; n++) {
        begin_world();
        world.lose = true;
        assert_false(attempt(-1));
        assert_int_equal(world.outcome, SNEK_E_NETWORK);
        failed = attempt(n);
        expect_one_comment();
        end_world();
    }
    assert_true(n > 10);
}

/* The first attempt's response is lost; then GitHub gives this one. */
static int32_t repeat(const char *its_method, const char *its_url, int32_t status,
                      int32_t status_outcome, int64_t age_ms) {
    begin_world();
    method = its_method;
    url = its_url;
    world.status = 200;
    world.lose = true;
    assert_false(attempt(-1));
    assert_int_equal(world.outcome, SNEK_E_NETWORK);
    assert_int_equal(world.n_records, 1);
    world.records[0].at_ms -= age_ms;
    world.status = status;
    world.status_outcome = status_outcome;
    assert_false(attempt(-1));
    int32_t outcome = world.outcome;
    assert_int_equal(world.n_effects, outcome == SNEK_E_IN_DOUBT ? 1 : 2);
    end_world();
    method = "POST";
    url = "/repos/a/b/issues/1/comments";
    return outcome;
}

/* They would fill the host's memory. */
static void a_worker_that_reads_no_responses_gets_no_more_and_its_run_comes_back(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    world.unread_bytes = CALL_RESPONSES_MAX;
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    assert_true(run->deferred);
    end_attempt();
    world.unread_bytes = 0;
    expect_one_comment();
    assert_int_equal(world.n_effects, 1);
    end_world();
}

static void a_repeated_delete_that_finds_nothing_has_succeeded(void **state) {
    (void)state;
    static const char ref[] = "/repos/a/b/git/refs/heads/x", label[] = "/repos/a/b/labels/x";
    assert_int_equal(repeat("DELETE", label, 404, SNEK_E_NOT_FOUND, 0), 0);
    assert_int_equal(repeat("DELETE", label, 410, SNEK_E_NOT_FOUND, 0), 0);
    assert_int_equal(repeat("DELETE", ref, 422, SNEK_E_VALIDATION, 0), 0);
    assert_int_equal(repeat("DELETE", label, 422, SNEK_E_VALIDATION, 0), SNEK_E_VALIDATION);
    assert_int_equal(repeat("PUT", label, 404, SNEK_E_NOT_FOUND, 0), SNEK_E_NOT_FOUND);
}

static void a_patch_in_doubt_is_repeated_for_ten_minutes(void **state) {
    (void)state;
    static const char issue[] = "/repos/a/b/issues/1";
    assert_int_equal(repeat("PATCH", issue, 200, 0, 9 * 60000), 0);
    assert_int_equal(repeat("PATCH", issue, 200, 0, 11 * 60000), SNEK_E_IN_DOUBT);
    assert_int_equal(repeat("PUT", issue, 200, 0, 11 * 60000), 0);
}

/* The handler makes its comment again by itself after each failure. */
static void attempt_with_a_stubborn_handler(void) {
    struct run *run = begin_attempt(7);
    for (int i = 0; i < 3; i++) {
        make_call(run);
        if (world.outcome == 0) {
            break;
        }
    }
    end_attempt();
}

/* The n-th operation of the store fails, carried out or not, in an attempt that is the first one or
 * that comes after a lost response. */
static void nor_does_a_failing_store_when_the_handler_tries_again(void **state) {
    (void)state;
    for (int i = 0; i < 24; i++) {
        begin_world();
        if (i % 2 != 0) {
            world.lose = true;
            assert_false(attempt(-1));
        }
        world.store_did = i / 2 % 2 != 0;
        world.store_fails_at = 1 + i / 4;
        attempt_with_a_stubborn_handler();
        world.store_fails_at = 0;
        expect_one_comment();
        end_world();
    }
}

/* Such as 65,536 bytes of headers: every further attempt would get the same error again. */
static void a_response_that_failed_here_after_its_status_leaves_the_comment_in_doubt(void **state) {
    (void)state;
    static const int32_t failures[] = {SNEK_E_TOO_LARGE, SNEK_E_FAILED, SNEK_E_NETWORK,
                                       SNEK_E_TIMEOUT};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        begin_world();
        world.cut_off = failures[i];
        assert_false(attempt(-1));
        assert_int_equal(world.outcome, failures[i]);
        assert_int_equal(world.records[0].state, INBOX_INTENDED);
        expect_one_comment();
        end_world();
    }
}

static void
a_comment_that_is_not_there_is_written_only_once_github_has_ended_its_request(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    world.lose = world.late = true;
    make_call(run);
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    pass(-5000);
    run = begin_attempt(8);
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    assert_int_equal(world.n_effects, 1);
    world.comments[world.n_comments++] = world.late_comment;
    expect_one_comment();
    assert_int_equal(world.n_effects, 1);
    end_world();
}

/* A dead host's comment is looked for once GitHub must have carried it out, whatever the new host
 * has sent for the run in between. */
static void
a_dead_hosts_comment_is_looked_for_after_the_wait_whatever_was_sent_before(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    world.lose = true;
    make_call(run);
    end_attempt();
    table.next_sent_here = 0;
    memset(table.sent_here, 0, sizeof table.sent_here); /* another host */
    run = begin_attempt(8);
    method = "PUT";
    url = "/repos/a/b/issues/1/labels";
    world.status = 422;
    world.status_outcome = SNEK_E_VALIDATION;
    make_call(run);
    method = "POST";
    url = "/repos/a/b/issues/1/comments";
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    end_world();
}

/* Attempt 1 was this host's, attempt 2 another's, attempt 3 is this host's again. */
static void it_also_waits_when_this_host_made_an_attempt_before_the_dead_hosts(void **state) {
    (void)state;
    begin_world();
    struct run *run = begin_attempt(7);
    method = "PUT";
    url = "/repos/a/b/issues/1/labels";
    world.status = 422;
    world.status_outcome = SNEK_E_VALIDATION;
    make_call(run);
    end_attempt();
    struct run_table ours = table;
    method = "POST";
    url = "/repos/a/b/issues/1/comments";
    run = begin_attempt(8);
    world.lose = true;
    make_call(run);
    end_attempt();
    memcpy(table.sent_here, ours.sent_here, sizeof table.sent_here);
    table.next_sent_here = ours.next_sent_here;
    run = begin_attempt(9);
    make_call(run);
    assert_int_equal(world.outcome, SNEK_E_REQUEUE);
    end_attempt();
    end_world();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_never_makes_two_comments),
        cmocka_unit_test(a_worker_that_reads_no_responses_gets_no_more_and_its_run_comes_back),
        cmocka_unit_test(a_repeated_delete_that_finds_nothing_has_succeeded),
        cmocka_unit_test(a_patch_in_doubt_is_repeated_for_ten_minutes),
        cmocka_unit_test(nor_does_one_in_the_attempt_after_a_lost_response),
        cmocka_unit_test(nor_does_a_failing_store_when_the_handler_tries_again),
        cmocka_unit_test(a_response_that_failed_here_after_its_status_leaves_the_comment_in_doubt),
        cmocka_unit_test(
            a_comment_that_is_not_there_is_written_only_once_github_has_ended_its_request),
        cmocka_unit_test(
            a_dead_hosts_comment_is_looked_for_after_the_wait_whatever_was_sent_before),
        cmocka_unit_test(it_also_waits_when_this_host_made_an_attempt_before_the_dead_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
