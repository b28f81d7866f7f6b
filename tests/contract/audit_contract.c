/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the audit and the limits that it counts. */
#include "inbox_contract.h"

#include "inbox/holds.h"

#include <string.h>

static struct inbox_record effect_of(int64_t number, int64_t at_ms) {
    return (struct inbox_record){.number = number,
                                 .kind = INBOX_EFFECT,
                                 .state = INBOX_INTENDED,
                                 .at_ms = at_ms,
                                 .method = (char *)(uintptr_t) "POST",
                                 .url = (char *)(uintptr_t) "/repos/a/b/issues/1/comments"};
}

static const struct inbox_effect usual = {.plugin = "invite",
                                          .installation = "7",
                                          .delivery = "guid-1",
                                          .sender = "mona",
                                          .item = "a/b#1"};

static struct inbox_intend intend_of(const struct inbox_run *run,
                                     const struct inbox_record *const *record,
                                     const struct inbox_effect *effect) {
    return (struct inbox_intend){
        .operation = {.kind = INBOX_INTEND}, .writer = writer_of(run, record, 1), .effect = effect};
}

/* The row of the audit. */
static int64_t intend(struct fixture *fixture, const struct inbox_run *run,
                      const struct inbox_record *record, const struct inbox_effect *effect) {
    struct inbox_intend operation = intend_of(run, &record, effect);
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
    assert_true(operation.audit > 0);
    return operation.audit;
}

static void respond(struct fixture *fixture, const struct inbox_run *run,
                    const struct inbox_record *record, int64_t audit, const char *request_id) {
    struct inbox_complete operation = {.operation = {.kind = INBOX_COMPLETE},
                                       .run = run->id,
                                       .token = run->token,
                                       .record = record,
                                       .audit = audit,
                                       .request_id = request_id};
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
}

static struct inbox_audit_read read_audit(struct fixture *fixture, const char *guid) {
    struct inbox_audit_read read = {.operation = {.kind = INBOX_AUDIT_READ}, .delivery = guid};
    assert_int_equal(fixture_do(fixture, &read.operation), 0);
    return read;
}

static void every_effect_is_in_the_audit_with_its_response(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record first = effect_of(1, FIXTURE_NOW), second = effect_of(2, FIXTURE_NOW + 5),
                        third = effect_of(3, FIXTURE_NOW + 6);
    int64_t row = intend(fixture, &run, &first, &usual);
    first.state = INBOX_COMPLETED;
    first.status = 201;
    respond(fixture, &run, &first, row, "C0DE:1");
    /* An answer that comes twice changes nothing. */
    first.status = 500;
    respond(fixture, &run, &first, row, "C0DE:2");
    (void)intend(fixture, &run, &second, &usual);
    row = intend(fixture, &run, &third, &usual);
    third.state = INBOX_UNSENT;
    respond(fixture, &run, &third, row, "");

    struct inbox_audit_read read = read_audit(fixture, "guid-1");
    assert_int_equal(read.n_entries, 3);
    const struct inbox_audit_entry *entry = &read.entries[0];
    assert_int_equal(entry->at_ms, FIXTURE_NOW);
    assert_string_equal(entry->plugin, "invite");
    assert_string_equal(entry->installation, "7");
    assert_string_equal(entry->sender, "mona");
    assert_string_equal(entry->item, "a/b#1");
    assert_string_equal(entry->method, "POST");
    assert_string_equal(entry->url, "/repos/a/b/issues/1/comments");
    assert_string_equal(entry->state, "completed");
    assert_int_equal(entry->status, 201);
    assert_string_equal(entry->request_id, "C0DE:1");
    assert_string_equal(read.entries[1].state, "intended");
    assert_int_equal(read.entries[1].status, 0);
    assert_string_equal(read.entries[2].state, "unsent");
    inbox_audit_free(read.entries, read.n_entries);
    read = read_audit(fixture, "guid-2");
    assert_int_equal(read.n_entries, 0);
    inbox_run_finish(&run);
}

static void an_intent_that_is_stale_or_not_written_is_not_in_the_audit(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1"), other = run;
    struct inbox_record record = effect_of(1, FIXTURE_NOW);
    const struct inbox_record *records[] = {&record};
    other.token++;
    struct inbox_intend operation = intend_of(&other, records, &usual);
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STALE);
    assert_int_equal(operation.audit, 0);
    operation = intend_of(&run, records, NULL);
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM audit"), 0);
    inbox_run_finish(&run);
}

static int try(struct fixture *fixture, const struct inbox_run *run, int64_t number, int64_t at_ms,
               const struct inbox_effect *effect, int64_t *until_ms) {
    struct inbox_record record = effect_of(number, at_ms);
    const struct inbox_record *records[] = {&record};
    struct inbox_intend operation = intend_of(run, records, effect);
    int result = fixture_do(fixture, &operation.operation);
    *until_ms = operation.wait_until_ms;
    return result;
}

static void a_plugin_sends_so_many_effects_in_any_hour(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_effect effect = usual, elsewhere = usual, of_other = usual;
    int64_t until_ms, minute_ms = 60000;
    effect.per_hour = elsewhere.per_hour = of_other.per_hour = 3;
    elsewhere.installation = "8";
    of_other.plugin = "ping";
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try(fixture, &run, i + 1, FIXTURE_NOW + i * minute_ms, &effect, &until_ms),
                         0);
    }
    assert_int_equal(try(fixture, &run, 4, FIXTURE_NOW + 3 * minute_ms, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    assert_int_equal(until_ms, FIXTURE_NOW + INBOX_HOUR_MS);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal"), 3);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM audit"), 3);
    /* Another installation and another plugin count by themselves. */
    assert_int_equal(try(fixture, &run, 4, FIXTURE_NOW + 3 * minute_ms, &elsewhere, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 5, FIXTURE_NOW + 3 * minute_ms, &of_other, &until_ms), 0);
    /* A clock that was set back does not wait for rows of the future. */
    assert_int_equal(try(fixture, &run, 6, FIXTURE_NOW - 2 * INBOX_HOUR_MS, &effect, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 7, FIXTURE_NOW + INBOX_HOUR_MS - 1, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    assert_int_equal(try(fixture, &run, 7, FIXTURE_NOW + INBOX_HOUR_MS, &effect, &until_ms), 0);
    inbox_run_finish(&run);
}

static void a_lower_limit_counts_what_was_sent_before(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_effect effect = usual;
    int64_t until_ms;
    effect.per_hour = 10;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try(fixture, &run, i + 1, FIXTURE_NOW + i, &effect, &until_ms), 0);
    }
    effect.per_hour = 3;
    assert_int_equal(try(fixture, &run, 4, FIXTURE_NOW + 3, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    effect.per_hour = 4;
    assert_int_equal(try(fixture, &run, 4, FIXTURE_NOW + 3, &effect, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 5, FIXTURE_NOW + 3, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    inbox_run_finish(&run);
}

static void a_clock_that_jumps_lets_no_effect_too_many_into_an_hour(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_effect effect = usual;
    int64_t until_ms, minute_ms = 60000, later_ms = FIXTURE_NOW + 10 * INBOX_HOUR_MS;
    effect.per_hour = 3;
    /* Ahead, and then set back: what was sent ahead counts when the time comes. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            try(fixture, &run, i + 1, FIXTURE_NOW + 30 * minute_ms, &effect, &until_ms), 0);
    }
    assert_int_equal(try(fixture, &run, 3, FIXTURE_NOW, &effect, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 4, FIXTURE_NOW + 31 * minute_ms, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    /* A full hour, ahead to an hour without any, and back. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try(fixture, &run, i + 4, later_ms, &effect, &until_ms), 0);
    }
    assert_int_equal(try(fixture, &run, 7, later_ms + 2 * INBOX_HOUR_MS, &effect, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 8, later_ms + minute_ms, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    inbox_run_finish(&run);
}

static void what_was_not_sent_does_not_count(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_effect effect = usual;
    int64_t until_ms;
    effect.per_hour = 1;
    struct inbox_record unsent = effect_of(1, FIXTURE_NOW), dry = effect_of(2, FIXTURE_NOW),
                        found = effect_of(3, FIXTURE_NOW);
    int64_t row = intend(fixture, &run, &unsent, &effect);
    unsent.state = INBOX_UNSENT;
    respond(fixture, &run, &unsent, row, "");
    dry.state = found.state = INBOX_COMPLETED;
    dry.dry = true;
    found.status = 201;
    (void)intend(fixture, &run, &dry, &effect);
    (void)intend(fixture, &run, &found, &effect);
    assert_int_equal(try(fixture, &run, 4, FIXTURE_NOW, &effect, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 5, FIXTURE_NOW, &effect, &until_ms),
                     INBOX_INTEND_HOUR_FULL);
    struct inbox_audit_read read = read_audit(fixture, "guid-1");
    assert_int_equal(read.n_entries, 4);
    assert_string_equal(read.entries[1].state, "dry");
    assert_string_equal(read.entries[2].state, "found");
    assert_int_equal(read.entries[2].status, 201);
    inbox_audit_free(read.entries, read.n_entries);
    /* In a dry run and for a comment that was found the limit does not hold either. */
    (void)intend(fixture, &run, &dry, &effect);
    inbox_run_finish(&run);
}

static void the_audit_outlives_the_delivery_and_is_pruned_by_its_own_time(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    for (int i = 0; i < 5; i++) {
        struct inbox_record record = effect_of(i + 1, FIXTURE_NOW + i);
        (void)intend(fixture, &run, &record, &usual);
    }
    struct inbox_finish finish = finish_of(&run, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    /* The newest delivery is never forgotten. */
    struct inbox_put newest = put_of("guid-2");
    newest.received_ms += 10;
    assert_int_equal(fixture_do(fixture, &newest.operation), INBOX_STORED);
    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .done_before_ms = FIXTURE_NOW + 1,
                                .dead_before_ms = FIXTURE_NOW + 1,
                                .forget_before_ms = FIXTURE_NOW + 1,
                                .audit_before_ms = FIXTURE_NOW,
                                .most = 2,
                                .most_bytes = 1000};
    do {
        prune.after = prune.next;
        assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    } while (prune.more);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM deliveries"), 1);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal"), 0);
    struct inbox_audit_read read = read_audit(fixture, "guid-1");
    assert_int_equal(read.n_entries, 5);
    inbox_audit_free(read.entries, read.n_entries);
    prune.audit_before_ms = FIXTURE_NOW + 3;
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    assert_int_equal(prune.audited, 2);
    assert_true(prune.more);
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    assert_int_equal(prune.audited, 1);
    assert_false(prune.more);
    read = read_audit(fixture, "guid-1");
    assert_int_equal(read.n_entries, 2);
    assert_int_equal(read.entries[0].at_ms, FIXTURE_NOW + 3);
    inbox_audit_free(read.entries, read.n_entries);
    inbox_run_finish(&run);
}

/* Makes effects on the item, one a second, until one is too many. How many were made. */
static int fill_item(struct fixture *fixture, const struct inbox_run *run, int64_t *number,
                     int64_t from_ms, int64_t *until_ms) {
    int made = 0;
    while (try(fixture, run, ++*number, from_ms + made * 1000, &usual, until_ms) == 0) {
        made++;
        assert_true(made <= 2 * INBOX_ITEM_EFFECTS_MAX);
    }
    return made;
}

static void too_many_effects_on_one_item_hold_it_for_longer_each_time(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    int64_t number = 0, until_ms, at_ms = FIXTURE_NOW, minute_ms = 60000;
    static const int waits[] = {10, 20, 40, 60, 60};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal(fill_item(fixture, &run, &number, at_ms, &until_ms),
                         INBOX_ITEM_EFFECTS_MAX);
        int64_t began_ms = at_ms + INBOX_ITEM_EFFECTS_MAX * 1000;
        assert_int_equal(until_ms, began_ms + waits[i] * minute_ms);
        at_ms = until_ms;
    }
    /* An hour after the last hold the next one is short again. */
    at_ms += 61 * minute_ms;
    assert_int_equal(fill_item(fixture, &run, &number, at_ms, &until_ms), INBOX_ITEM_EFFECTS_MAX);
    assert_int_equal(until_ms, at_ms + INBOX_ITEM_EFFECTS_MAX * 1000 + 10 * minute_ms);
    inbox_run_finish(&run);
}

static void a_held_item_holds_no_other_item_and_no_other_plugin(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_effect other_item = usual, other_plugin = usual, no_item = usual;
    int64_t number = 0, until_ms, later_ms = FIXTURE_NOW + 30000;
    other_item.item = "a/b#2";
    other_plugin.plugin = "ping";
    no_item.item = "";
    assert_int_equal(fill_item(fixture, &run, &number, FIXTURE_NOW, &until_ms),
                     INBOX_ITEM_EFFECTS_MAX);
    assert_int_equal(try(fixture, &run, 100, later_ms, &usual, &until_ms), INBOX_INTEND_ITEM_HELD);
    assert_int_equal(try(fixture, &run, 100, later_ms, &other_item, &until_ms), 0);
    assert_int_equal(try(fixture, &run, 101, later_ms, &other_plugin, &until_ms), 0);
    for (int i = 0; i < 2 * INBOX_ITEM_EFFECTS_MAX; i++) {
        assert_int_equal(try(fixture, &run, 200 + i, later_ms, &no_item, &until_ms), 0);
    }
    inbox_run_finish(&run);
}

static void slow_effects_on_one_item_are_no_loop(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    int64_t until_ms;
    for (int i = 0; i < 3 * INBOX_ITEM_EFFECTS_MAX; i++) {
        assert_int_equal(try(fixture, &run, i + 1, FIXTURE_NOW + i * 30000, &usual, &until_ms), 0);
    }
    inbox_run_finish(&run);
}

static void after_a_release_effects_count_anew(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    int64_t number = 0, until_ms;
    assert_int_equal(fill_item(fixture, &run, &number, FIXTURE_NOW, &until_ms),
                     INBOX_ITEM_EFFECTS_MAX);
    struct inbox_holds holds = {.operation = {.kind = INBOX_HOLDS}, .now_ms = FIXTURE_NOW + 30000};
    assert_int_equal(fixture_do(fixture, &holds.operation), 0);
    assert_int_equal(holds.n_holds, 1);
    assert_string_equal(holds.holds[0].value, "a/b#1");
    assert_int_equal(holds.holds[0].scope, INBOX_HOLD_ITEM);
    assert_int_equal(holds.holds[0].cause, INBOX_HOLD_LOOP);
    free(holds.holds);
    struct inbox_hold_change end = {.operation = {.kind = INBOX_HOLD_END},
                                    .hold = {.plugin = "invite",
                                             .scope = INBOX_HOLD_ITEM,
                                             .value = "a/b#1",
                                             .cause = INBOX_HOLD_LOOP,
                                             .since_ms = FIXTURE_NOW + 30000}};
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    assert_int_equal(fill_item(fixture, &run, &number, FIXTURE_NOW + 40000, &until_ms),
                     INBOX_ITEM_EFFECTS_MAX);
    inbox_run_finish(&run);
}

size_t contract_audit_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(every_effect_is_in_the_audit_with_its_response),
        CONTRACT(an_intent_that_is_stale_or_not_written_is_not_in_the_audit),
        CONTRACT(a_plugin_sends_so_many_effects_in_any_hour),
        CONTRACT(a_lower_limit_counts_what_was_sent_before),
        CONTRACT(a_clock_that_jumps_lets_no_effect_too_many_into_an_hour),
        CONTRACT(what_was_not_sent_does_not_count),
        CONTRACT(too_many_effects_on_one_item_hold_it_for_longer_each_time),
        CONTRACT(a_held_item_holds_no_other_item_and_no_other_plugin),
        CONTRACT(slow_effects_on_one_item_are_no_loop),
        CONTRACT(after_a_release_effects_count_anew),
        CONTRACT(the_audit_outlives_the_delivery_and_is_pruned_by_its_own_time),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
