/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about previews: many runs are retried or discarded,
 * and exactly those that the operator was shown. */
#include "inbox_contract.h"

#include "inbox/previews.h"

#include <stdio.h>
#include <stdlib.h>

#define PREVIEW 123456789
#define FIVE_MINUTES 300000

static void end(struct fixture *fixture, struct inbox_run *run, enum inbox_finish_how how) {
    struct inbox_finish finish = finish_of(run, how);
    finish.label = how == INBOX_DEAD ? "dead" : "retry";
    finish.due_ms = FIXTURE_NOW + FIVE_MINUTES;
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(run);
}

/* The id of the run of the delivery's plugin "invite"; and what a list shows of it. */
static struct inbox_preview_run shown(struct fixture *fixture, const char *guid, int64_t *due_ms) {
    struct inbox_list list = {.operation = {.kind = INBOX_LIST}, .guid = guid, .most = SIZE_MAX};
    assert_int_equal(fixture_do(fixture, &list.operation), 0);
    assert_int_equal(list.n_entries, 1);
    struct inbox_preview_run run = {.run = list.entries[0].run};
    (void)snprintf(run.state, sizeof run.state, "%s", list.entries[0].state);
    if (due_ms) {
        *due_ms = list.entries[0].due_ms;
    }
    inbox_entries_free(list.entries, list.n_entries);
    return run;
}

static void expect_state(struct fixture *fixture, const char *guid, const char *state) {
    assert_string_equal(shown(fixture, guid, NULL).state, state);
}

/* Makes a preview of the runs of these deliveries. Returns how many have an effect in doubt. */
static int64_t preview(struct fixture *fixture, bool discards, const char *const *guids, size_t n) {
    struct inbox_preview_run runs[4];
    assert_in_range(n, 1, 4);
    for (size_t i = 0; i < n; i++) {
        runs[i] = shown(fixture, guids[i], NULL);
    }
    struct inbox_preview operation = {.operation = {.kind = INBOX_PREVIEW},
                                      .preview = PREVIEW,
                                      .begins = true,
                                      .discards = discards,
                                      .now_ms = FIXTURE_NOW,
                                      .runs = runs,
                                      .n_runs = n};
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
    return operation.in_doubt;
}

static struct inbox_preview_apply apply_of(bool discards) {
    return (struct inbox_preview_apply){.operation = {.kind = INBOX_PREVIEW_APPLY},
                                        .preview = PREVIEW,
                                        .discards = discards,
                                        .now_ms = FIXTURE_NOW,
                                        .due_ms = FIXTURE_NOW};
}

/* Takes the next run out of the preview; `guid` and `state` are what it reports. */
static void expect_apply(struct fixture *fixture, struct inbox_preview_apply apply, int result,
                         const char *guid, const char *state) {
    assert_int_equal(fixture_do(fixture, &apply.operation), result);
    assert_string_equal(apply.guid, guid);
    assert_string_equal(apply.state, state);
}

static void a_preview_is_carried_out_on_its_own_runs_only(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"first", "second"};
    for (size_t i = 0; i < 2; i++) {
        struct inbox_run run = fixture_put_and_claim(fixture, guids[i]);
        end(fixture, &run, INBOX_DEAD);
    }
    assert_int_equal(preview(fixture, false, guids, 2), 0);
    struct inbox_run late = fixture_put_and_claim(fixture, "late");
    end(fixture, &late, INBOX_DEAD);
    struct inbox_preview_apply apply = apply_of(false);
    int64_t due_ms;
    for (size_t i = 0; i < 2; i++) {
        apply.due_ms = FIXTURE_NOW + (int64_t)i * 1000;
        expect_apply(fixture, apply, 0, guids[i], "dead");
        assert_string_equal(shown(fixture, guids[i], &due_ms).state, "queued");
        assert_int_equal(due_ms, apply.due_ms);
    }
    expect_apply(fixture, apply, INBOX_PREVIEW_END, "", "");
    expect_apply(fixture, apply, INBOX_PREVIEW_UNKNOWN, "", "");
    expect_state(fixture, "late", "dead");
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM previews"), 0);
}

static void a_run_that_left_its_state_after_the_preview_is_left_alone(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid");
    end(fixture, &run, INBOX_DEAD);
    assert_int_equal(preview(fixture, false, (const char *const[]){"guid"}, 1), 0);
    /* Another operator retries it, and a host claims it. */
    struct inbox_change change = {
        .operation = {.kind = INBOX_RERUN}, .guid = "guid", .now_ms = FIXTURE_NOW};
    assert_int_equal(fixture_do(fixture, &change.operation), 0);
    run = fixture_claim_one(fixture);
    expect_apply(fixture, apply_of(false), INBOX_PREVIEW_CHANGED, "guid", "running");
    /* Its claim stands. */
    end(fixture, &run, INBOX_DONE);
    expect_state(fixture, "guid", "done");
    expect_apply(fixture, apply_of(false), INBOX_PREVIEW_END, "", "");
}

static void a_run_that_began_after_the_preview_is_not_discarded(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("guid");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    assert_int_equal(preview(fixture, true, (const char *const[]){"guid"}, 1), 0);
    struct inbox_run run = fixture_claim_one(fixture);
    expect_apply(fixture, apply_of(true), INBOX_PREVIEW_CHANGED, "guid", "running");
    end(fixture, &run, INBOX_DONE);
    expect_state(fixture, "guid", "done");
}

static void a_running_run_of_a_preview_is_discarded_and_its_claim_is_stale(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid");
    assert_int_equal(preview(fixture, true, (const char *const[]){"guid"}, 1), 0);
    expect_apply(fixture, apply_of(true), 0, "guid", "running");
    struct inbox_finish finish = finish_of(&run, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), INBOX_STALE);
    inbox_run_finish(&run);
    expect_state(fixture, "guid", "dead");
}

static void a_preview_is_of_one_action_and_one_hour(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid");
    end(fixture, &run, INBOX_DEAD);
    assert_int_equal(preview(fixture, false, (const char *const[]){"guid"}, 1), 0);
    struct inbox_preview_apply other = apply_of(false), late = apply_of(false);
    expect_apply(fixture, apply_of(true), INBOX_PREVIEW_UNKNOWN, "", "");
    other.preview++;
    expect_apply(fixture, other, INBOX_PREVIEW_UNKNOWN, "", "");
    late.now_ms += INBOX_PREVIEW_MS + 1;
    expect_apply(fixture, late, INBOX_PREVIEW_UNKNOWN, "", "");
    expect_state(fixture, "guid", "dead");
    /* The next preview deletes it. */
    struct inbox_preview next = {.operation = {.kind = INBOX_PREVIEW},
                                 .preview = PREVIEW + 2,
                                 .begins = true,
                                 .now_ms = late.now_ms};
    assert_int_equal(fixture_do(fixture, &next.operation), 0);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM previews"), 1);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM preview_runs"), 0);
}

static void an_effect_in_doubt_is_counted_and_stays_in_doubt(void **state) {
    struct fixture *fixture = *state;
    struct inbox_record record = {.number = 1,
                                  .kind = INBOX_EFFECT,
                                  .state = INBOX_INTENDED,
                                  .at_ms = FIXTURE_NOW,
                                  .method = "POST",
                                  .url = "/repos/a/b/issues/1/comments",
                                  .message = ""};
    const struct inbox_record *records[] = {&record};
    struct inbox_run run = fixture_put_and_claim(fixture, "in-doubt");
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(&run, records, 1)};
    assert_int_equal(fixture_do(fixture, &intend.operation), 0);
    end(fixture, &run, INBOX_DEAD);
    run = fixture_put_and_claim(fixture, "clear");
    end(fixture, &run, INBOX_DEAD);
    assert_int_equal(preview(fixture, false, (const char *const[]){"in-doubt", "clear"}, 2), 1);
    expect_apply(fixture, apply_of(false), 0, "in-doubt", "dead");
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal WHERE"
                                                           " state = 'intended'"),
                     1);
    /* The next attempt knows of it. */
    run = fixture_claim_one(fixture);
    assert_int_equal(run.n_journal, 1);
    assert_int_equal(run.journal[0].state, INBOX_INTENDED);
    inbox_run_finish(&run);
}

static void a_discard_of_a_preview_lets_the_next_run_of_the_key_go(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run ordered = {.plugin = "invite", .order = INBOX_ORDER_INSTALLATION};
    static const char *const guids[] = {"first", "second"};
    for (size_t i = 0; i < 2; i++) {
        struct inbox_put put = put_of(guids[i]);
        put.runs = &ordered;
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    }
    expect_state(fixture, "second", "blocked");
    assert_int_equal(preview(fixture, true, guids, 1), 0);
    expect_apply(fixture, apply_of(true), 0, "first", "queued");
    expect_state(fixture, "first", "dead");
    expect_state(fixture, "second", "queued");
}

static void a_retry_of_a_preview_joins_its_line_when_it_is_due(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put_run ordered = {.plugin = "invite", .order = INBOX_ORDER_INSTALLATION};
    struct inbox_put put = put_of("first");
    put.runs = &ordered;
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_run run = fixture_claim_one(fixture);
    end(fixture, &run, INBOX_DEAD);
    assert_int_equal(preview(fixture, false, (const char *const[]){"first"}, 1), 0);
    struct inbox_preview_apply apply = apply_of(false);
    apply.due_ms = FIXTURE_NOW + FIVE_MINUTES;
    expect_apply(fixture, apply, 0, "first", "dead");
    /* A later run passes it. */
    struct inbox_put second = put_of("second");
    second.runs = &ordered;
    assert_int_equal(fixture_do(fixture, &second.operation), INBOX_STORED);
    run = fixture_claim_one(fixture);
    assert_string_equal(run.guid, "second");
    end(fixture, &run, INBOX_DONE);
    struct inbox_claim claim = fixture_claim(fixture, "invite", apply.due_ms);
    inbox_runs_free(claim.runs, claim.n_runs);
    size_t n = claim.n_runs;
    if (n == 0) {
        /* It has only just joined its line. */
        claim = fixture_claim(fixture, "invite", apply.due_ms);
        inbox_runs_free(claim.runs, claim.n_runs);
        n = claim.n_runs;
    }
    assert_int_equal(n, 1);
}

static void a_run_without_its_payload_or_its_delivery_is_left_alone(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"pruned", "forgotten"};
    for (size_t i = 0; i < 2; i++) {
        struct inbox_run run = fixture_put_and_claim(fixture, guids[i]);
        end(fixture, &run, INBOX_DEAD);
    }
    assert_int_equal(preview(fixture, false, guids, 2), 0);
    (void)fixture->store->query(fixture->place,
                                "UPDATE deliveries SET body = NULL WHERE guid = 'pruned'");
    (void)fixture->store->query(fixture->place,
                                "DELETE FROM runs WHERE delivery IN (SELECT id FROM deliveries"
                                " WHERE guid = 'forgotten')");
    expect_apply(fixture, apply_of(false), INBOX_PREVIEW_PRUNED, "pruned", "dead");
    expect_apply(fixture, apply_of(false), INBOX_PREVIEW_CHANGED, "", "");
    expect_state(fixture, "pruned", "dead");
}

/* Runs that had nothing to do */

/* "invite" skips the delivery, perhaps after an effect. */
static void end_skipped(struct fixture *fixture, const char *guid, bool effect) {
    struct inbox_record record = {.number = 1,
                                  .kind = INBOX_EFFECT,
                                  .state = INBOX_INTENDED,
                                  .method = "POST",
                                  .url = "/x",
                                  .message = ""};
    const struct inbox_record *records[] = {&record};
    struct inbox_run run = fixture_put_and_claim(fixture, guid);
    struct inbox_effect about = {
        .plugin = "invite", .installation = "7", .delivery = guid, .sender = "", .item = ""};
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(&run, records, 1),
                                  .effect = &about};
    if (effect) {
        assert_int_equal(fixture_do(fixture, &intend.operation), 0);
    }
    struct inbox_finish finish = finish_of(&run, INBOX_DONE);
    finish.label = "skipped";
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(&run);
}

static int rerun(struct fixture *fixture, const char *guid, const char *plugin) {
    struct inbox_change change = {
        .operation = {.kind = INBOX_RERUN}, .guid = guid, .plugin = plugin, .now_ms = FIXTURE_NOW};
    return fixture_do(fixture, &change.operation);
}

static void a_skipped_run_is_run_again_if_the_operator_names_its_plugin(void **state) {
    struct fixture *fixture = *state;
    end_skipped(fixture, "skipped", false);
    assert_int_equal(rerun(fixture, "skipped", NULL), INBOX_UNCHANGED);
    assert_int_equal(rerun(fixture, "skipped", "ping"), INBOX_UNCHANGED);
    expect_state(fixture, "skipped", "done");
    assert_int_equal(rerun(fixture, "skipped", "invite"), 0);
    expect_state(fixture, "skipped", "queued");
    struct inbox_claim claim = fixture_claim(fixture, "invite", FIXTURE_NOW);
    assert_int_equal(claim.n_runs, 1);
    assert_int_equal(claim.runs[0].attempt, 1);
    inbox_runs_free(claim.runs, claim.n_runs);
}

static void a_preview_runs_skipped_runs_again_that_have_no_effect(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"nothing", "effect"};
    end_skipped(fixture, guids[0], false);
    end_skipped(fixture, guids[1], true);
    assert_int_equal(rerun(fixture, "effect", "invite"), INBOX_UNCHANGED);
    preview(fixture, false, guids, 2);
    expect_apply(fixture, apply_of(false), 0, "nothing", "done");
    expect_apply(fixture, apply_of(false), INBOX_PREVIEW_CHANGED, "effect", "done");
    expect_state(fixture, "nothing", "queued");
    expect_state(fixture, "effect", "done");
}

size_t contract_preview_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_preview_is_carried_out_on_its_own_runs_only),
        CONTRACT(a_run_that_left_its_state_after_the_preview_is_left_alone),
        CONTRACT(a_run_that_began_after_the_preview_is_not_discarded),
        CONTRACT(a_running_run_of_a_preview_is_discarded_and_its_claim_is_stale),
        CONTRACT(a_preview_is_of_one_action_and_one_hour),
        CONTRACT(an_effect_in_doubt_is_counted_and_stays_in_doubt),
        CONTRACT(a_discard_of_a_preview_lets_the_next_run_of_the_key_go),
        CONTRACT(a_retry_of_a_preview_joins_its_line_when_it_is_due),
        CONTRACT(a_run_without_its_payload_or_its_delivery_is_left_alone),
        CONTRACT(a_skipped_run_is_run_again_if_the_operator_names_its_plugin),
        CONTRACT(a_preview_runs_skipped_runs_again_that_have_no_effect),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
