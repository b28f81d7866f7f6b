/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the journals of runs. */
#include "inbox_contract.h"

#include <stdio.h>
#include <string.h>

static struct buffer bytes_of(const char *text) {
    size_t bytes = strlen(text);
    return (struct buffer){.data = (char *)(uintptr_t)text, .bytes = bytes, .max = bytes};
}

/* Borrows its texts; not to be finished. */
static struct inbox_record record_of(int64_t number, enum inbox_record_kind kind,
                                     enum inbox_record_state state) {
    struct inbox_record record = {.number = number,
                                  .kind = kind,
                                  .state = state,
                                  .marker = "0123456789abcdef0123456789abcdef",
                                  .at_ms = FIXTURE_NOW,
                                  .method = (char *)(uintptr_t) "POST",
                                  .url = (char *)(uintptr_t) "/repos/a/b/issues/1/comments"};
    memset(record.key, (int)(0x80 + number), sizeof record.key);
    return record;
}

static int end(struct fixture *fixture, const struct inbox_run *run, enum inbox_finish_how how) {
    struct inbox_finish operation = finish_of(run, how);
    operation.has_journal = true;
    return fixture_do(fixture, &operation.operation);
}

static int intend(struct fixture *fixture, const struct inbox_run *run,
                  const struct inbox_record *const *records, size_t n) {
    struct inbox_intend operation = {.operation = {.kind = INBOX_INTEND},
                                     .writer = writer_of(run, records, n)};
    return fixture_do(fixture, &operation.operation);
}

static int answer(struct fixture *fixture, const struct inbox_run *run,
                  const struct inbox_record *record) {
    struct inbox_complete operation = {.operation = {.kind = INBOX_COMPLETE},
                                       .run = run->id,
                                       .token = run->token,
                                       .record = record};
    return fixture_do(fixture, &operation.operation);
}

static void a_retry_gets_the_journal_of_the_attempts_before_it_in_order(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    assert_int_equal(run.n_journal, 0);
    struct inbox_record read = record_of(1, INBOX_READ, INBOX_COMPLETED);
    read.outcome = -3;
    read.status = 404;
    read.message = (char *)(uintptr_t) "GET / answered 404";
    read.headers = bytes_of("etag: \"x\"\n");
    read.body = (struct buffer){.data = (char *)(uintptr_t) "\0\xff{", .bytes = 3, .max = 3};
    struct inbox_record effect = record_of(2, INBOX_EFFECT, INBOX_INTENDED);
    const struct inbox_record *records[] = {&read, &effect};
    assert_int_equal(intend(fixture, &run, records, 2), 0);
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);

    struct inbox_run again = fixture_claim_one(fixture);
    assert_int_equal(again.n_journal, 2);
    const struct inbox_record *first = &again.journal[0], *second = &again.journal[1];
    assert_int_equal(first->number, 1);
    assert_int_equal(first->kind, INBOX_READ);
    assert_int_equal(first->state, INBOX_COMPLETED);
    assert_memory_equal(first->key, read.key, INBOX_KEY_BYTES);
    assert_string_equal(first->method, "POST");
    assert_string_equal(first->url, read.url);
    assert_int_equal(first->outcome, -3);
    assert_int_equal(first->status, 404);
    assert_string_equal(first->message, read.message);
    assert_int_equal(first->headers.bytes, read.headers.bytes);
    assert_int_equal(first->body.bytes, 3);
    assert_memory_equal(first->body.data, read.body.data, 3);
    assert_int_equal(second->kind, INBOX_EFFECT);
    assert_int_equal(second->state, INBOX_INTENDED);
    assert_string_equal(second->marker, effect.marker);
    assert_int_equal(second->token, run.token);
    inbox_run_finish(&again);
    inbox_run_finish(&run);
}

/* A dry run recorded a change as a read, and the next attempt makes the change. */
static void a_record_that_is_written_again_takes_its_new_kind(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record record = record_of(1, INBOX_READ, INBOX_COMPLETED);
    const struct inbox_record *records[] = {&record};
    assert_int_equal(intend(fixture, &run, records, 1), 0);
    record.kind = INBOX_EFFECT;
    record.state = INBOX_INTENDED;
    assert_int_equal(intend(fixture, &run, records, 1), 0);
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);
    struct inbox_run again = fixture_claim_one(fixture);
    assert_int_equal(again.n_journal, 1);
    assert_int_equal(again.journal[0].kind, INBOX_EFFECT);
    assert_int_equal(again.journal[0].state, INBOX_INTENDED);
    inbox_run_finish(&again);
    inbox_run_finish(&run);
}

static void an_answer_is_written_into_its_intent(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record effect = record_of(1, INBOX_EFFECT, INBOX_INTENDED);
    const struct inbox_record *records[] = {&effect};
    assert_int_equal(intend(fixture, &run, records, 1), 0);
    effect.state = INBOX_COMPLETED;
    effect.status = 201;
    effect.body = bytes_of("{\"id\":5}");
    assert_int_equal(answer(fixture, &run, &effect), 0);
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);
    struct inbox_run again = fixture_claim_one(fixture);
    assert_int_equal(again.n_journal, 1);
    assert_int_equal(again.journal[0].state, INBOX_COMPLETED);
    assert_int_equal(again.journal[0].status, 201);
    assert_int_equal(again.journal[0].body.bytes, 8);
    inbox_run_finish(&again);
    inbox_run_finish(&run);
}

/* An effect's response, and the end of its run behind it, which the client submits at once. */
struct ending {
    struct inbox_record effect;
    struct inbox_complete complete;
    struct inbox_finish finish;
    bool lost;
};

static void begin_ending(struct fixture *fixture, struct ending *ending,
                         const struct inbox_run *run, enum inbox_finish_how how) {
    ending->effect = record_of(1, INBOX_EFFECT, INBOX_INTENDED);
    const struct inbox_record *records[] = {&ending->effect};
    assert_int_equal(intend(fixture, run, records, 1), 0);
    ending->effect.state = INBOX_COMPLETED;
    ending->effect.status = 201;
    ending->effect.body = bytes_of("{\"id\":5}");
    ending->complete = (struct inbox_complete){.operation = {.kind = INBOX_COMPLETE},
                                               .lost = &ending->lost,
                                               .run = run->id,
                                               .token = run->token,
                                               .record = &ending->effect};
    ending->finish = finish_of(run, how);
    ending->finish.due_ms = FIXTURE_NOW + 1000;
    ending->finish.has_journal = true;
    ending->finish.lost = &ending->lost;
}

static void submit_ending(struct fixture *fixture, struct ending *ending) {
    /* While the inbox is busy with this one, the others gather in a group. */
    struct inbox_put before = put_of("guid-before");
    before.n_runs = 0;
    fixture_submit(fixture, &before.operation);
    fixture_submit(fixture, &ending->complete.operation);
    fixture_submit(fixture, &ending->finish.operation);
    fixture_wait(fixture, 3);
}

static void an_end_that_follows_a_response_is_stored_after_it(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct ending ending = {.lost = false};
    begin_ending(fixture, &ending, &run, INBOX_DONE);
    submit_ending(fixture, &ending);
    assert_int_equal(ending.complete.operation.result, 0);
    assert_int_equal(ending.finish.operation.result, 0);
    /* The end has deleted the body that the response brought. */
    assert_int_equal(fixture->store->query(fixture->place,
                                           "SELECT count(*) FROM journal WHERE state = 'completed'"
                                           " AND status = 201 AND length(body) = 0"),
                     1);
    inbox_run_finish(&run);
}

/* Otherwise the next attempt, or a person who looks at the run, would see an effect in doubt. */
static void no_end_is_stored_behind_a_response_that_was_not(void **state) {
    static const enum inbox_finish_how ways[] = {INBOX_DONE, INBOX_RETRY, INBOX_WAIT, INBOX_DEAD,
                                                 INBOX_PARK};
    struct fixture *fixture = *state;
    fixture->store->poison(fixture->place, "poison");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char guid[16];
        (void)snprintf(guid, sizeof guid, "guid-%zu", i);
        struct inbox_run run = fixture_put_and_claim(fixture, guid);
        struct ending ending = {.lost = false};
        begin_ending(fixture, &ending, &run, ways[i]);
        ending.effect.message = (char *)(uintptr_t) "poison";
        submit_ending(fixture, &ending);
        assert_int_equal(ending.complete.operation.result, -1);
        assert_int_equal(ending.finish.operation.result, -1);
        assert_string_not_equal(ending.finish.operation.error.text, "");
        assert_true(inbox_healthy(fixture->inbox));
        assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM runs"
                                                               " WHERE state = 'running'"),
                         1);
        /* The client stores the response first, and then the end. */
        ending.effect.message = NULL;
        ending.finish.lost = NULL;
        submit_ending(fixture, &ending);
        assert_int_equal(ending.complete.operation.result, 0);
        assert_int_equal(ending.finish.operation.result, 0);
        inbox_run_finish(&run);
    }
    assert_int_equal(fixture->store->query(
                         fixture->place, "SELECT count(*) FROM journal WHERE state = 'completed'"),
                     (int64_t)(sizeof ways / sizeof *ways));
}

static void an_intent_of_a_run_that_is_not_ours_is_stale_and_not_written(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1"), other = run;
    struct inbox_record effect = record_of(1, INBOX_EFFECT, INBOX_INTENDED);
    const struct inbox_record *records[] = {&effect};
    other.token++;
    assert_int_equal(intend(fixture, &other, records, 1), INBOX_STALE);
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);
    assert_int_equal(intend(fixture, &run, records, 1), INBOX_STALE);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal"), 0);
    inbox_run_finish(&run);
}

static void an_intent_that_somebody_took_up_is_left_to_them(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1"), late = run;
    struct inbox_record effect = record_of(1, INBOX_EFFECT, INBOX_INTENDED);
    const struct inbox_record *records[] = {&effect};
    assert_int_equal(intend(fixture, &run, records, 1), 0);
    effect.state = INBOX_COMPLETED;
    late.token++;
    assert_int_equal(answer(fixture, &late, &effect), 0);
    assert_int_equal(fixture->store->query(fixture->place,
                                           "SELECT count(*) FROM journal WHERE state = 'intended'"),
                     1);
    inbox_run_finish(&run);
}

static void a_change_and_its_record_are_written_together(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record change = record_of(1, INBOX_CHANGE, INBOX_COMPLETED);
    const struct inbox_record *records[] = {&change};
    struct inbox_plugin_state item = {.operation = {.kind = INBOX_SET_ADD},
                                      .writer = writer_of(&run, records, 1),
                                      .plugin = "invite",
                                      .scope = "",
                                      .set = "s",
                                      .name = "mona"};
    assert_int_equal(fixture_do(fixture, &item.operation), 1);
    item.writer.token++;
    item.name = "lisa";
    assert_int_equal(fixture_do(fixture, &item.operation), INBOX_PLUGIN_STATE_STALE);
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM plugin_sets"), 1);
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);
    struct inbox_run again = fixture_claim_one(fixture);
    assert_int_equal(again.n_journal, 1);
    assert_int_equal(again.journal[0].kind, INBOX_CHANGE);
    assert_int_equal(again.journal[0].outcome, 1);
    inbox_run_finish(&again);
    inbox_run_finish(&run);
}

static void of_a_finished_run_only_the_effects_stay_and_of_a_dead_one_all(void **state) {
    struct fixture *fixture = *state;
    for (int dead = 0; dead <= 1; dead++) {
        struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
        struct inbox_record read = record_of(1, INBOX_READ, INBOX_COMPLETED);
        struct inbox_record effect = record_of(2, INBOX_EFFECT, INBOX_COMPLETED);
        effect.body = bytes_of("{}");
        const struct inbox_record *records[] = {&read, &effect};
        assert_int_equal(intend(fixture, &run, records, 2), 0);
        assert_int_equal(end(fixture, &run, dead ? INBOX_DEAD : INBOX_DONE), 0);
        assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM journal"),
                         dead ? 2 : 1);
        /* Comes again: a finished one runs afresh, a dead one goes on where it was. */
        struct inbox_put put = put_of("guid-1");
        assert_int_equal(fixture_do(fixture, &put.operation), INBOX_REDELIVERED);
        inbox_run_finish(&run);
        run = fixture_claim_one(fixture);
        assert_int_equal(run.n_journal, dead ? 2 : 0);
        assert_int_equal(end(fixture, &run, INBOX_DONE), 0);
        inbox_run_finish(&run);
        put = put_of("guid-1");
        fixture_close(fixture);
        fixture->store->remove(fixture->place);
        fixture->place = fixture->store->make();
        fixture_open(fixture, FIXTURE_NOW);
    }
}

static void the_oldest_of_what_is_queued_is_known(void **state) {
    struct fixture *fixture = *state;
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_true(stats.oldest_due_ms == INT64_MAX);
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_true(stats.oldest_due_ms == INT64_MAX);
    int64_t due_ms = run.due_ms;
    assert_true(due_ms > FIXTURE_NOW - 60000 && due_ms <= FIXTURE_NOW); /* the claim tells it */
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_true(stats.oldest_due_ms >= due_ms && stats.oldest_due_ms < INT64_MAX);
    inbox_run_finish(&run);
}

static void of_a_pruned_delivery_only_its_effects_are_still_shown(void **state) {
    struct fixture *fixture = *state;
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record read = record_of(1, INBOX_READ, INBOX_COMPLETED);
    struct inbox_record effect = record_of(2, INBOX_EFFECT, INBOX_COMPLETED);
    effect.body = bytes_of("{}");
    const struct inbox_record *records[] = {&read, &effect};
    assert_int_equal(intend(fixture, &run, records, 2), 0);
    assert_int_equal(end(fixture, &run, INBOX_DEAD), 0);
    struct inbox_journal_read journal = {.operation = {.kind = INBOX_JOURNAL_READ}, .run = run.id};
    assert_int_equal(fixture_do(fixture, &journal.operation), 0);
    assert_int_equal(journal.n_records, 2);
    inbox_records_free(journal.records, journal.n_records);

    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .dead_before_ms = FIXTURE_NOW + 1,
                                .done_before_ms = FIXTURE_NOW + 1,
                                .most = 10,
                                .most_bytes = 1000};
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    assert_int_equal(prune.bodies, 1);
    assert_int_equal(fixture_do(fixture, &journal.operation), 0);
    assert_int_equal(journal.n_records, 1);
    assert_int_equal(journal.records[0].kind, INBOX_EFFECT);
    assert_int_equal(journal.records[0].body.bytes, 0);
    inbox_records_free(journal.records, journal.n_records);
    inbox_run_finish(&run);
}

static void intents_in_doubt_are_counted_once_their_run_has_stopped(void **state) {
    struct fixture *fixture = *state;
    struct inbox_stats stats = {.operation = {.kind = INBOX_STATS}};
    struct inbox_run run = fixture_put_and_claim(fixture, "guid-1");
    struct inbox_record effect = record_of(1, INBOX_EFFECT, INBOX_INTENDED);
    const struct inbox_record *records[] = {&effect};
    assert_int_equal(intend(fixture, &run, records, 1), 0);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.in_doubt, 0);
    assert_int_equal(stats.oldest_in_doubt_ms, 0);
    assert_int_equal(end(fixture, &run, INBOX_RETRY), 0);
    assert_int_equal(fixture_do(fixture, &stats.operation), 0);
    assert_int_equal(stats.in_doubt, 1);
    assert_int_equal(stats.oldest_in_doubt_ms, effect.at_ms);
    inbox_run_finish(&run);
}

size_t contract_journal_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_retry_gets_the_journal_of_the_attempts_before_it_in_order),
        CONTRACT(a_record_that_is_written_again_takes_its_new_kind),
        CONTRACT(an_answer_is_written_into_its_intent),
        CONTRACT(an_end_that_follows_a_response_is_stored_after_it),
        CONTRACT(no_end_is_stored_behind_a_response_that_was_not),
        CONTRACT(an_intent_of_a_run_that_is_not_ours_is_stale_and_not_written),
        CONTRACT(an_intent_that_somebody_took_up_is_left_to_them),
        CONTRACT(a_change_and_its_record_are_written_together),
        CONTRACT(of_a_finished_run_only_the_effects_stay_and_of_a_dead_one_all),
        CONTRACT(of_a_pruned_delivery_only_its_effects_are_still_shown),
        CONTRACT(intents_in_doubt_are_counted_once_their_run_has_stopped),
        CONTRACT(the_oldest_of_what_is_queued_is_known),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
