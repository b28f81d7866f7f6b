/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about what GitHub makes installations wait. */
#include "inbox_contract.h"

#include <stdlib.h>

static int put_wait(struct fixture *fixture, const char *installation, int64_t all_ms,
                    int64_t search_ms) {
    struct inbox_rate_limit wait = {
        .operation = {.kind = INBOX_RATE_LIMIT_PUT},
        .installation = installation,
        .until_ms = {[INBOX_RATE_LIMIT_ALL] = all_ms, [INBOX_RATE_LIMIT_SEARCH] = search_ms}};
    return fixture_do(fixture, &wait.operation);
}

static void expect_wait(struct fixture *fixture, const char *installation, int64_t all_ms,
                        int64_t search_ms) {
    struct inbox_rate_limit wait = {.operation = {.kind = INBOX_RATE_LIMIT_GET},
                                    .installation = installation,
                                    .until_ms = {1, 2, 3}}; /* whatever was there */
    assert_int_equal(fixture_do(fixture, &wait.operation), 0);
    assert_int_equal(wait.until_ms[INBOX_RATE_LIMIT_ALL], all_ms);
    assert_int_equal(wait.until_ms[INBOX_RATE_LIMIT_SEARCH], search_ms);
    assert_int_equal(wait.until_ms[INBOX_RATE_LIMIT_GRAPHQL], 0);
}

static void the_latest_wait_of_an_installation_lasts(void **state) {
    struct fixture *fixture = *state;
    expect_wait(fixture, "7", 0, 0);
    assert_int_equal(put_wait(fixture, "7", FIXTURE_NOW + 60000, 0), 0);
    assert_int_equal(put_wait(fixture, "7", FIXTURE_NOW + 5, FIXTURE_NOW + 10), 0);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    expect_wait(fixture, "7", FIXTURE_NOW + 60000, FIXTURE_NOW + 10);
    expect_wait(fixture, "8", 0, 0);
}

static void expect_next(struct fixture *fixture, int64_t now_ms, size_t n_runs, int64_t next_ms) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
    assert_int_equal(claim.n_runs, n_runs);
    assert_int_equal(claim.next_due_ms, next_ms);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void runs_of_an_installation_that_waits_are_not_claimed(void **state) {
    struct fixture *fixture = *state;
    int64_t end_ms = FIXTURE_NOW + 60000;
    struct inbox_put before = put_of("before"), after = put_of("after"), other = put_of("other"),
                     later = put_of("later");
    other.installation = "8";
    later.due_ms = end_ms + 1;
    assert_int_equal(fixture_do(fixture, &before.operation), INBOX_STORED);
    assert_int_equal(fixture_do(fixture, &later.operation), INBOX_STORED);
    assert_int_equal(fixture_do(fixture, &other.operation), INBOX_STORED);
    assert_int_equal(put_wait(fixture, "7", end_ms, 0), 0);
    assert_int_equal(fixture_do(fixture, &after.operation), INBOX_STORED);
    expect_next(fixture, FIXTURE_NOW, 1, end_ms); /* the other's */
    expect_next(fixture, end_ms - 1, 0, end_ms);
    expect_next(fixture, end_ms, 2, end_ms + 1);
}

static void a_run_that_was_to_be_leased_is_queued_while_its_installation_waits(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run runs[] = {{.plugin = "invite", .leased = true}};
    struct inbox_put operation = put_of("one");
    operation.runs = runs;
    operation.n_runs = 1;
    operation.host = 77;
    operation.lease_ms = 30000;
    assert_int_equal(put_wait(fixture, "7", FIXTURE_NOW + 60000, 0), 0);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    assert_int_equal(runs[0].id, 0);
    expect_next(fixture, FIXTURE_NOW, 0, FIXTURE_NOW + 60000);
    expect_next(fixture, FIXTURE_NOW + 60000, 1, INT64_MAX);
}

static void put_many(struct fixture *fixture, const char *installation, int n, int64_t due_ms) {
    for (int i = 0; i < n; i++) {
        char guid[64];
        snprintf(guid, sizeof guid, "%s-%d", installation, i);
        struct inbox_put operation = put_of(guid);
        operation.installation = installation;
        operation.due_ms = due_ms + i;
        assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    }
}

static struct inbox_claim claim_some(struct fixture *fixture, uint32_t runs) {
    struct inbox_claim_share share = {
        .plugin = "invite", .runs = runs, .most_bytes = UINT64_MAX, .alone = true};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    return claim;
}

static void installations_take_turns(void **state) {
    struct fixture *fixture = *state;
    put_many(fixture, "5", 40, FIXTURE_NOW - 10000);
    put_many(fixture, "7", 2, FIXTURE_NOW - 10);
    put_many(fixture, "11", 1, FIXTURE_NOW - 5);
    static const char *const wanted[] = {"11", "5", "7", "5", "7", "5", "5"};
    for (size_t i = 0; i < 7; i++) {
        struct inbox_claim claim = claim_some(fixture, 1);
        assert_int_equal(claim.n_runs, 1);
        assert_string_equal(claim.runs[0].installation, wanted[i]);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    put_many(fixture, "9", 3, FIXTURE_NOW - 5);
    struct inbox_claim claim = claim_some(fixture, 6);
    int of_nine = 0;
    assert_int_equal(claim.n_runs, 6);
    for (size_t i = 0; i < 6; i++) {
        of_nine += strcmp(claim.runs[i].installation, "9") == 0;
    }
    assert_int_equal(of_nine, 3);
    inbox_runs_free(claim.runs, claim.n_runs);
    claim = claim_some(fixture, 100);
    assert_int_equal(claim.n_runs, 33);
    for (size_t i = 1; i < 33; i++) {
        assert_true(claim.runs[i].due_ms > claim.runs[i - 1].due_ms);
    }
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_long_queue_that_waits_is_delayed_bit_by_bit_and_holds_up_no_other(void **state) {
    struct fixture *fixture = *state;
    enum { MANY = 1200 };
    put_many(fixture, "5", MANY, FIXTURE_NOW - 10000);
    put_many(fixture, "7", 1, FIXTURE_NOW);
    struct inbox_rate_limit limit = {.operation = {.kind = INBOX_RATE_LIMIT_PUT},
                                     .installation = "5",
                                     .until_ms = {[INBOX_RATE_LIMIT_ALL] = FIXTURE_NOW + 60000}};
    assert_int_equal(fixture_do(fixture, &limit.operation), 0);
    assert_true(fixture->store->query(fixture->place, "SELECT count(*) FROM runs WHERE due_ms <="
                                                      " 1700000000000") > MANY / 2);
    struct inbox_claim claim = claim_some(fixture, 10);
    assert_int_equal(claim.n_runs, 1);
    assert_string_equal(claim.runs[0].installation, "7");
    inbox_runs_free(claim.runs, claim.n_runs);
    for (int i = 0; i < 4; i++) {
        claim = claim_some(fixture, 10);
        assert_int_equal(claim.n_runs, 0);
    }
    assert_int_equal(claim.next_due_ms, FIXTURE_NOW + 60000);
}

static void a_wait_for_searches_holds_up_no_run(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put operation = put_of("one");
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    assert_int_equal(put_wait(fixture, "7", 0, FIXTURE_NOW + 60000), 0);
    expect_next(fixture, FIXTURE_NOW, 1, INT64_MAX);
}

static struct inbox_claim park(struct fixture *fixture, const char *guid) {
    struct inbox_put operation = put_of(guid);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    struct inbox_finish finish = finish_of(&claim.runs[0], INBOX_PARK);
    finish.label = "parked";
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    return claim;
}

static int64_t put_installation(struct fixture *fixture, const char *guid, const char *action,
                                const char *installation) {
    struct inbox_put operation = put_of(guid);
    operation.event = "installation";
    operation.action = action;
    operation.installation = installation;
    operation.n_runs = 0;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    return operation.unparked;
}

static void a_parked_run_waits_until_its_installation_gives(void **state) {
    struct fixture *fixture = *state;
    struct inbox_claim parked = park(fixture, "one");
    inbox_runs_free(parked.runs, parked.n_runs);
    expect_next(fixture, FIXTURE_NOW + INT64_C(86400000) * 365, 0, INT64_MAX);
    assert_int_equal(put_installation(fixture, "a", "new_permissions_accepted", "8"), 0);
    assert_int_equal(put_installation(fixture, "b", "suspend", "7"), 0);
    expect_next(fixture, FIXTURE_NOW, 0, INT64_MAX);
    assert_int_equal(put_installation(fixture, "c", "new_permissions_accepted", "7"), 1);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 1); /* none was lost */
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_parked_run_is_counted_and_its_guid_seen_again_makes_it_due(void **state) {
    struct fixture *fixture = *state;
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    struct inbox_claim parked = park(fixture, "one");
    inbox_runs_free(parked.runs, parked.n_runs);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.parked, 1);
    assert_int_equal(stats.queued, 0);
    struct inbox_put again = put_of("one");
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_DUPLICATE);
    expect_next(fixture, FIXTURE_NOW, 1, INT64_MAX);
}

/* Parks what it claims of a delivery; a grant of its installation comes before or after the claim.
 */
static int park_around_grant(struct fixture *fixture, bool while_running) {
    struct inbox_put operation = put_of("one");
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    if (!while_running) {
        assert_int_equal(put_installation(fixture, "a", "created", "7"), 0);
    }
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    if (while_running) {
        assert_int_equal(put_installation(fixture, "a", "created", "7"), 0);
    }
    struct inbox_finish finish = finish_of(&claim.runs[0], INBOX_PARK);
    finish.label = "parked";
    int result = fixture_do(fixture, &finish.operation);
    inbox_runs_free(claim.runs, claim.n_runs);
    return result;
}

static void a_grant_while_a_run_runs_makes_its_parking_a_requeue(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(park_around_grant(fixture, true), INBOX_GRANTED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 60000);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 1); /* none was lost */
    struct inbox_finish finish = finish_of(&claim.runs[0], INBOX_PARK);
    finish.label = "parked";
    assert_int_equal(fixture_do(fixture, &finish.operation), 0); /* the grant helped once */
    inbox_runs_free(claim.runs, claim.n_runs);
    expect_next(fixture, FIXTURE_NOW + 60000, 0, INT64_MAX);
}

static void a_grant_before_an_attempt_began_does_not_keep_it_from_parking(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(park_around_grant(fixture, false), 0);
    expect_next(fixture, FIXTURE_NOW + 60000, 0, INT64_MAX);
}

static void a_grant_of_an_attempt_that_was_taken_back_does_not_concern_the_next(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put operation = put_of("one");
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    for (int attempt = 0; attempt < 2; attempt++) {
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 60000);
        assert_int_equal(claim.n_runs, 1);
        if (attempt == 0) {
            assert_int_equal(put_installation(fixture, "a", "unsuspend", "7"), 0);
        }
        struct inbox_finish finish =
            finish_of(&claim.runs[0], attempt == 0 ? INBOX_REQUEUE : INBOX_PARK);
        assert_int_equal(fixture_do(fixture, &finish.operation), 0);
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    expect_next(fixture, FIXTURE_NOW + 60000, 0, INT64_MAX);
}

static void parked_runs_end_when_the_app_is_uninstalled(void **state) {
    struct fixture *fixture = *state;
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    struct inbox_claim parked = park(fixture, "one");
    inbox_runs_free(parked.runs, parked.n_runs);
    assert_int_equal(put_installation(fixture, "a", "deleted", "8"), 0);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.parked, 1);
    assert_int_equal(put_installation(fixture, "b", "deleted", "7"), 0);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.parked, 0);
    assert_int_equal(stats.dead, 1);
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .state = "dead", .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    assert_string_equal(list.entries[0].label, "uninstalled");
    inbox_entries_free(list.entries, list.n_entries);
}

static void a_run_that_parks_after_the_uninstallation_is_tried_once_more(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put operation = put_of("one");
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(put_installation(fixture, "a", "deleted", "7"), 0);
    struct inbox_finish finish = finish_of(&claim.runs[0], INBOX_PARK);
    finish.label = "parked";
    assert_int_equal(fixture_do(fixture, &finish.operation), INBOX_GRANTED);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_duplicate_of_a_grant_makes_parked_runs_due(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run runs[] = {{.plugin = "greet"}};
    struct inbox_put grant = put_of("a");
    grant.event = "installation";
    grant.action = "created";
    grant.runs = runs;
    grant.n_runs = 1;
    assert_int_equal(fixture_do(fixture, &grant.operation), INBOX_STORED);
    struct inbox_claim parked = park(fixture, "one");
    inbox_runs_free(parked.runs, parked.n_runs);
    assert_int_equal(fixture_do(fixture, &grant.operation), INBOX_DUPLICATE);
    assert_int_equal(grant.unparked, 1);
    expect_next(fixture, FIXTURE_NOW, 1, INT64_MAX);
}

static void many_installations_with_later_runs_hold_up_no_due_run(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 300; i++) {
        char installation[16];
        snprintf(installation, sizeof installation, "%d", 1000 + i);
        put_many(fixture, installation, 1, FIXTURE_NOW + 3600000);
    }
    put_many(fixture, "9", 1, FIXTURE_NOW);
    size_t n_runs = 0;
    for (int i = 0; i < 4 && n_runs == 0; i++) {
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
        n_runs = claim.n_runs;
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    assert_int_equal(n_runs, 1);
}

static struct inbox_installation_release release_of(const char *installation, int64_t now_ms) {
    return (struct inbox_installation_release){.operation = {.kind = INBOX_INSTALLATION_RELEASE},
                                               .installation = installation,
                                               .now_ms = now_ms};
}

static void a_release_ends_the_limits_and_makes_runs_due_that_waited_for_them(void **state) {
    struct fixture *fixture = *state;
    int64_t end_ms = FIXTURE_NOW + 60000;
    struct inbox_put before = put_of("before"), other = put_of("other"),
                     retried = put_of("retried");
    other.installation = "8";
    assert_int_equal(fixture_do(fixture, &retried.operation), INBOX_STORED);
    struct inbox_run run = fixture_claim_one(fixture);
    struct inbox_finish retry = finish_of(&run, INBOX_RETRY);
    retry.label = "retry";
    retry.due_ms = end_ms + 5000;
    assert_int_equal(fixture_do(fixture, &retry.operation), 0);
    inbox_run_finish(&run);
    assert_int_equal(fixture_do(fixture, &before.operation), INBOX_STORED);
    assert_int_equal(fixture_do(fixture, &other.operation), INBOX_STORED);
    assert_int_equal(put_wait(fixture, "7", end_ms, end_ms), 0);
    assert_int_equal(put_wait(fixture, "8", end_ms, 0), 0);
    struct inbox_installation_release release = release_of("7", FIXTURE_NOW + 1);
    assert_int_equal(fixture_do(fixture, &release.operation), 0);
    assert_int_equal(release.limits, 1);
    assert_int_equal(release.delayed, 1);
    assert_int_equal(release.parked, 0);
    expect_wait(fixture, "7", 0, 0);
    expect_wait(fixture, "8", end_ms, 0);
    struct inbox_rate_limit read = {.operation = {.kind = INBOX_RATE_LIMIT_GET},
                                    .installation = "7"};
    assert_int_equal(fixture_do(fixture, &read.operation), 0);
    assert_int_equal(read.released_ms, FIXTURE_NOW + 1);
    /* The retry goes on waiting, like the other installation. */
    expect_next(fixture, FIXTURE_NOW + 1, 1, end_ms);
    /* A limit that GitHub sets later counts again. */
    assert_int_equal(put_wait(fixture, "7", end_ms, 0), 0);
    expect_wait(fixture, "7", end_ms, 0);
    assert_int_equal(fixture_do(fixture, &release.operation), 0);
    release = release_of("9", FIXTURE_NOW + 1);
    assert_int_equal(fixture_do(fixture, &release.operation), 0);
    assert_int_equal(release.limits, 0);
}

static void installations_that_wait_are_listed_and_their_parked_runs_released(void **state) {
    struct fixture *fixture = *state;
    int64_t end_ms = FIXTURE_NOW + 60000;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_finish park = finish_of(&run, INBOX_PARK);
    park.label = "parked";
    park.reason = "members: write is not granted";
    assert_int_equal(fixture_do(fixture, &park.operation), 0);
    inbox_run_finish(&run);
    assert_int_equal(put_wait(fixture, "8", 0, end_ms), 0);
    assert_int_equal(put_wait(fixture, "9", FIXTURE_NOW, 0), 0);
    struct inbox_installations list = {.operation = {.kind = INBOX_INSTALLATIONS},
                                       .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_rows, 2);
    assert_string_equal(list.rows[0].installation, "8");
    assert_int_equal(list.rows[0].until_ms[INBOX_RATE_LIMIT_SEARCH], end_ms);
    assert_string_equal(list.rows[0].plugin, "");
    assert_string_equal(list.rows[1].installation, "7");
    assert_string_equal(list.rows[1].plugin, "invite");
    assert_int_equal(list.rows[1].parked, 1);
    assert_string_equal(list.rows[1].reason, park.reason);
    assert_string_equal(list.rows[0].repository, "");
    assert_string_equal(list.rows[1].repository, "octo/cat");
    free(list.rows);
    struct inbox_installation_release release = release_of("7", FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &release.operation), 0);
    assert_int_equal(release.parked, 1);
    run = fixture_claim_one(fixture);
    assert_string_equal(run.guid, "guid-1");
    inbox_run_finish(&run);
}

size_t contract_wait_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_release_ends_the_limits_and_makes_runs_due_that_waited_for_them),
        CONTRACT(installations_that_wait_are_listed_and_their_parked_runs_released),
        CONTRACT(the_latest_wait_of_an_installation_lasts),
        CONTRACT(runs_of_an_installation_that_waits_are_not_claimed),
        CONTRACT(a_run_that_was_to_be_leased_is_queued_while_its_installation_waits),
        CONTRACT(installations_take_turns),
        CONTRACT(a_long_queue_that_waits_is_delayed_bit_by_bit_and_holds_up_no_other),
        CONTRACT(a_wait_for_searches_holds_up_no_run),
        CONTRACT(many_installations_with_later_runs_hold_up_no_due_run),
        CONTRACT(a_parked_run_waits_until_its_installation_gives),
        CONTRACT(a_parked_run_is_counted_and_its_guid_seen_again_makes_it_due),
        CONTRACT(a_grant_while_a_run_runs_makes_its_parking_a_requeue),
        CONTRACT(a_grant_before_an_attempt_began_does_not_keep_it_from_parking),
        CONTRACT(a_grant_of_an_attempt_that_was_taken_back_does_not_concern_the_next),
        CONTRACT(parked_runs_end_when_the_app_is_uninstalled),
        CONTRACT(a_run_that_parks_after_the_uninstallation_is_tried_once_more),
        CONTRACT(a_duplicate_of_a_grant_makes_parked_runs_due),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
