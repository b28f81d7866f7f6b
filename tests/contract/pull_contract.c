/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the place of pull mode. */
#include "inbox_contract.h"

#include "inbox/pull.h"

#include <stdlib.h>

#define MINUTE_MS 60000

static struct inbox_pull_place begin(struct fixture *fixture, int64_t now_ms) {
    struct inbox_pull_begin operation = {.operation = {.kind = INBOX_PULL_BEGIN}, .now_ms = now_ms};
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
    return operation.place;
}

static struct inbox_pull_entry entry_of(int64_t id, const char *guid) {
    return (struct inbox_pull_entry){.id = id,
                                     .guid = guid,
                                     .event = "push",
                                     .delivered_ms = FIXTURE_NOW,
                                     .wanted = true,
                                     .once = true};
}

static void note(struct fixture *fixture, const struct inbox_pull_entry *entries, size_t n,
                 int64_t place_ms) {
    struct inbox_pull_note operation = {.operation = {.kind = INBOX_PULL_NOTE},
                                        .entries = entries,
                                        .n_entries = n,
                                        .place_ms = place_ms};
    assert_int_equal(fixture_do(fixture, &operation.operation), 0);
}

static void note_one(struct fixture *fixture, int64_t id, const char *guid, bool redelivery) {
    struct inbox_pull_entry entry = entry_of(id, guid);
    entry.redelivery = redelivery;
    entry.once = !redelivery;
    note(fixture, &entry, 1, 0);
}

/* The ids of the entries that wait and are due, one after the other. */
static void expect_due(struct fixture *fixture, int64_t now_ms, const char *ids) {
    struct inbox_pull_waiting waiting[8];
    struct inbox_pull_due due = {
        .operation = {.kind = INBOX_PULL_DUE}, .now_ms = now_ms, .waiting = waiting, .most = 8};
    char found[200] = "";
    assert_int_equal(fixture_do(fixture, &due.operation), 0);
    for (size_t i = 0; i < due.n_waiting; i++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%lld ",
                 (long long)waiting[i].id);
    }
    assert_string_equal(found, ids);
}

static int put_pulled(struct fixture *fixture, int64_t id, const char *guid, bool redelivery) {
    struct inbox_put put = put_of(guid);
    put.pulled = id;
    put.fetched = !redelivery;
    return fixture_do(fixture, &put.operation);
}

static void finish_run(struct fixture *fixture) {
    struct inbox_run run = fixture_claim_one(fixture);
    struct inbox_finish finish = finish_of(&run, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &finish.operation), 0);
    inbox_run_finish(&run);
}

static void the_first_start_is_kept_and_the_place_never_moves_back(void **state) {
    struct fixture *fixture = *state;
    struct inbox_pull_place place = begin(fixture, FIXTURE_NOW);
    assert_int_equal(place.started_ms, FIXTURE_NOW);
    assert_int_equal(place.oldest_ms, FIXTURE_NOW);
    assert_int_equal(place.place_ms, 0);
    assert_int_equal(place.full_ms, FIXTURE_NOW);
    note(fixture, NULL, 0, FIXTURE_NOW + 2000);
    note(fixture, NULL, 0, FIXTURE_NOW + 1000);
    fixture_close(fixture);
    fixture_open(fixture, FIXTURE_NOW);
    place = begin(fixture, FIXTURE_NOW + 9000);
    assert_int_equal(place.started_ms, FIXTURE_NOW);
    assert_int_equal(place.oldest_ms, FIXTURE_NOW);
    assert_int_equal(place.place_ms, FIXTURE_NOW + 2000);
}

static void a_whole_reading_replaces_the_place_that_a_wrong_clock_set(void **state) {
    struct fixture *fixture = *state;
    begin(fixture, FIXTURE_NOW + 1000000);
    note(fixture, NULL, 0, FIXTURE_NOW + 2000000);
    struct inbox_pull_note whole = {.operation = {.kind = INBOX_PULL_NOTE},
                                    .place_ms = FIXTURE_NOW,
                                    .full_ms = FIXTURE_NOW + 5};
    assert_int_equal(fixture_do(fixture, &whole.operation), 0);
    struct inbox_pull_place place = begin(fixture, FIXTURE_NOW);
    assert_int_equal(place.place_ms, FIXTURE_NOW);
    assert_int_equal(place.full_ms, FIXTURE_NOW + 5);
}

static void a_store_with_deliveries_takes_older_entries_too(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("before");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    struct inbox_pull_place place = begin(fixture, FIXTURE_NOW);
    assert_int_equal(place.started_ms, FIXTURE_NOW);
    assert_int_equal(place.oldest_ms, 0);
    struct inbox_operation forget = {.kind = INBOX_PULL_FORGET};
    assert_int_equal(fixture_do(fixture, &forget), 0);
    assert_int_equal(begin(fixture, FIXTURE_NOW + 5).started_ms, FIXTURE_NOW + 5);
}

static void entries_wait_until_they_are_stored_the_oldest_first(void **state) {
    struct fixture *fixture = *state;
    struct inbox_pull_entry entries[] = {entry_of(30, "c"), entry_of(10, "a"), entry_of(20, "b"),
                                         entry_of(40, "d")};
    entries[1].delivered_ms += 1000;
    entries[3].wanted = false;
    note(fixture, entries, 4, 0);
    expect_due(fixture, FIXTURE_NOW, "20 30 10 ");
    assert_int_equal(put_pulled(fixture, 20, "b", false), INBOX_STORED);
    /* The list is read again. */
    note(fixture, entries, 4, 0);
    expect_due(fixture, FIXTURE_NOW, "30 10 ");
    assert_int_equal(fixture->store->query(fixture->place, "SELECT count(*) FROM pulled"), 4);
}

static void an_entry_whose_delivery_is_known_counts_as_handled(void **state) {
    struct fixture *fixture = *state;
    struct inbox_put put = put_of("known");
    assert_int_equal(fixture_do(fixture, &put.operation), INBOX_STORED);
    note_one(fixture, 10, "known", false);
    /* A person asked for it. */
    note_one(fixture, 11, "known", true);
    expect_due(fixture, FIXTURE_NOW, "11 ");
}

static void the_same_entry_never_runs_twice(void **state) {
    struct fixture *fixture = *state;
    note_one(fixture, 10, "a", false);
    assert_int_equal(put_pulled(fixture, 10, "a", false), INBOX_STORED);
    finish_run(fixture);
    note_one(fixture, 11, "a", true);
    assert_int_equal(put_pulled(fixture, 11, "a", true), INBOX_REDELIVERED);
    finish_run(fixture);
    /* Another host had fetched it at the same time. */
    assert_int_equal(put_pulled(fixture, 11, "a", true), INBOX_DUPLICATE);
    assert_int_equal(put_pulled(fixture, 10, "a", false), INBOX_DUPLICATE);
    fixture_expect_stats(fixture, 0, 0, 0);
    expect_due(fixture, FIXTURE_NOW, "");
}

static void a_redelivery_that_was_listed_before_the_run_runs_nothing_again(void **state) {
    struct fixture *fixture = *state;
    note_one(fixture, 10, "a", false);
    note_one(fixture, 11, "a", true);
    assert_int_equal(put_pulled(fixture, 10, "a", false), INBOX_STORED);
    expect_due(fixture, FIXTURE_NOW, "");
    finish_run(fixture);
    assert_int_equal(put_pulled(fixture, 11, "a", true), INBOX_DUPLICATE);
}

static void a_redelivery_stores_a_delivery_whose_first_entry_is_lost(void **state) {
    struct fixture *fixture = *state;
    note_one(fixture, 10, "a", false);
    struct inbox_pull_fail fail = {.operation = {.kind = INBOX_PULL_FAIL}, .id = 10, .due_ms = 0};
    assert_int_equal(fixture_do(fixture, &fail.operation), 0);
    expect_due(fixture, INT64_MAX, "");
    note_one(fixture, 11, "a", true);
    assert_int_equal(put_pulled(fixture, 11, "a", true), INBOX_STORED);
    fixture_expect_stats(fixture, 1, 0, 0);
    /* The lost payload appeared all the same: it is the same delivery. */
    assert_int_equal(put_pulled(fixture, 10, "a", false), INBOX_DUPLICATE);
}

static void a_failed_entry_is_due_later(void **state) {
    struct fixture *fixture = *state;
    note_one(fixture, 10, "a", false);
    note_one(fixture, 20, "b", false);
    struct inbox_pull_fail fail = {
        .operation = {.kind = INBOX_PULL_FAIL}, .id = 10, .due_ms = FIXTURE_NOW + MINUTE_MS};
    assert_int_equal(fixture_do(fixture, &fail.operation), 0);
    expect_due(fixture, FIXTURE_NOW, "20 ");
    struct inbox_pull_waiting waiting[1];
    struct inbox_pull_due early = {.operation = {.kind = INBOX_PULL_DUE},
                                   .now_ms = FIXTURE_NOW + MINUTE_MS - 1,
                                   .waiting = waiting,
                                   .most = 1};
    assert_int_equal(fixture_do(fixture, &early.operation), 0);
    assert_int_equal(early.next_due_ms, FIXTURE_NOW + MINUTE_MS);
    struct inbox_pull_due due = {.operation = {.kind = INBOX_PULL_DUE},
                                 .now_ms = FIXTURE_NOW + MINUTE_MS,
                                 .waiting = waiting,
                                 .most = 1};
    assert_int_equal(fixture_do(fixture, &due.operation), 0);
    assert_int_equal(due.n_waiting, 1);
    assert_int_equal(waiting[0].attempts, 1);
    assert_string_equal(waiting[0].guid, "a");
    assert_string_equal(waiting[0].event, "push");
    assert_int_equal(due.n_total, 2);
    assert_true(due.next_due_ms == INT64_MAX);
    assert_int_equal(due.oldest_ms, FIXTURE_NOW);
}

static void old_entries_are_forgotten(void **state) {
    struct fixture *fixture = *state;
    struct inbox_pull_entry old = entry_of(10, "a");
    old.delivered_ms -= MINUTE_MS;
    note(fixture, &old, 1, 0);
    note_one(fixture, 20, "b", false);
    struct inbox_prune prune = {.operation = {.kind = INBOX_PRUNE},
                                .pulled_before_ms = FIXTURE_NOW,
                                .most = 10,
                                .most_bytes = 1000};
    assert_int_equal(fixture_do(fixture, &prune.operation), 0);
    expect_due(fixture, FIXTURE_NOW, "20 ");
}

size_t contract_pull_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest all[] = {
        CONTRACT(the_first_start_is_kept_and_the_place_never_moves_back),
        CONTRACT(a_whole_reading_replaces_the_place_that_a_wrong_clock_set),
        CONTRACT(a_store_with_deliveries_takes_older_entries_too),
        CONTRACT(entries_wait_until_they_are_stored_the_oldest_first),
        CONTRACT(an_entry_whose_delivery_is_known_counts_as_handled),
        CONTRACT(the_same_entry_never_runs_twice),
        CONTRACT(a_redelivery_that_was_listed_before_the_run_runs_nothing_again),
        CONTRACT(a_redelivery_stores_a_delivery_whose_first_entry_is_lost),
        CONTRACT(a_failed_entry_is_due_later),
        CONTRACT(old_entries_are_forgotten),
    };
    memcpy(tests, all, sizeof all);
    return sizeof all / sizeof *all;
}
