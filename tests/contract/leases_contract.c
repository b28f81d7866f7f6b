/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about leases: how they lapse, are renewed and fence;
 * and which host does the maintenance. */
#include "inbox_contract.h"

#include "base/clock.h"

#include <unistd.h>

static int put(struct fixture *fixture, const char *guid) {
    struct inbox_put operation = put_of(guid);
    return fixture_do(fixture, &operation.operation);
}

static int finish(struct fixture *fixture, const struct inbox_run *run) {
    struct inbox_finish operation = finish_of(run, INBOX_DONE);
    return fixture_do(fixture, &operation.operation);
}

static struct inbox_claim claim_for(struct fixture *fixture, int64_t lease_ms) {
    struct inbox_claim_share share = {.plugin = "invite", .runs = 1000, .most_bytes = UINT64_MAX};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
    claim.lease_ms = lease_ms;
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    claim.shares = NULL;
    return claim;
}

static int fence(struct fixture *fixture, const struct inbox_run *run, int64_t lease_ms) {
    struct inbox_lease_check operation = {.operation = {.kind = INBOX_LEASE_CHECK},
                                          .run = run->id,
                                          .token = run->token,
                                          .lease_ms = lease_ms};
    return fixture_do(fixture, &operation.operation);
}

/* Claims until a run comes: what is waited for is that a lease lapses. */
static struct inbox_claim wait_for_a_run(struct fixture *fixture) {
    for (int64_t until_ms = clock_monotonic_ms() + 60000;;) {
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
        if (claim.n_runs > 0) {
            return claim;
        }
        assert_true(clock_monotonic_ms() < until_ms);
        (void)usleep(2000);
    }
}

static void a_run_whose_lease_lapsed_is_due_again_and_late_words_are_stale(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    int64_t before_ms = clock_monotonic_ms();
    struct inbox_claim late = claim_for(fixture, 200);
    assert_int_equal(late.n_runs, 1);
    struct inbox_claim claim = wait_for_a_run(fixture);
    assert_true(clock_monotonic_ms() - before_ms >= 200);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].id, late.runs[0].id);
    assert_int_equal(claim.runs[0].attempt, 2);
    assert_int_equal(fence(fixture, &late.runs[0], 30000), INBOX_STALE);
    assert_int_equal(finish(fixture, &late.runs[0]), INBOX_STALE);
    assert_int_equal(fence(fixture, &claim.runs[0], 30000), 0);
    assert_int_equal(finish(fixture, &claim.runs[0]), 0);
    assert_int_equal(fence(fixture, &claim.runs[0], 30000), INBOX_STALE);
    inbox_runs_free(late.runs, late.n_runs);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_renewed_lease_does_not_lapse_and_says_which_runs_are_ours(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(put(fixture, guids[i]), INBOX_STORED);
    }
    struct inbox_claim claim = claim_for(fixture, 300);
    assert_int_equal(claim.n_runs, 4);
    assert_int_equal(finish(fixture, &claim.runs[1]), 0);
    struct inbox_held held[3] = {{claim.runs[0].id, claim.runs[0].token, false},
                                 {claim.runs[1].id, claim.runs[1].token, true},
                                 {claim.runs[2].id, claim.runs[2].token + 1, true}};
    struct inbox_renew renew = {
        .operation = {.kind = INBOX_RENEW}, .lease_ms = 3600000, .held = held, .n_held = 3};
    assert_int_equal(fixture_do(fixture, &renew.operation), 0);
    assert_true(held[0].ours);
    assert_false(held[1].ours);
    assert_false(held[2].ours);
    /* The fourth was not renewed: it lapses, the first does not. */
    struct inbox_claim lapsed = wait_for_a_run(fixture);
    for (size_t i = 0; i < lapsed.n_runs; i++) {
        assert_string_not_equal(lapsed.runs[i].guid, "a");
    }
    assert_int_equal(fence(fixture, &claim.runs[0], 300), 0);
    held[0].token++;
    assert_int_equal(fixture_do(fixture, &renew.operation), 0);
    assert_false(held[0].ours);
    inbox_runs_free(claim.runs, claim.n_runs);
    inbox_runs_free(lapsed.runs, lapsed.n_runs);
}

static void a_run_whose_host_died_before_it_began_is_due_again(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run runs[] = {{.plugin = "invite", .leased = true}};
    struct inbox_put operation = put_of("guid-1");
    operation.runs = runs;
    operation.host = fixture_host();
    operation.lease_ms = 200;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    struct inbox_claim claim = wait_for_a_run(fixture);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].id, runs[0].id);
    assert_int_equal(claim.runs[0].attempt, 2);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void the_only_host_is_elected_and_stays_so(void **state) {
    struct fixture *fixture = *state;
    struct inbox_elect elect = {.operation = {.kind = INBOX_ELECT}, .host = 42, .lease_ms = 30000};
    assert_int_equal(fixture_do(fixture, &elect.operation), 1);
    assert_int_equal(fixture_do(fixture, &elect.operation), 1);
}

/* Claims the one run there is, alone, and dies in it: its numbers; what it owned is gone. A file is
 * made ready by the next host that opens it, a run in a database when its lease has lapsed. */
static struct inbox_run die_in_the_run(struct fixture *fixture) {
    struct inbox_claim_share share = {
        .plugin = "invite", .runs = 1, .most_bytes = UINT64_MAX, .alone = true};
    struct inbox_claim claim;
    int64_t until_ms = clock_monotonic_ms() + 60000;
    do {
        claim = claim_of(&share, 1, FIXTURE_NOW);
        claim.lease_ms = 1;
        assert_int_equal(fixture_do(fixture, &claim.operation), 0);
        assert_true(clock_monotonic_ms() < until_ms);
    } while (claim.n_runs == 0);
    struct inbox_run run = claim.runs[0];
    inbox_runs_free(claim.runs, claim.n_runs);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    return run;
}

static void a_run_in_which_the_host_keeps_dying_is_suspected_and_its_crashes_count(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        bool suspect;
        int crashes;
    } want[] = {{false, 0}, {false, 0}, {true, 0}, {true, 1}, {true, 2}, {true, 3}};
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    for (int i = 0; i < 6; i++) {
        struct inbox_run run = die_in_the_run(fixture);
        assert_int_equal(run.attempt, i + 1);
        assert_int_equal(run.suspect, want[i].suspect);
        assert_int_equal(run.crashes, want[i].crashes);
    }
}

static void a_host_that_stops_in_order_between_two_deaths_clears_the_suspicion(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    (void)die_in_the_run(fixture);
    struct inbox_claim claim = wait_for_a_run(fixture);
    struct inbox_finish given_back = finish_of(&claim.runs[0], INBOX_REQUEUE);
    given_back.due_ms = FIXTURE_NOW;
    given_back.label = "requeued";
    assert_int_equal(fixture_do(fixture, &given_back.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    (void)die_in_the_run(fixture);
    struct inbox_run run = die_in_the_run(fixture);
    assert_false(run.suspect);
    /* An attempt that was given back does not count. */
    assert_int_equal(run.attempt, 3);
}

/* Claims the one run there is, under a lease that has expired when this returns. */
static struct inbox_claim claim_and_stall(struct fixture *fixture) {
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    struct inbox_claim claim = claim_for(fixture, 1);
    assert_int_equal(claim.n_runs, 1);
    (void)usleep(20000);
    return claim;
}

static void a_claim_leaves_out_the_runs_that_its_host_holds_in_memory(void **state) {
    struct fixture *fixture = *state;
    struct inbox_claim stalled = claim_and_stall(fixture);
    struct inbox_claim_share share = {.plugin = "invite", .runs = 1000, .most_bytes = UINT64_MAX};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
    const int64_t live[] = {stalled.runs[0].token + 1, stalled.runs[0].token};
    claim.live = live;
    claim.n_live = 2;
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    assert_int_equal(claim.n_runs, 0);
    assert_int_equal(finish(fixture, &stalled.runs[0]), 0); /* it is still ours */
    inbox_runs_free(stalled.runs, stalled.n_runs);
}

static void a_run_that_its_host_does_not_hold_in_memory_is_claimed_again_unmarked(void **state) {
    struct fixture *fixture = *state;
    struct inbox_claim lost = claim_and_stall(fixture);
    struct inbox_claim claim = wait_for_a_run(fixture);
    assert_int_equal(claim.n_runs, 1);
    assert_true(claim.runs[0].token != lost.runs[0].token);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM runs WHERE"
                                                           " label = 'host_died' OR suspect"),
                     0);
    inbox_runs_free(lost.runs, lost.n_runs);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void an_intent_renews_an_expired_lease_that_nobody_took(void **state) {
    struct fixture *fixture = *state;
    struct inbox_claim stalled = claim_and_stall(fixture);
    struct inbox_intend intend = {
        .operation = {.kind = INBOX_INTEND},
        .writer = {.run = stalled.runs[0].id, .token = stalled.runs[0].token, .lease_ms = 3600000}};
    assert_int_equal(fixture_do(fixture, &intend.operation), 0);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 0);
    assert_int_equal(finish(fixture, &stalled.runs[0]), 0);
    inbox_runs_free(stalled.runs, stalled.n_runs);
}

static void a_run_that_was_discarded_and_retried_has_another_token(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "guid-1"), INBOX_STORED);
    struct inbox_claim old = claim_for(fixture, 30000);
    struct inbox_change change = {
        .operation = {.kind = INBOX_DISCARD}, .guid = "guid-1", .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &change.operation), 0);
    change.operation.kind = INBOX_RERUN;
    assert_int_equal(fixture_do(fixture, &change.operation), 0);
    struct inbox_claim claim = claim_for(fixture, 30000);
    assert_int_equal(claim.runs[0].id, old.runs[0].id);
    assert_int_equal(claim.runs[0].attempt, old.runs[0].attempt);
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(&old.runs[0], NULL, 0)};
    assert_int_equal(fixture_do(fixture, &intend.operation), INBOX_STALE);
    assert_int_equal(fence(fixture, &old.runs[0], 30000), INBOX_STALE);
    assert_int_equal(finish(fixture, &old.runs[0]), INBOX_STALE);
    assert_int_equal(finish(fixture, &claim.runs[0]), 0);
    inbox_runs_free(old.runs, old.n_runs);
    inbox_runs_free(claim.runs, claim.n_runs);
}

size_t contract_lease_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_run_whose_lease_lapsed_is_due_again_and_late_words_are_stale),
        CONTRACT(a_renewed_lease_does_not_lapse_and_says_which_runs_are_ours),
        CONTRACT(a_run_whose_host_died_before_it_began_is_due_again),
        CONTRACT(a_run_in_which_the_host_keeps_dying_is_suspected_and_its_crashes_count),
        CONTRACT(a_host_that_stops_in_order_between_two_deaths_clears_the_suspicion),
        CONTRACT(a_claim_leaves_out_the_runs_that_its_host_holds_in_memory),
        CONTRACT(a_run_that_its_host_does_not_hold_in_memory_is_claimed_again_unmarked),
        CONTRACT(an_intent_renews_an_expired_lease_that_nobody_took),
        CONTRACT(a_run_that_was_discarded_and_retried_has_another_token),
        CONTRACT(the_only_host_is_elected_and_stays_so),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
