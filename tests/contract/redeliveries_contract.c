/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The contract of the inbox: redeliveries that the host has requested, and payloads that it has
 * fetched. */
#include "inbox_contract.h"

static void finish(struct fixture *fixture) {
    struct inbox_run run = fixture_claim_one(fixture);
    struct inbox_finish done = finish_of(&run, INBOX_DONE);
    assert_int_equal(fixture_do(fixture, &done.operation), 0);
    inbox_run_finish(&run);
}

static void a_rejected_request_is_not_counted(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture_count_redelivery(fixture, "lost"), INBOX_REDELIVERY_COUNTED);
        struct inbox_uncount_redelivery uncount = {
            .operation = {.kind = INBOX_UNCOUNT_REDELIVERY}, .guid = "lost", .requested_ms = 7};
        assert_int_equal(fixture_do(fixture, &uncount.operation), 0);
    }
    const char *const guid = "lost";
    bool missing;
    uint32_t requests;
    int64_t requested_ms;
    struct inbox_find_missing find = {.operation = {.kind = INBOX_FIND_MISSING},
                                      .guids = &guid,
                                      .n_guids = 1,
                                      .missing = &missing,
                                      .requests = &requests,
                                      .requested_ms = &requested_ms};
    assert_int_equal(fixture_do(fixture, &find.operation), 0);
    assert_int_equal(requests, 0);
    assert_int_equal(requested_ms, 7);
}

static int put_again(struct fixture *fixture, bool fetched) {
    struct inbox_put put = put_of("guid-1");
    put.fetched = fetched;
    return fixture_do(fixture, &put.operation);
}

static void a_requested_redelivery_after_the_fetched_payload_is_a_duplicate(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(fixture_count_redelivery(fixture, "guid-1"), INBOX_REDELIVERY_COUNTED);
    assert_int_equal(fixture_count_redelivery(fixture, "guid-1"), INBOX_REDELIVERY_COUNTED);
    assert_int_equal(put_again(fixture, true), INBOX_STORED);
    finish(fixture);
    assert_int_equal(put_again(fixture, true), INBOX_DUPLICATE);
    assert_int_equal(put_again(fixture, false), INBOX_DUPLICATE);
    assert_int_equal(put_again(fixture, false), INBOX_DUPLICATE);
    assert_int_equal(put_again(fixture, false), INBOX_REDELIVERED);
}

static void the_redelivery_that_stores_a_delivery_counts_as_requested(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(fixture_count_redelivery(fixture, "guid-1"), INBOX_REDELIVERY_COUNTED);
    assert_int_equal(put_again(fixture, false), INBOX_STORED);
    finish(fixture);
    assert_int_equal(put_again(fixture, false), INBOX_REDELIVERED);
}

static void a_fetched_payload_never_runs_a_known_delivery(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(put_again(fixture, true), INBOX_STORED);
    assert_int_equal(put_again(fixture, true), INBOX_DUPLICATE);
    finish(fixture);
    assert_int_equal(put_again(fixture, true), INBOX_DUPLICATE);
    assert_int_equal(put_again(fixture, false), INBOX_REDELIVERED);
}

size_t contract_redelivery_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(a_rejected_request_is_not_counted),
        CONTRACT(a_requested_redelivery_after_the_fetched_payload_is_a_duplicate),
        CONTRACT(the_redelivery_that_stores_a_delivery_counts_as_requested),
        CONTRACT(a_fetched_payload_never_runs_a_known_delivery),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
