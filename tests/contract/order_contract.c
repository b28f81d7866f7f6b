/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about order: runs of one key go one at a time, in the
 * order in which their deliveries were committed. And about coalescing: of several waiting runs
 * only the newest runs. */
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

static void put_of_repository(struct fixture *fixture, const char *guid, const char *item) {
    (void)put(fixture, guid, item, INBOX_ORDER_REPOSITORY, false);
}

/* Claims what is due; exactly the run of this delivery comes. NULL: nothing comes. */
static struct inbox_run claim_only(struct fixture *fixture, const char *guid, int64_t now_ms) {
    struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
    if (claim.n_runs == 0 && guid && (claim.next_due_ms <= now_ms || claim.set_aside > 0)) {
        /* A run has only just joined its line, or was set aside before it. */
        inbox_runs_free(claim.runs, claim.n_runs);
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

static struct inbox_hold_change hold_of_item(enum inbox_kind kind) {
    return (struct inbox_hold_change){.operation = {.kind = kind},
                                      .hold = {.plugin = "invite",
                                               .scope = INBOX_HOLD_ITEM,
                                               .value = "octo/cat#1",
                                               .reason = "wait",
                                               .since_ms = FIXTURE_NOW}};
}

/* A hold of one item must not hold the others of the repository, whose runs have one order. */
static void a_run_that_is_held_alone_is_passed_by_its_line(void **state) {
    struct fixture *fixture = *state;
    put_of_repository(fixture, "held", "99#1");
    put_of_repository(fixture, "second", "99#2");
    put_of_repository(fixture, "third", "99#3");
    struct inbox_hold_change hold = hold_of_item(INBOX_HOLD_PUT);
    assert_int_equal(fixture_do(fixture, &hold.operation), 0);
    struct inbox_run second = claim_only(fixture, "second", FIXTURE_NOW);
    hold = hold_of_item(INBOX_HOLD_END);
    assert_int_equal(fixture_do(fixture, &hold.operation), 0);
    /* It joins its line again, and is the next in it. */
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    done(fixture, second);
    done(fixture, claim_only(fixture, "held", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "third", FIXTURE_NOW));
}

static void a_run_that_is_held_with_its_whole_line_keeps_its_place(void **state) {
    struct fixture *fixture = *state;
    put_item(fixture, "first", "99#1");
    put_item(fixture, "second", "99#1");
    struct inbox_hold_change hold = hold_of_item(INBOX_HOLD_PUT);
    assert_int_equal(fixture_do(fixture, &hold.operation), 0);
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    fixture_expect_stats(fixture, 0, 0, 0);
    hold = hold_of_item(INBOX_HOLD_END);
    assert_int_equal(fixture_do(fixture, &hold.operation), 0);
    done(fixture, claim_only(fixture, "first", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "second", FIXTURE_NOW));
}

static void a_run_that_is_held_alone_joins_its_line_by_hand(void **state) {
    struct fixture *fixture = *state;
    put_of_repository(fixture, "held", "99#1");
    put_of_repository(fixture, "second", "99#2");
    struct inbox_hold_change hold = hold_of_item(INBOX_HOLD_PUT);
    assert_int_equal(fixture_do(fixture, &hold.operation), 0);
    struct inbox_run second = claim_only(fixture, "second", FIXTURE_NOW);
    change(fixture, INBOX_RERUN, "held");
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    done(fixture, second);
    hold = hold_of_item(INBOX_HOLD_END);
    assert_int_equal(fixture_do(fixture, &hold.operation), 0);
    done(fixture, claim_only(fixture, "held", FIXTURE_NOW));
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
    struct inbox_claim_share share = {.plugin = "invite", .runs = 1000, .most_bytes = UINT64_MAX};
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

/* ---- coalescing ---- */

#define COALESCE_KEY 77

/* A put of item 99#1 whose run replaces others and may be replaced. */
struct coalescing {
    struct inbox_put put;
    struct inbox_put_run run;
};

static struct coalescing coalescing_of(const char *guid) {
    struct coalescing made = {.put = put_of(guid),
                              .run = {.plugin = "invite",
                                      .order = INBOX_ORDER_ITEM,
                                      .coalesce_key = COALESCE_KEY,
                                      .replaces = true,
                                      .replaceable = true}};
    made.put.item = "99#1";
    return made;
}

/* Puts it; it replaces this delivery's run. NULL: it replaces none. */
static void put_replacing(struct fixture *fixture, struct coalescing *coalescing, int result,
                          const char *replaced) {
    coalescing->put.runs = &coalescing->run;
    assert_int_equal(fixture_do(fixture, &coalescing->put.operation), result);
    assert_int_equal(coalescing->put.n_superseded, replaced ? 1 : 0);
    if (replaced) {
        assert_string_equal(coalescing->put.superseded[0].guid, replaced);
        assert_int_equal(coalescing->put.superseded[0].run, 0);
    }
    inbox_put_finish(&coalescing->put);
}

static void put_newer(struct fixture *fixture, const char *guid, const char *replaced) {
    struct coalescing coalescing = coalescing_of(guid);
    put_replacing(fixture, &coalescing, INBOX_STORED, replaced);
}

static void intend_effect(struct fixture *fixture, const struct inbox_run *run) {
    struct inbox_record record = {.number = 1,
                                  .kind = INBOX_EFFECT,
                                  .state = INBOX_INTENDED,
                                  .marker = "0123456789abcdef0123456789abcdef",
                                  .at_ms = FIXTURE_NOW,
                                  .method = (char *)(uintptr_t) "POST",
                                  .url = (char *)(uintptr_t) "/x"};
    const struct inbox_record *records[] = {&record};
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(run, records, 1)};
    assert_int_equal(fixture_do(fixture, &intend.operation), 0);
}

static int finish(struct fixture *fixture, struct inbox_run *run, enum inbox_finish_how how) {
    struct inbox_finish operation = finish_of(run, how);
    operation.keeps_place = true;
    int result = fixture_do(fixture, &operation.operation);
    inbox_run_finish(run);
    return result;
}

static void of_several_waiting_runs_only_the_newest_runs(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "a", NULL);
    struct inbox_run running = claim_only(fixture, "a", FIXTURE_NOW);
    assert_int_equal(running.coalesce_key, COALESCE_KEY);
    put_newer(fixture, "b", NULL);
    put_newer(fixture, "c", "b");
    put_newer(fixture, "d", "c");
    done(fixture, running);
    /* Also one that is not blocked is replaced. */
    put_newer(fixture, "e", "d");
    done(fixture, claim_only(fixture, "e", FIXTURE_NOW));
    (void)claim_only(fixture, NULL, FIXTURE_NOW);
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .guid = "c", .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_string_equal(list.entries[0].state, "done");
    assert_string_equal(list.entries[0].label, "superseded");
    assert_string_equal(list.entries[0].reason, "a newer delivery replaced it: d");
    assert_true(list.entries[0].finished_ms > 0);
    inbox_entries_free(list.entries, list.n_entries);
}

static void only_runs_of_one_key_and_the_same_subscriptions_replace_each_other(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "first", NULL);
    struct coalescing other = coalescing_of("other subscription");
    other.run.coalesce_key++;
    put_replacing(fixture, &other, INBOX_STORED, NULL);
    other = coalescing_of("other item");
    other.put.item = "99#2";
    put_replacing(fixture, &other, INBOX_STORED, NULL);
    other = coalescing_of("no item");
    other.put.item = "";
    put_replacing(fixture, &other, INBOX_STORED, NULL);
    other = coalescing_of("does not replace");
    other.run.replaces = false;
    put_replacing(fixture, &other, INBOX_STORED, NULL);
    put_item(fixture, "plain", "99#1");
    other = coalescing_of("other plugin");
    other.run.plugin = "ping";
    put_replacing(fixture, &other, INBOX_STORED, NULL);
}

static void a_run_that_may_hold_a_command_is_never_replaced(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "replaced", NULL);
    struct coalescing command = coalescing_of("command");
    command.run.replaceable = false;
    put_replacing(fixture, &command, INBOX_STORED, "replaced");
    put_newer(fixture, "newer", NULL);
    done(fixture, claim_only(fixture, "command", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "newer", FIXTURE_NOW));
}

static void a_run_with_an_effect_in_its_record_is_never_replaced(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "acted", NULL);
    struct inbox_run run = claim_only(fixture, "acted", FIXTURE_NOW);
    intend_effect(fixture, &run);
    put_newer(fixture, "newer", NULL);
    assert_int_equal(finish(fixture, &run, INBOX_RETRY), 0);
    put_newer(fixture, "newest", "newer");
    done(fixture, claim_only(fixture, "acted", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "newest", FIXTURE_NOW));
}

static void a_failed_run_is_replaced_by_a_newer_one_that_waits(void **state) {
    struct fixture *fixture = *state;
    static const enum inbox_finish_how ends[] = {INBOX_RETRY, INBOX_REQUEUE};
    static const char *const guids[][2] = {{"a", "b"}, {"c", "d"}};
    for (size_t i = 0; i < 2; i++) {
        put_newer(fixture, guids[i][0], NULL);
        struct inbox_run run = claim_only(fixture, guids[i][0], FIXTURE_NOW);
        put_newer(fixture, guids[i][1], NULL);
        assert_int_equal(finish(fixture, &run, ends[i]), INBOX_SUPERSEDED);
        done(fixture, claim_only(fixture, guids[i][1], FIXTURE_NOW));
    }
    put_newer(fixture, "alone", NULL);
    struct inbox_run run = claim_only(fixture, "alone", FIXTURE_NOW);
    assert_int_equal(finish(fixture, &run, INBOX_RETRY), 0);
    put_newer(fixture, "later", "alone");
}

/* Its handler has asked to wait for an hour. */
static void wait_an_hour(struct fixture *fixture, struct inbox_run *run) {
    struct inbox_finish waits = finish_of(run, INBOX_WAIT);
    waits.due_ms = FIXTURE_NOW + 3600000;
    waits.waited_ms = 3600000;
    assert_int_equal(fixture_do(fixture, &waits.operation), 0);
    inbox_run_finish(run);
}

static void a_newer_run_replaces_one_whose_handler_waits(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "a", NULL);
    struct inbox_run waits = claim_only(fixture, "a", FIXTURE_NOW);
    wait_an_hour(fixture, &waits);
    put_newer(fixture, "b", "a");
    done(fixture, claim_only(fixture, "b", FIXTURE_NOW));
    (void)claim_only(fixture, NULL, FIXTURE_NOW + 3600000);
}

static void a_run_that_waits_after_an_effect_is_not_replaced(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "a", NULL);
    struct inbox_run waits = claim_only(fixture, "a", FIXTURE_NOW);
    intend_effect(fixture, &waits);
    wait_an_hour(fixture, &waits);
    put_newer(fixture, "b", NULL);
    /* It has given its place up. */
    done(fixture, claim_only(fixture, "b", FIXTURE_NOW));
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 3600000);
    if (claim.n_runs == 0) {
        claim = fixture_claim(fixture, "invite", FIXTURE_NOW + 3600000);
    }
    assert_int_equal(claim.n_runs, 1);
    assert_string_equal(claim.runs[0].guid, "a");
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_run_that_is_retried_by_hand_is_not_replaced(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "wanted", NULL);
    change(fixture, INBOX_RERUN, "wanted");
    put_newer(fixture, "newer", NULL);
    done(fixture, claim_only(fixture, "wanted", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "newer", FIXTURE_NOW));
}

static void a_delivery_that_is_known_replaces_nothing(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "old", NULL);
    done(fixture, claim_only(fixture, "old", FIXTURE_NOW));
    put_newer(fixture, "newer", NULL);
    struct coalescing again = coalescing_of("newer");
    put_replacing(fixture, &again, INBOX_DUPLICATE, NULL);
    again = coalescing_of("old");
    put_replacing(fixture, &again, INBOX_REDELIVERED, NULL);
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.queued + stats.blocked, 2);
}

static void replacing_again_and_again_delays_a_run_by_10_s_at_most(void **state) {
    struct fixture *fixture = *state;
    struct coalescing put = coalescing_of("a");
    put.put.due_ms = FIXTURE_NOW + 1000;
    put_replacing(fixture, &put, INBOX_STORED, NULL);
    put = coalescing_of("b");
    put.put.due_ms = FIXTURE_NOW + 2000;
    put_replacing(fixture, &put, INBOX_STORED, "a");
    (void)claim_only(fixture, NULL, FIXTURE_NOW + 1999);
    put = coalescing_of("c");
    put.put.due_ms = FIXTURE_NOW + 60000;
    put_replacing(fixture, &put, INBOX_STORED, "b");
    (void)claim_only(fixture, NULL, FIXTURE_NOW + 10999);
    done(fixture, claim_only(fixture, "c", FIXTURE_NOW + 11000));
    /* The delay of a retry does not count. */
    put_newer(fixture, "d", NULL);
    struct inbox_run run = claim_only(fixture, "d", FIXTURE_NOW);
    (void)end(fixture, &run, INBOX_RETRY, FIXTURE_NOW + FIVE_MINUTES, true);
    put = coalescing_of("e");
    put.put.due_ms = FIXTURE_NOW + 60000;
    put_replacing(fixture, &put, INBOX_STORED, "d");
    (void)claim_only(fixture, NULL, FIXTURE_NOW + 59999);
    done(fixture, claim_only(fixture, "e", FIXTURE_NOW + 60000));
}

static void replacing_the_holder_lets_the_next_in_line_go(void **state) {
    struct fixture *fixture = *state;
    put_newer(fixture, "first", NULL);
    put_item(fixture, "plain", "99#1");
    put_newer(fixture, "newer", "first");
    done(fixture, claim_only(fixture, "plain", FIXTURE_NOW));
    done(fixture, claim_only(fixture, "newer", FIXTURE_NOW));
}

/* One group: the claim has chosen the run when the put replaces it. */
static void a_run_that_is_replaced_while_it_is_claimed_is_left_out(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        char old[16], new[16];
        (void)snprintf(old, sizeof old, "old-%d", i);
        (void)snprintf(new, sizeof new, "new-%d", i);
        put_newer(fixture, old, NULL);
        struct inbox_claim_share share = {
            .plugin = "invite", .runs = 1000, .most_bytes = UINT64_MAX};
        struct inbox_claim claim = claim_of(&share, 1, FIXTURE_NOW);
        struct coalescing newer = coalescing_of(new);
        newer.put.runs = &newer.run;
        fixture_submit(fixture, &claim.operation);
        fixture_submit(fixture, &newer.put.operation);
        fixture_wait(fixture, 2);
        assert_int_equal(claim.operation.result, 0);
        assert_int_equal(newer.put.operation.result, INBOX_STORED);
        /* Either it was claimed or it was replaced. */
        assert_int_equal(claim.n_runs + newer.put.n_superseded, 1);
        inbox_put_finish(&newer.put);
        if (claim.n_runs > 0) {
            done(fixture, claim.runs[0]);
            free(claim.runs);
        }
        done(fixture, claim_only(fixture, new, FIXTURE_NOW));
    }
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
        CONTRACT(a_run_that_is_held_alone_is_passed_by_its_line),
        CONTRACT(a_run_that_is_held_with_its_whole_line_keeps_its_place),
        CONTRACT(a_run_that_is_held_alone_joins_its_line_by_hand),
        CONTRACT(discarding_a_run_frees_its_key),
        CONTRACT(a_run_whose_lease_lapsed_goes_before_the_others_again),
        CONTRACT(a_redelivery_waits_for_the_run_that_holds_its_key),
        CONTRACT(runs_of_a_plugin_that_is_gone_end_and_free_their_key),
        CONTRACT(a_list_shows_who_blocks_a_run_and_who_is_passed),
        CONTRACT(of_several_waiting_runs_only_the_newest_runs),
        CONTRACT(only_runs_of_one_key_and_the_same_subscriptions_replace_each_other),
        CONTRACT(a_run_that_may_hold_a_command_is_never_replaced),
        CONTRACT(a_run_with_an_effect_in_its_record_is_never_replaced),
        CONTRACT(a_failed_run_is_replaced_by_a_newer_one_that_waits),
        CONTRACT(a_newer_run_replaces_one_whose_handler_waits),
        CONTRACT(a_run_that_waits_after_an_effect_is_not_replaced),
        CONTRACT(a_run_that_is_retried_by_hand_is_not_replaced),
        CONTRACT(a_delivery_that_is_known_replaces_nothing),
        CONTRACT(replacing_again_and_again_delays_a_run_by_10_s_at_most),
        CONTRACT(replacing_the_holder_lets_the_next_in_line_go),
        CONTRACT(a_run_that_is_replaced_while_it_is_claimed_is_left_out),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
