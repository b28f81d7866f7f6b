/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about holds. */
#include "inbox_contract.h"

#include "inbox/console.h"
#include "inbox/holds.h"
#include "inbox/previews.h"

#include <stdlib.h>

static int change(struct fixture *fixture, enum inbox_kind kind, struct inbox_hold hold,
                  bool all_scopes) {
    struct inbox_hold_change operation = {
        .operation = {.kind = kind}, .hold = hold, .all_scopes = all_scopes};
    if (operation.hold.since_ms == 0) {
        operation.hold.since_ms = FIXTURE_NOW;
    }
    return fixture_do(fixture, &operation.operation);
}

static int put_hold(struct fixture *fixture, enum inbox_hold_scope scope, const char *value,
                    int64_t until_ms) {
    struct inbox_hold hold = {
        .plugin = "invite", .scope = scope, .reason = "wait", .until_ms = until_ms};
    snprintf(hold.value, sizeof hold.value, "%s", value);
    return change(fixture, INBOX_HOLD_PUT, hold, false);
}

static int end_hold(struct fixture *fixture, enum inbox_hold_scope scope, const char *value) {
    struct inbox_hold hold = {.plugin = "invite", .scope = scope};
    snprintf(hold.value, sizeof hold.value, "%s", value);
    return change(fixture, INBOX_HOLD_END, hold, false);
}

static void put(struct fixture *fixture, const char *guid, const char *installation,
                const char *repository) {
    struct inbox_put put = put_of(guid);
    put.installation = installation;
    put.repository = repository;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
}

/* Claims until nothing is set aside any more; the GUIDs that were given out, one after the other.
 */
static void expect_claimed(struct fixture *fixture, int64_t now_ms, const char *guids) {
    char found[200] = "";
    size_t set_aside;
    do {
        struct inbox_claim claim = fixture_claim(fixture, "invite", now_ms);
        for (size_t i = 0; i < claim.n_runs; i++) {
            assert_int_equal(claim.runs[i].attempt, 1);
            strcat(strcat(found, claim.runs[i].guid), " ");
        }
        set_aside = claim.set_aside;
        inbox_runs_free(claim.runs, claim.n_runs);
    } while (set_aside > 0);
    assert_string_equal(found, guids);
}

static void expect_held(struct fixture *fixture, int64_t held) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.held, held);
}

static void runs_of_a_paused_plugin_wait_and_go_on_afterwards(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "before", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    put(fixture, "after", "7", "acme/zoo");
    expect_claimed(fixture, FIXTURE_NOW, "");
    expect_held(fixture, 2);
    fixture_expect_stats(fixture, 0, 0, 0);
    struct inbox_claim other = fixture_claim(fixture, "ping", FIXTURE_NOW);
    assert_int_equal(other.n_runs, 0);
    assert_int_equal(end_hold(fixture, INBOX_HOLD_PLUGIN, ""), 0);
    expect_claimed(fixture, FIXTURE_NOW, "before after ");
    expect_held(fixture, 0);
}

static void a_hold_covers_only_its_installation_or_repository(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "seven", "7", "acme/zoo");
    put(fixture, "eight", "8", "acme/zoo");
    put(fixture, "other", "7", "acme/farm");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_INSTALLATION, "8", 0), 0);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_REPOSITORY, "ACME/Farm", 0), 0);
    expect_claimed(fixture, FIXTURE_NOW, "seven ");
    expect_held(fixture, 2);
    assert_int_equal(end_hold(fixture, INBOX_HOLD_REPOSITORY, "acme/farm"), 0);
    expect_claimed(fixture, FIXTURE_NOW, "other ");
    assert_int_equal(end_hold(fixture, INBOX_HOLD_INSTALLATION, "8"), 0);
    expect_claimed(fixture, FIXTURE_NOW, "eight ");
}

static void a_hold_with_an_end_ends_then_and_the_next_claim_is_due_then(void **state) {
    struct fixture *fixture = *state;
    int64_t end_ms = FIXTURE_NOW + 600000;
    put(fixture, "one", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_REPOSITORY, "acme/zoo", end_ms), 0);
    struct inbox_claim first = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(first.n_runs, 0);
    assert_int_equal(first.set_aside, 1);
    assert_int_equal(first.next_due_ms, end_ms);
    struct inbox_claim second = fixture_claim(fixture, "invite", end_ms - 1);
    assert_int_equal(second.n_runs + second.set_aside, 0);
    assert_int_equal(second.next_due_ms, end_ms);
    expect_claimed(fixture, end_ms, "one ");
}

static void two_causes_hold_until_both_have_ended(void **state) {
    struct fixture *fixture = *state;
    struct inbox_hold loop = {.plugin = "invite",
                              .scope = INBOX_HOLD_REPOSITORY,
                              .value = "acme/zoo",
                              .cause = INBOX_HOLD_LOOP,
                              .reason = "too many effects"};
    put(fixture, "one", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    assert_int_equal(change(fixture, INBOX_HOLD_PUT, loop, false), 0);
    expect_claimed(fixture, FIXTURE_NOW, "");
    assert_int_equal(end_hold(fixture, INBOX_HOLD_PLUGIN, ""), 0);
    expect_claimed(fixture, FIXTURE_NOW, "");
    expect_held(fixture, 1);
    loop.scope = INBOX_HOLD_PLUGIN;
    loop.value[0] = '\0';
    assert_int_equal(change(fixture, INBOX_HOLD_END, loop, false), INBOX_HOLD_UNCHANGED);
    assert_int_equal(change(fixture, INBOX_HOLD_END, loop, true), 0);
    expect_claimed(fixture, FIXTURE_NOW, "one ");
}

static void holds_are_listed_and_put_again_change(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(end_hold(fixture, INBOX_HOLD_PLUGIN, ""), INBOX_HOLD_UNCHANGED);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_ITEM, "acme/zoo#12", FIXTURE_NOW + 10), 0);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_ITEM, "acme/Zoo#12", FIXTURE_NOW + 20),
                     INBOX_HOLD_UNCHANGED);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    struct inbox_holds holds = {.operation = {.kind = INBOX_HOLDS}, .now_ms = FIXTURE_NOW + 19};
    assert_int_equal(fixture_do(fixture, &holds.operation), 0);
    assert_int_equal(holds.n_holds, 2);
    assert_string_equal(holds.holds[0].plugin, "invite");
    assert_int_equal(holds.holds[0].scope, INBOX_HOLD_ITEM);
    assert_string_equal(holds.holds[0].value, "acme/zoo#12");
    assert_int_equal(holds.holds[0].cause, INBOX_HOLD_PAUSED);
    assert_string_equal(holds.holds[0].reason, "wait");
    assert_int_equal(holds.holds[0].since_ms, FIXTURE_NOW);
    assert_int_equal(holds.holds[0].until_ms, FIXTURE_NOW + 20);
    assert_int_equal(holds.holds[1].scope, INBOX_HOLD_PLUGIN);
    free(holds.holds);
    holds.now_ms = FIXTURE_NOW + 20;
    assert_int_equal(fixture_do(fixture, &holds.operation), 0);
    assert_int_equal(holds.n_holds, 1);
    free(holds.holds);
}

static void a_held_run_is_unfinished_shown_and_changed_by_hand(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "one", "7", "acme/zoo");
    put(fixture, "two", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    expect_claimed(fixture, FIXTURE_NOW, "");
    struct inbox_put again = put_of("one");
    assert_int_equal(fixture_do(fixture, &again.operation), INBOX_DUPLICATE);
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .state = "held", .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 2);
    assert_string_equal(list.entries[0].state, "held");
    assert_string_equal(list.entries[0].reason, "paused: wait");
    inbox_entries_free(list.entries, list.n_entries);
    struct inbox_change discard = {
        .operation = {.kind = INBOX_DISCARD}, .guid = "one", .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &discard.operation), 0);
    /* A retry by hand does not end the pause. */
    struct inbox_change rerun = {
        .operation = {.kind = INBOX_RERUN}, .guid = "two", .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &rerun.operation), 0);
    expect_claimed(fixture, FIXTURE_NOW, "");
    expect_held(fixture, 1);
    assert_int_equal(end_hold(fixture, INBOX_HOLD_PLUGIN, ""), 0);
    expect_claimed(fixture, FIXTURE_NOW, "two ");
}

static void many_held_runs_are_released_by_the_next_claims(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 1200; i++) {
        char guid[16];
        snprintf(guid, sizeof guid, "many-%d", i);
        put(fixture, guid, "7", "acme/zoo");
    }
    assert_int_equal(put_hold(fixture, INBOX_HOLD_INSTALLATION, "7", 0), 0);
    expect_claimed(fixture, FIXTURE_NOW, "");
    expect_held(fixture, 1200);
    assert_int_equal(end_hold(fixture, INBOX_HOLD_INSTALLATION, "7"), 0);
    size_t claimed = 0;
    for (int i = 0; i < 100 && claimed < 1200; i++) {
        struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
        claimed += claim.n_runs;
        inbox_runs_free(claim.runs, claim.n_runs);
    }
    assert_int_equal(claimed, 1200);
    expect_held(fixture, 0);
}

static void an_ended_holds_runs_are_not_held_by_the_next_hold(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "one", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_REPOSITORY, "acme/zoo", 0), 0);
    expect_claimed(fixture, FIXTURE_NOW, "");
    /* No claim comes between these two, as while no host runs. */
    assert_int_equal(end_hold(fixture, INBOX_HOLD_REPOSITORY, "acme/zoo"), 0);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_REPOSITORY, "acme/farm", 0), 0);
    expect_claimed(fixture, FIXTURE_NOW, "one ");
}

static void one_hold_too_many_fails_and_the_others_are_obeyed(void **state) {
    struct fixture *fixture = *state;
    char value[INBOX_HOLD_VALUE_MAX + 1];
    for (int i = 0; i < INBOX_HOLDS_MAX; i++) {
        snprintf(value, sizeof value, "acme/zoo#%d", i);
        assert_int_equal(put_hold(fixture, INBOX_HOLD_ITEM, value, FIXTURE_NOW + 1000), 0);
    }
    assert_int_equal(put_hold(fixture, INBOX_HOLD_ITEM, value, 0), INBOX_HOLD_UNCHANGED);
    /* A plugin can always be paused. */
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_ITEM, "acme/zoo#2000", 0), INBOX_HOLD_TOO_MANY);
    put(fixture, "one", "7", "acme/zoo");
    expect_claimed(fixture, FIXTURE_NOW, "");
    expect_held(fixture, 1);
    struct inbox_hold later = {.plugin = "invite",
                               .scope = INBOX_HOLD_ITEM,
                               .value = "acme/zoo#2000",
                               .since_ms = FIXTURE_NOW + 1000};
    assert_int_equal(change(fixture, INBOX_HOLD_PUT, later, false), 0);
}

/* The runs of one state, in one list and in the console's search. */
static void expect_shown(struct fixture *fixture, const char *state, size_t runs,
                         const char *reason) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .state = state, .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, runs);
    struct inbox_search search = {
        .operation = {.kind = INBOX_SEARCH}, .filter = {.state = state}, .most = 10};
    assert_int_equal(fixture_do(fixture, &search.operation), 0);
    assert_int_equal(search.n_entries, runs);
    for (size_t i = 0; i < runs; i++) {
        assert_string_equal(list.entries[i].state, state);
        assert_string_equal(search.entries[i].state, state);
        assert_string_equal(list.entries[i].reason, reason);
        assert_string_equal(search.entries[i].reason, reason);
    }
    inbox_entries_free(list.entries, list.n_entries);
    inbox_entries_free(search.entries, search.n_entries);
}

static void expect_counts(struct fixture *fixture, int64_t queued, int64_t held, int64_t waiting,
                          int64_t oldest_due_ms) {
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.queued, queued);
    assert_int_equal(stats.held, held);
    assert_int_equal(stats.waiting, waiting);
    assert_int_equal(stats.oldest_due_ms, oldest_due_ms);
    struct inbox_plugins plugins = {.operation = {.kind = INBOX_PLUGINS}, .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &plugins.operation), 0);
    int64_t n_queued = 0, n_held = 0, n_waiting = 0;
    for (size_t i = 0; i < plugins.n_plugins; i++) {
        n_queued += plugins.plugins[i].queued;
        n_held += plugins.plugins[i].held;
        n_waiting += plugins.plugins[i].waiting;
    }
    free(plugins.plugins);
    assert_int_equal(n_queued, queued);
    assert_int_equal(n_waiting, waiting);
    assert_int_equal(n_held, held);
}

/* A host claims no run of a plugin that is paused as a whole, so nothing sets its runs aside. */
static void runs_of_a_paused_plugin_are_shown_as_held_at_once(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "one", "7", "acme/zoo");
    put(fixture, "two", "7", "acme/zoo");
    struct inbox_put other = put_of("other");
    struct inbox_put_run ping = {.plugin = "ping"};
    other.runs = &ping;
    other.due_ms = FIXTURE_NOW + 5;
    assert_int_equal(fixture_do(fixture, &other.operation), INBOX_STORED);
    expect_counts(fixture, 3, 0, 0, FIXTURE_NOW);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    expect_shown(fixture, "held", 2, "paused: wait");
    expect_shown(fixture, "queued", 1, "");
    expect_counts(fixture, 1, 2, 0, FIXTURE_NOW + 5);
    struct inbox_list one = {.operation = {.kind = INBOX_LIST}, .guid = "one", .most = 10};
    assert_int_equal(fixture_do(fixture, &one.operation), 0);
    assert_string_equal(one.entries[0].state, "held");
    inbox_entries_free(one.entries, one.n_entries);
    assert_int_equal(end_hold(fixture, INBOX_HOLD_PLUGIN, ""), 0);
    expect_shown(fixture, "held", 0, "");
    expect_shown(fixture, "queued", 3, "");
    expect_counts(fixture, 3, 0, 0, FIXTURE_NOW);
}

static void a_hold_of_a_part_or_one_that_has_ended_shows_no_queued_run_as_held(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "one", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_REPOSITORY, "acme/zoo", 0), 0);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", FIXTURE_NOW + 1), 0);
    expect_shown(fixture, "queued", 1, "");
    expect_counts(fixture, 1, 0, 0, FIXTURE_NOW);
}

static void a_run_that_waits_is_held_while_its_plugin_is_paused(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "one", "7", "acme/zoo");
    struct inbox_run run = fixture_claim_one(fixture);
    struct inbox_finish finish = finish_of(&run, INBOX_WAIT);
    finish.label = "waiting";
    finish.reason = "the checks run";
    finish.due_ms = FIXTURE_NOW + 60000;
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(&run);
    expect_counts(fixture, 0, 0, 1, finish.due_ms);
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    expect_shown(fixture, "held", 1, "paused: wait");
    expect_shown(fixture, "waiting", 0, "");
    expect_counts(fixture, 0, 1, 0, INT64_MAX);
}

/* A preview of held runs acts on them, and on none whose hold has ended meanwhile. */
static void a_preview_of_held_runs_changes_only_what_is_held_still(void **state) {
    struct fixture *fixture = *state;
    put(fixture, "one", "7", "acme/zoo");
    assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .state = "held", .most = 10};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    struct inbox_preview_run run = {.run = list.entries[0].run};
    inbox_entries_free(list.entries, list.n_entries);
    snprintf(run.state, sizeof run.state, "held");
    for (int i = 0; i < 2; i++) {
        struct inbox_preview preview = {.operation = {.kind = INBOX_PREVIEW},
                                        .preview = 10 + i,
                                        .discards = true,
                                        .begins = true,
                                        .runs = &run,
                                        .n_runs = 1,
                                        .now_ms = FIXTURE_NOW};
        assert_int_equal(fixture_do(fixture, &preview.operation), 0);
        struct inbox_preview_apply apply = {.operation = {.kind = INBOX_PREVIEW_APPLY},
                                            .preview = 10 + i,
                                            .discards = true,
                                            .now_ms = FIXTURE_NOW};
        if (i == 0) {
            assert_int_equal(end_hold(fixture, INBOX_HOLD_PLUGIN, ""), 0);
        }
        assert_int_equal(fixture_do(fixture, &apply.operation), i == 0 ? INBOX_PREVIEW_CHANGED : 0);
        if (i == 0) {
            assert_int_equal(put_hold(fixture, INBOX_HOLD_PLUGIN, "", 0), 0);
        }
    }
    expect_shown(fixture, "held", 0, "");
}

size_t contract_hold_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(runs_of_a_paused_plugin_wait_and_go_on_afterwards),
        CONTRACT(runs_of_a_paused_plugin_are_shown_as_held_at_once),
        CONTRACT(a_hold_of_a_part_or_one_that_has_ended_shows_no_queued_run_as_held),
        CONTRACT(a_run_that_waits_is_held_while_its_plugin_is_paused),
        CONTRACT(a_preview_of_held_runs_changes_only_what_is_held_still),
        CONTRACT(a_hold_covers_only_its_installation_or_repository),
        CONTRACT(a_hold_with_an_end_ends_then_and_the_next_claim_is_due_then),
        CONTRACT(two_causes_hold_until_both_have_ended),
        CONTRACT(holds_are_listed_and_put_again_change),
        CONTRACT(a_held_run_is_unfinished_shown_and_changed_by_hand),
        CONTRACT(many_held_runs_are_released_by_the_next_claims),
        CONTRACT(an_ended_holds_runs_are_not_held_by_the_next_hold),
        CONTRACT(one_hold_too_many_fails_and_the_others_are_obeyed),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
