/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about timers and the slots of schedules. */
#include "inbox_contract.h"

#include "inbox/timers.h"

#include <string.h>

#define HOUR_MS INT64_C(3600000)
#define CONFIGURED "\ninvite\n"

static struct inbox_timer_change timer_of(const char *key, const char *guid, int64_t due_ms) {
    return (struct inbox_timer_change){
        .key = key, .body = "{\"timer\":{}}", .body_bytes = 12, .due_ms = due_ms, .guid = guid};
}

/* Ends the run with these changes. */
static int end_with(struct fixture *fixture, const struct inbox_run *run,
                    const struct inbox_timer_change *timers, size_t n_timers) {
    struct inbox_finish finish = finish_of(run, INBOX_DONE);
    finish.operation.kind = INBOX_FINISH_TIMERS;
    finish.installation = "7";
    finish.timers = timers;
    finish.n_timers = n_timers;
    return fixture_do(fixture, &finish.operation);
}

/* A run of the delivery `guid` makes this change. */
static void change(struct fixture *fixture, const char *guid, struct inbox_timer_change timer) {
    struct inbox_run run = fixture_put_and_claim(fixture, guid);
    assert_int_equal(end_with(fixture, &run, &timer, 1), 0);
    inbox_run_finish(&run);
}

static struct inbox_timers_due due_at(struct fixture *fixture, int64_t now_ms,
                                      const char *plugins) {
    struct inbox_timers_due due = {
        .operation = {.kind = INBOX_TIMERS_DUE}, .now_ms = now_ms, .plugins = plugins, .most = 10};
    assert_int_equal(fixture_do(fixture, &due.operation), 0);
    return due;
}

/* Expects that exactly the timer with this GUID is due, or none; its id. */
static int64_t expect_due(struct fixture *fixture, int64_t now_ms, const char *guid) {
    struct inbox_timers_due due = due_at(fixture, now_ms, CONFIGURED);
    assert_int_equal(due.n_timers, guid ? 1 : 0);
    int64_t id = 0;
    if (guid) {
        assert_string_equal(due.timers[0].guid, guid);
        assert_string_equal(due.timers[0].plugin, "invite");
        assert_string_equal(due.timers[0].installation, "7");
        assert_int_equal(due.timers[0].body.bytes, 12);
        id = due.timers[0].id;
    }
    inbox_due_timers_free(due.timers, due.n_timers);
    return id;
}

static int fire_timer(struct fixture *fixture, int64_t id, const char *guid) {
    const struct inbox_firing firing = {.timer = id};
    struct inbox_put put = put_of(guid);
    put.operation.kind = INBOX_FIRE;
    put.event = INBOX_TIMER_EVENT;
    put.firing = &firing;
    return fixture_do(fixture, &put.operation);
}

static int fire_slot(struct fixture *fixture, const char *repository, int64_t slot_ms,
                     const char *guid) {
    const struct inbox_firing firing = {
        .plugin = "invite", .schedule = "daily", .repository = repository, .slot_ms = slot_ms};
    struct inbox_put put = put_of(guid);
    put.operation.kind = INBOX_FIRE;
    put.event = INBOX_SCHEDULE_EVENT;
    put.firing = &firing;
    return fixture_do(fixture, &put.operation);
}

static void expect_run_of(struct fixture *fixture, const char *guid) {
    struct inbox_run run = fixture_claim_one(fixture);
    assert_string_equal(run.guid, guid);
    struct inbox_finish finish = finish_of(&run, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(&run);
}

static void a_timer_fires_once_at_its_time(void **state) {
    struct fixture *fixture = *state;
    change(fixture, "a", timer_of("tea", "timer-1", FIXTURE_NOW + HOUR_MS));
    (void)expect_due(fixture, FIXTURE_NOW + HOUR_MS - 1, NULL);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    int64_t id = expect_due(fixture, FIXTURE_NOW + HOUR_MS, "timer-1");
    assert_int_equal(fire_timer(fixture, id, "timer-1"), INBOX_STORED);
    (void)expect_due(fixture, FIXTURE_NOW + HOUR_MS, NULL);
    assert_int_equal(fire_timer(fixture, id, "timer-1"), INBOX_DUPLICATE);
    expect_run_of(fixture, "timer-1");
    assert_int_equal(fire_timer(fixture, id, "timer-1"), INBOX_DUPLICATE);
    fixture_expect_stats(fixture, 0, 0, 0);
}

static void the_same_key_replaces_a_timer_and_a_cancelled_one_never_fires(void **state) {
    struct fixture *fixture = *state;
    change(fixture, "a", timer_of("tea", "timer-1", FIXTURE_NOW));
    int64_t id = expect_due(fixture, FIXTURE_NOW, "timer-1");
    change(fixture, "b", timer_of("tea", "timer-2", FIXTURE_NOW));
    (void)expect_due(fixture, FIXTURE_NOW, "timer-2");
    assert_int_equal(fire_timer(fixture, id, "timer-1"), INBOX_DUPLICATE);
    change(fixture, "c", (struct inbox_timer_change){.key = "tea"});
    (void)expect_due(fixture, FIXTURE_NOW, NULL);
    assert_int_equal(fire_timer(fixture, id, "timer-2"), INBOX_DUPLICATE);
    fixture_expect_stats(fixture, 0, 0, 0);
}

static void a_stale_attempt_sets_no_timer(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "a");
    struct inbox_finish finish = finish_of(&run, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    const struct inbox_timer_change timer = timer_of("tea", "timer-1", FIXTURE_NOW);
    assert_int_equal(end_with(fixture, &run, &timer, 1), INBOX_STALE);
    (void)expect_due(fixture, FIXTURE_NOW, NULL);
    inbox_run_finish(&run);
}

static void a_plugin_has_a_limited_number_of_timers_in_an_installation(void **state) {
    struct fixture *fixture = *state;
    change(fixture, "a", timer_of("tea", "timer-1", FIXTURE_NOW + HOUR_MS));
    (void)fixture->store->query(
        fixture->place,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
        " INSERT INTO timers (plugin, installation, name, due_ms, guid, body)"
        " SELECT 'invite', '7', CAST(i AS text), 1800000000000, 'x', (SELECT body FROM "
        "timers) FROM n RETURNING 1");
    struct inbox_run run = fixture_put_and_claim(fixture, "b");
    struct inbox_timer_change timers[] = {timer_of("tea", "timer-2", FIXTURE_NOW),
                                          timer_of("one too many", "timer-3", FIXTURE_NOW)};
    assert_int_equal(end_with(fixture, &run, timers, 2), INBOX_TIMERS_FULL);
    (void)expect_due(fixture, FIXTURE_NOW, NULL);
    fixture_expect_stats(fixture, 0, 1, 0);
    /* A timer that is set anew takes no more room. */
    assert_int_equal(end_with(fixture, &run, timers, 1), 0);
    (void)expect_due(fixture, FIXTURE_NOW, "timer-2");
    inbox_run_finish(&run);
}

static void timers_end_with_the_installation(void **state) {
    struct fixture *fixture = *state;
    change(fixture, "a", timer_of("tea", "timer-1", FIXTURE_NOW));
    assert_int_equal(fire_slot(fixture, "", 1000, "slot-1"), INBOX_FIRE_FIRST);
    struct inbox_put put = put_of("gone");
    put.event = "installation";
    put.action = "deleted";
    put.n_runs = 0;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    (void)expect_due(fixture, FIXTURE_NOW, NULL);
    assert_int_equal(fire_slot(fixture, "", 1000, "slot-1"), INBOX_FIRE_FIRST);
}

static void
timers_of_other_plugins_wait_and_are_forgotten_when_nobody_has_the_plugin(void **state) {
    struct fixture *fixture = *state;
    change(fixture, "a", timer_of("tea", "timer-1", FIXTURE_NOW));
    struct inbox_timers_due due = due_at(fixture, FIXTURE_NOW, "\nother\n");
    assert_int_equal(due.n_timers, 0);
    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .done_before_ms = FIXTURE_NOW + 1,
                                .most = 10,
                                .most_bytes = 1000,
                                .configured = CONFIGURED,
                                .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    (void)expect_due(fixture, FIXTURE_NOW, "timer-1");
    prune.configured = "\nother\n";
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    (void)expect_due(fixture, FIXTURE_NOW, NULL);
}

static void a_schedule_begins_with_the_slot_after_the_first_and_fires_once_in_each(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(fire_slot(fixture, "", 1000, "slot-1"), INBOX_FIRE_FIRST);
    assert_int_equal(fire_slot(fixture, "", 1000, "slot-1"), INBOX_DUPLICATE);
    assert_int_equal(fire_slot(fixture, "", 2000, "slot-2"), INBOX_STORED);
    expect_run_of(fixture, "slot-2");
    assert_int_equal(fire_slot(fixture, "", 2000, "slot-2"), INBOX_DUPLICATE);
    assert_int_equal(fire_slot(fixture, "", 1000, "slot-1"), INBOX_DUPLICATE);
    /* Another target has slots of its own. */
    assert_int_equal(fire_slot(fixture, "99", 2000, "slot-3"), INBOX_FIRE_FIRST);
    /* Missed slots fire once. */
    assert_int_equal(fire_slot(fixture, "", 9000, "slot-9"), INBOX_STORED);
    expect_run_of(fixture, "slot-9");
    fixture_expect_stats(fixture, 0, 0, 0);
}

static void a_target_whose_last_run_has_not_ended_is_skipped(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(fire_slot(fixture, "", 1000, "slot-1"), INBOX_FIRE_FIRST);
    assert_int_equal(fire_slot(fixture, "", 2000, "slot-2"), INBOX_STORED);
    assert_int_equal(fire_slot(fixture, "", 3000, "slot-3"), INBOX_FIRE_BUSY);
    assert_int_equal(fire_slot(fixture, "", 3000, "slot-3"), INBOX_DUPLICATE);
    assert_int_equal(fire_slot(fixture, "", 4000, "slot-4"), INBOX_FIRE_BUSY);
    expect_run_of(fixture, "slot-2");
    assert_int_equal(fire_slot(fixture, "", 5000, "slot-5"), INBOX_STORED);
    expect_run_of(fixture, "slot-5");
}

/* Fires a timer of item 99#1; its run may be replaced by a newer one. */
static int fire_of_item(struct fixture *fixture, const char *set_by, const char *guid,
                        struct inbox_put *put) {
    change(fixture, set_by, timer_of(guid, guid, FIXTURE_NOW));
    struct inbox_put_run run = {.plugin = "invite",
                                .order = INBOX_ORDER_ITEM,
                                .coalesce_key = 5,
                                .replaces = true,
                                .replaceable = true};
    const struct inbox_firing firing = {.timer = expect_due(fixture, FIXTURE_NOW, guid)};
    *put = put_of(guid);
    put->operation.kind = INBOX_FIRE;
    put->event = INBOX_TIMER_EVENT;
    put->item = "99#1";
    put->runs = &run;
    put->firing = &firing;
    return fixture_do(fixture, &put->operation);
}

static void timers_runs_keep_the_order_and_a_newer_one_replaces_an_older_one(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run ordered = {.plugin = "invite", .order = INBOX_ORDER_ITEM};
    struct inbox_put put = put_of("holder");
    put.item = "99#1";
    put.runs = &ordered;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_run holder = fixture_claim_one(fixture);
    assert_int_equal(fire_of_item(fixture, "a", "timer-1", &put), INBOX_STORED);
    inbox_put_finish(&put);
    struct inbox_claim none = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(none.n_runs, 0);
    inbox_runs_free(none.runs, none.n_runs);
    assert_int_equal(fire_of_item(fixture, "b", "timer-2", &put), INBOX_STORED);
    assert_int_equal(put.n_superseded, 1);
    assert_string_equal(put.superseded[0].guid, "timer-1");
    inbox_put_finish(&put);
    struct inbox_finish finish = finish_of(&holder, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    expect_run_of(fixture, "timer-2");
    fixture_expect_stats(fixture, 0, 0, 0);
    inbox_run_finish(&holder);
}

static void a_schedules_run_waits_for_the_run_that_holds_its_repository(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run ordered = {.plugin = "invite", .order = INBOX_ORDER_REPOSITORY};
    const struct inbox_firing firing = {
        .plugin = "invite", .schedule = "daily", .repository = "99", .slot_ms = 2000};
    assert_int_equal(fire_slot(fixture, "99", 1000, "slot-1"), INBOX_FIRE_FIRST);
    struct inbox_put put = put_of("holder"), fire = put_of("slot-2");
    put.repository_id = fire.repository_id = "99";
    put.runs = fire.runs = &ordered;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_run holder = fixture_claim_one(fixture);
    fire.operation.kind = INBOX_FIRE;
    fire.event = INBOX_SCHEDULE_EVENT;
    fire.firing = &firing;
    assert_int_equal(fixture_do(fixture, &fire.operation), INBOX_STORED);
    struct inbox_claim none = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(none.n_runs, 0);
    inbox_runs_free(none.runs, none.n_runs);
    struct inbox_finish finish = finish_of(&holder, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(&holder);
    expect_run_of(fixture, "slot-2");
}

static void expect_timers(struct fixture *fixture, int64_t timers) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.timers, timers);
}

static void timers_that_have_not_fired_are_counted(void **state) {
    struct fixture *fixture = *state;
    expect_timers(fixture, 0);
    change(fixture, "a", timer_of("tea", "timer-1", FIXTURE_NOW));
    change(fixture, "b", timer_of("cake", "timer-2", FIXTURE_NOW + HOUR_MS));
    expect_timers(fixture, 2);
    int64_t id = expect_due(fixture, FIXTURE_NOW, "timer-1");
    assert_int_equal(fire_timer(fixture, id, "timer-1"), INBOX_STORED);
    expect_timers(fixture, 1);
}

size_t contract_timer_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(a_timer_fires_once_at_its_time),
        CONTRACT(the_same_key_replaces_a_timer_and_a_cancelled_one_never_fires),
        CONTRACT(a_stale_attempt_sets_no_timer),
        CONTRACT(a_plugin_has_a_limited_number_of_timers_in_an_installation),
        CONTRACT(timers_end_with_the_installation),
        CONTRACT(timers_of_other_plugins_wait_and_are_forgotten_when_nobody_has_the_plugin),
        CONTRACT(a_schedule_begins_with_the_slot_after_the_first_and_fires_once_in_each),
        CONTRACT(a_target_whose_last_run_has_not_ended_is_skipped),
        CONTRACT(timers_runs_keep_the_order_and_a_newer_one_replaces_an_older_one),
        CONTRACT(a_schedules_run_waits_for_the_run_that_holds_its_repository),
        CONTRACT(timers_that_have_not_fired_are_counted),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
