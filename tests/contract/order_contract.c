/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about order: runs of one key go one at a time, in the
 * order in which their deliveries were committed. */
#include "inbox_contract.h"

#include "base/clock.h"

#include <unistd.h>

#define FIVE_MINUTES 300000

/* Puts a delivery of this item, whose run of "invite" has the order. */
static struct inbox_put_run put(struct fixture *fixture, const char *guid, const char *item,
                                enum inbox_order order, bool leased) {
    struct inbox_put_run run = {.plugin = "invite", .order = order, .leased = leased};
    struct inbox_put operation = put_of(guid);
    operation.item = item;
    operation.runs = &run;
    operation.host = fixture_host();
    operation.lease_ms = 30000;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    return run;
}

static void put_item(struct fixture *fixture, const char *guid, const char *item) {
    (void)put(fixture, guid, item, INBOX_ORDER_ITEM, false);
}

/* Claims what is due; exactly the run of this delivery comes. NULL: nothing comes. */
static struct inbox_run claim_only(struct fixture *fixture, const char *guid, int64_t now_ms) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
    if (claim.n_runs == 0 && guid && claim.next_due_ms <= now_ms) {
        /* A run has only just joined its line. */
        claim = fixture_claim(fixture, "invite", now_ms);
    }
    assert_int_equal(claim.n_runs, guid ? 1 : 0);
    struct inbox_run run = {0};
    if (guid) {
        assert_string_equal(claim.runs[0].guid, guid);
        run = claim.runs[0];
    }
    free(claim.runs);
    return run;
}

static struct inbox_finish end(struct fixture *fixture, struct inbox_run *run,
                               enum inbox_finish_how how, int64_t due_ms, bool keeps_place) {
    struct inbox_finish finish = finish_of(run, how);
    finish.due_ms = due_ms;
    finish.keeps_place = keeps_place;
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(run);
    return finish;
}

static void done(struct fixture *fixture, struct inbox_run run) {
    (void)end(fixture, &run, INBOX_DONE, INT64_MAX, false);
}

static void change(struct fixture *fixture, enum inbox_kind kind, const char *guid) {
    struct inbox_change operation = {
        .operation = {.kind = kind}, .guid = guid, .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
    assert_int_equal(operation.runs, 1);
}

static void runs_of_one_item_go_one_at_a_time_as_they_were_committed(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"c", "a", "d", "b"};
    for (size_t i = 0; i < 4; i++) {
        put_item(fixture, guids[i], "99#1");
    }
    for (size_t i = 0; i < 4; i++) {
        struct inbox_run run = claim_only(fixture, guids[i], FIXTURE_NOW);
        assert_string_equal(run.order_key, "item 99#1");
        (void)claim_only(fixture, NULL, FIXTURE_NOW);
        struct inbox_finish finish = end(fixture, &run, INBOX_DONE, INT64_MAX, false);
        assert_int_equal(finish.next_due_ms, i < 3 ? FIXTURE_NOW : INT64_MAX);
    }
}

static void only_runs_of_the_same_key_and_plugin_wait_for_each_other(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "same", "99#1");
    put_item(fixture, "other", "99#2");
    put_item(fixture, "none", "");
    put_item(fixture, "none too", "");
    (void)put(fixture, "unordered", "99#1", INBOX_ORDER_NONE, false);
    (void)put(fixture, "repository", "99#1", INBOX_ORDER_REPOSITORY, false);
    (void)put(fixture, "same repository", "99#2", INBOX_ORDER_REPOSITORY, false);
    (void)put(fixture, "installation", "", INBOX_ORDER_INSTALLATION, false);
    (void)put(fixture, "same installation", "", INBOX_ORDER_INSTALLATION, false);
    struct inbox_put_run ping = {.plugin = "ping", .order = INBOX_ORDER_ITEM};
    struct inbox_put of_ping = put_of("ping's");
    of_ping.item = "99#1";
    of_ping.runs = &ping;
    assert_int_equal(fixture_do(fixture, &of_ping.operation), INBOX_STORED);
    static const char *const wanted[][2] = {{"first", "item 99#1"},
                                            {"other", "item 99#2"},
                                            {"none", ""},
                                            {"none too", ""},
                                            {"unordered", ""},
                                            {"repository", "repository 99"},
                                            {"installation", "installation 7"}};
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(claim.runs[i].guid, wanted[i][0]);
        assert_string_equal(claim.runs[i].order_key, wanted[i][1]);
    }
    struct inbox_claim pings = fixture_claim(fixture, "ping", FIXTURE_NOW);
    assert_int_equal(pings.n_runs, 1);
    inbox_runs_free(pings.runs, pings.n_runs);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_run_is_leased_at_insertion_only_if_its_key_is_free(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run first = put(fixture, "first", "99#1", INBOX_ORDER_ITEM, true);
    assert_true(first.id > 0);
    struct inbox_put_run second = put(fixture, "second", "99#1", INBOX_ORDER_ITEM, true);
    assert_int_equal(second.id, 0);
    assert_true(put(fixture, "other", "99#2", INBOX_ORDER_ITEM, true).id > 0);
    fixture_expect_stats(fixture, 0, 2, 0);
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    struct inbox_run run = {.id = first.id, .token = first.token, .order_key = "item 99#1"};
    done(fixture, run);
    done(fixture, claim_only(fixture, "second", FIXTURE_NOW));
    assert_true(put(fixture, "third", "99#1", INBOX_ORDER_ITEM, true).id > 0);
}

static void two_puts_of_a_group_are_leased_one_at_a_time(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put puts[3];
    struct inbox_put_run runs[3];
    static const char *const guids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        runs[i] =
            (struct inbox_put_run){.plugin = "invite", .order = INBOX_ORDER_ITEM, .leased = true};
        puts[i] = put_of(guids[i]);
        puts[i].runs = &runs[i];
        puts[i].host = fixture_host();
        puts[i].lease_ms = 30000;
        fixture_submit(fixture, &puts[i].operation);
    }
    fixture_wait(fixture, 3);
    assert_true(runs[0].id > 0);
    assert_int_equal(runs[1].id, 0);
    assert_int_equal(runs[2].id, 0);
}

static void a_failed_run_keeps_its_place(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    struct inbox_run run = claim_only(fixture, "first", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + FIVE_MINUTES, true);
    (void)claim_only(fixture, NULL, FIXTURE_NOW + FIVE_MINUTES - 1);
    run = claim_only(fixture, "first", FIXTURE_NOW + FIVE_MINUTES);
    assert_int_equal(run.attempt, 2);
    done(fixture, run);
    done(fixture, claim_only(fixture, "second", FIXTURE_NOW));
}

static void a_run_that_gave_its_place_up_is_passed_until_it_is_due(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    put_item(fixture, "third", "99#1");
    struct inbox_run run = claim_only(fixture, "first", FIXTURE_NOW);
    struct inbox_finish finish = end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + FIVE_MINUTES, false);
    assert_int_equal(finish.next_due_ms, FIXTURE_NOW);
    struct inbox_run second = claim_only(fixture, "second", FIXTURE_NOW);
    /* It is due while another run is running: it waits, and is the next. */
    (void)claim_only(fixture, NULL, FIXTURE_NOW + FIVE_MINUTES);
    done(fixture, second);
    done(fixture, claim_only(fixture, "first", FIXTURE_NOW + FIVE_MINUTES));
    run = claim_only(fixture, "third", FIXTURE_NOW + FIVE_MINUTES);
    /* It is the only one of its key, and still waits. */
    (void)end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + 2 * FIVE_MINUTES, false);
    (void)claim_only(fixture, NULL, FIXTURE_NOW + 2 * FIVE_MINUTES - 1);
    done(fixture, claim_only(fixture, "third", FIXTURE_NOW + 2 * FIVE_MINUTES));
}

static void a_run_without_an_order_is_due_again_whatever_its_place(void **state) {
    struct fixture *fixture = *state;
    (void)put(fixture, "free", "99#1", INBOX_ORDER_NONE, false);
    struct inbox_run run = claim_only(fixture, "free", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + 5, false);
    fixture_expect_stats(fixture, 1, 0, 0);
    done(fixture, claim_only(fixture, "free", FIXTURE_NOW + 5));
}

static void dead_and_parked_runs_are_passed(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "dies", "99#1");
    put_item(fixture, "parks", "99#1");
    put_item(fixture, "third", "99#1");
    put_item(fixture, "fourth", "99#1");
    struct inbox_run run = claim_only(fixture, "dies", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_DEAD, INT64_MAX, false);
    run = claim_only(fixture, "parks", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_PARK, FIXTURE_NOW, false);
    struct inbox_run third = claim_only(fixture, "third", FIXTURE_NOW);
    struct inbox_put granted = put_of("granted");
    granted.event = "installation";
    granted.action = "new_permissions_accepted";
    granted.n_runs = 0;
    assert_int_equal(fixture_do(fixture, &granted.operation), INBOX_STORED);
    assert_int_equal(granted.unparked, 1);
    /* The parked one is due, but not alone; then it is first. */
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    done(fixture, third);
    done(fixture, claim_only(fixture, "parks", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "fourth", FIXTURE_NOW));
}

static void a_requeued_run_keeps_its_place(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    for (int i = 0; i < 3; i++) {
        struct inbox_run run = claim_only(fixture, "first", FIXTURE_NOW);
        assert_int_equal(run.attempt, 1);
        (void)end(fixture, &run, INBOX_REQUEUE, FIXTURE_NOW, true);
    }
}

static void a_retry_by_hand_takes_the_place_of_a_run_that_waits(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "waits", "99#1");
    put_item(fixture, "second", "99#1");
    put_item(fixture, "third", "99#1");
    struct inbox_run run = claim_only(fixture, "waits", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + FIVE_MINUTES, true);
    change(fixture, INBOX_RERUN, "third");
    done(fixture, claim_only(fixture, "third", FIXTURE_NOW));
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    change(fixture, INBOX_RERUN, "waits");
    done(fixture, claim_only(fixture, "waits", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "second", FIXTURE_NOW));
}

static void a_retry_by_hand_is_the_next_after_a_run_that_is_running(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "dies", "99#1");
    put_item(fixture, "second", "99#1");
    put_item(fixture, "third", "99#1");
    struct inbox_run run = claim_only(fixture, "dies", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_DEAD, INT64_MAX, false);
    struct inbox_run second = claim_only(fixture, "second", FIXTURE_NOW);
    change(fixture, INBOX_RERUN, "dies");
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    done(fixture, second);
    done(fixture, claim_only(fixture, "dies", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "third", FIXTURE_NOW));
}

static void discarding_a_run_frees_its_key(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    put_item(fixture, "third", "99#1");
    change(fixture, INBOX_DISCARD, "first");
    struct inbox_run second = claim_only(fixture, "second", FIXTURE_NOW);
    change(fixture, INBOX_DISCARD, "second");
    done(fixture, claim_only(fixture, "third", FIXTURE_NOW));
    struct inbox_finish late = finish_of(&second, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &late.operation), INBOX_STALE);
    inbox_run_finish(&second);
}

static void a_run_whose_lease_lapsed_goes_before_the_others_again(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    struct inbox_claim_share share = {
        .plugin = "invite", .runs = 1000, .payload_bytes = UINT64_MAX};
    struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
    claim.lease_ms = 1;
    assert_int_equal(fixture_do(fixture, &claim.operation), 0);
    assert_int_equal(claim.n_runs, 1);
    struct inbox_claim again = {0};
    for (int64_t until_ms = clock_monotonic_ms() + 60000; again.n_runs == 0;) {
        assert_true(clock_monotonic_ms() < until_ms);
        (void)usleep(2000);
        again = fixture_claim(fixture, "invite", FIXTURE_NOW);
    }
    assert_int_equal(again.n_runs, 1);
    assert_string_equal(again.runs[0].guid, "first");
    struct inbox_finish late = finish_of(&claim.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &late.operation), INBOX_STALE);
    assert_int_equal(late.next_due_ms, INT64_MAX);
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    struct inbox_finish ours = finish_of(&again.runs[0], INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &ours.operation), 0);
    inbox_runs_free(claim.runs, claim.n_runs);
    inbox_runs_free(again.runs, again.n_runs);
    done(fixture, claim_only(fixture, "second", FIXTURE_NOW));
}

static void a_redelivery_waits_for_the_run_that_holds_its_key(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    done(fixture, claim_only(fixture, "first", FIXTURE_NOW));
    put_item(fixture, "second", "99#1");
    put_item(fixture, "third", "99#1");
    struct inbox_run second = claim_only(fixture, "second", FIXTURE_NOW);
    struct inbox_put_run run = {.plugin = "invite", .order = INBOX_ORDER_ITEM, .leased = true};
    struct inbox_put again = put_of("first");
    again.item = "99#1";
    again.runs = &run;
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_REDELIVERED);
    assert_int_equal(run.id, 0);
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_DUPLICATE);
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    done(fixture, second);
    done(fixture, claim_only(fixture, "first", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "third", FIXTURE_NOW));
}

static void runs_of_a_plugin_that_is_gone_end_and_free_their_key(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "old", "99#1");
    struct inbox_put_run run = {.plugin = "invite", .order = INBOX_ORDER_ITEM};
    struct inbox_put recent = put_of("recent");
    recent.item = "99#1";
    recent.received_ms = FIXTURE_NOW + 10;
    recent.runs = &run;
    assert_int_equal(fixture_do(fixture, &recent.operation), INBOX_STORED);
    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .now_ms = FIXTURE_NOW,
                                .done_before_ms = FIXTURE_NOW + 5,
                                .dead_before_ms = FIXTURE_NOW - 5,
                                .configured = "\nping\n",
                                .most = 10,
                                .most_bytes = 1000};
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    assert_int_equal(prune.ended, 1);
    done(fixture, claim_only(fixture, "recent", FIXTURE_NOW + 10));
}

static void a_list_shows_who_blocks_a_run_and_who_is_passed(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .state = "blocked", .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    assert_string_equal(list.entries[0].guid, "second");
    assert_string_equal(list.entries[0].state, "blocked");
    assert_string_equal(list.entries[0].order_key, "item 99#1");
    assert_string_equal(list.entries[0].behind, "first");
    assert_false(list.entries[0].outside);
    inbox_entries_free(list.entries, list.n_entries);
    struct inbox_run run = claim_only(fixture, "first", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + 5, false);
    list = (struct inbox_list){.operation = {.kind = INBOX_LIST}, .guid = "first", .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    assert_true(list.entries[0].outside);
    assert_int_equal(list.entries[0].due_ms, FIXTURE_NOW + 5);
    inbox_entries_free(list.entries, list.n_entries);
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.blocked, 1);
    assert_int_equal(stats.queued, 1);
}

size_t contract_order_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(runs_of_one_item_go_one_at_a_time_as_they_were_committed),
        CONTRACT(only_runs_of_the_same_key_and_plugin_wait_for_each_other),
        CONTRACT(a_run_is_leased_at_insertion_only_if_its_key_is_free),
        CONTRACT(two_puts_of_a_group_are_leased_one_at_a_time),
        CONTRACT(a_failed_run_keeps_its_place),
        CONTRACT(a_run_that_gave_its_place_up_is_passed_until_it_is_due),
        CONTRACT(a_run_without_an_order_is_due_again_whatever_its_place),
        CONTRACT(dead_and_parked_runs_are_passed),
        CONTRACT(a_requeued_run_keeps_its_place),
        CONTRACT(a_retry_by_hand_takes_the_place_of_a_run_that_waits),
        CONTRACT(a_retry_by_hand_is_the_next_after_a_run_that_is_running),
        CONTRACT(discarding_a_run_frees_its_key),
        CONTRACT(a_run_whose_lease_lapsed_goes_before_the_others_again),
        CONTRACT(a_redelivery_waits_for_the_run_that_holds_its_key),
        CONTRACT(runs_of_a_plugin_that_is_gone_end_and_free_their_key),
        CONTRACT(a_list_shows_who_blocks_a_run_and_who_is_passed),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
