/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* inbox/inbox.c on a store that is only pretended: what shares a transaction, and who is told what
 * when one fails. */
#include "unit.h"

#include "inbox/common/codec.h"
#include "inbox/common/rest.h"
#include "inbox/common/turns.h"
#include "inbox/common/writer.h"
#include "inbox/deliveries.h"

#include <malloc.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>

enum { CALLS_MAX = 64, OPERATIONS_MAX = 600, BODY_BYTES_MAX = 25 << 20 };

/* Fails the transaction of an operation whose GUID starts with a letter: "r" is rejected, "b" finds
 * the store broken, "c" lets the commit fail. */
struct pretended {
    struct store store;
    /* While `gated`: each transaction says that it begins, and waits. */
    sem_t entered, go;
    bool gated;
    size_t calls, sizes[CALLS_MAX];
    bool probes[CALLS_MAX];
};

static int transact(struct store *store, struct inbox_operation *const *operations, size_t n,
                    bool probe, struct store_failure *failure) {
    struct pretended *pretended = CONTAINER_OF(store, struct pretended, store);
    if (pretended->gated) {
        (void)sem_post(&pretended->entered);
        (void)sem_wait(&pretended->go);
    }
    assert_true(pretended->calls < CALLS_MAX);
    pretended->sizes[pretended->calls] = n;
    pretended->probes[pretended->calls++] = probe;
    bool lost = false;
    for (size_t i = 0; i < n; i++) {
        operations[i]->result = 0;
        if (operations[i]->kind == INBOX_CLAIM) {
            struct inbox_claim *claim = CONTAINER_OF(operations[i], struct inbox_claim, operation);
            assert_null(claim->runs);
            claim->runs = calloc(1, sizeof *claim->runs);
            claim->n_runs = 1;
            continue;
        }
        char how = CONTAINER_OF(operations[i], struct inbox_put, operation)->guid[0];
        lost = lost || how == 'c';
        if (how == 'r' || how == 'b') {
            failure->failed_index = i;
            failure->broken = how == 'b';
            return error_set(&failure->error, "this one");
        }
    }
    failure->failed_index = STORE_NO_OPERATION;
    failure->broken = true;
    return lost ? error_set(&failure->error, "no room") : 0;
}

static void free_nothing(struct store *store) {
    (void)store;
}

static const struct store_methods methods = {.transact = transact, .free = free_nothing};

struct fixture {
    struct pretended pretended;
    struct inbox *inbox;
    struct mailbox mailbox;
    size_t answered;
    struct inbox_operation *order[OPERATIONS_MAX]; /* as answered */
    struct inbox_put puts[OPERATIONS_MAX];
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->pretended.store.methods = &methods;
    assert_int_equal(sem_init(&fixture->pretended.entered, 0, 0), 0);
    assert_int_equal(sem_init(&fixture->pretended.go, 0, 0), 0);
    assert_int_equal(mailbox_init(&fixture->mailbox), 0);
    assert_int_equal(inbox_new(&fixture->inbox, NULL), 0);
    assert_int_equal(writer_start(fixture->inbox, &fixture->pretended.store, NULL), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    inbox_free(fixture->inbox);
    mailbox_finish(&fixture->mailbox);
    free(fixture);
    return 0;
}

static void note_answer(struct inbox_operation *operation) {
    struct fixture *fixture = CONTAINER_OF(operation->reply_to, struct fixture, mailbox);
    fixture->order[fixture->answered++] = operation;
}

static void submit(struct fixture *fixture, struct inbox_operation *operation) {
    operation->reply_to = &fixture->mailbox;
    operation->on_result = note_answer;
    inbox_submit(fixture->inbox, operation);
}

/* Bytes that do not shrink, so that a body is as large in the store as it was given. */
static const char *random_body(void) {
    static char bytes[BODY_BYTES_MAX];
    if (!bytes[0]) {
        arc4random_buf(bytes, sizeof bytes);
        bytes[0] = 1;
    }
    return bytes;
}

static void submit_put(struct fixture *fixture, size_t index, const char *guid, size_t bytes) {
    assert_true(bytes <= BODY_BYTES_MAX);
    fixture->puts[index] = (struct inbox_put){
        .operation = {.kind = INBOX_PUT}, .guid = guid, .body = random_body(), .body_bytes = bytes};
    submit(fixture, &fixture->puts[index].operation);
}

static void wait_for(struct fixture *fixture, size_t n) {
    while (fixture->answered < n) {
        struct pollfd wanted = {.fd = fixture->mailbox.event_fd, .events = POLLIN};
        assert_int_equal(poll(&wanted, 1, 60000), 1);
        (void)mailbox_drain(&fixture->mailbox);
    }
    assert_int_equal(fixture->answered, n);
}

/* Keeps the writer busy with puts[0], so that what is submitted next waits and is one group. */
static void hold_the_writer(struct fixture *fixture) {
    fixture->pretended.gated = true;
    submit_put(fixture, 0, "first", 0);
    (void)sem_wait(&fixture->pretended.entered);
    fixture->pretended.gated = false;
}

static void release_the_writer(struct fixture *fixture) {
    (void)sem_post(&fixture->pretended.go);
}

static void expect_sizes(struct fixture *fixture, const size_t *sizes, size_t n) {
    assert_int_equal(fixture->pretended.calls, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fixture->pretended.sizes[i], sizes[i]);
    }
}

static void what_waits_shares_a_transaction_up_to_a_number(void **state) {
    struct fixture *fixture = *state;
    hold_the_writer(fixture);
    for (size_t i = 1; i <= 400; i++) {
        submit_put(fixture, i, "good", 0);
    }
    release_the_writer(fixture);
    wait_for(fixture, 401);
    expect_sizes(fixture, (const size_t[]){1, 256, 144}, 3);
    for (size_t i = 0; i <= 400; i++) {
        assert_ptr_equal(fixture->order[i], &fixture->puts[i].operation);
    }
}

static void a_group_is_bounded_in_bytes_but_one_operation_always_fits(void **state) {
    struct fixture *fixture = *state;
    static const size_t mib[] = {0, 4, 4, 1, 25, 25, 0, 0, 8};
    hold_the_writer(fixture);
    for (size_t i = 1; i < 9; i++) {
        submit_put(fixture, i, "good", mib[i] << 20);
    }
    release_the_writer(fixture);
    wait_for(fixture, 9);
    expect_sizes(fixture, (const size_t[]){1, 2, 1, 1, 3, 1}, 6);
}

static void a_failed_commit_is_answered_to_all_and_unhealthy_until_one_succeeds(void **state) {
    struct fixture *fixture = *state;
    hold_the_writer(fixture);
    submit_put(fixture, 1, "good", 0);
    submit_put(fixture, 2, "commit", 0);
    submit_put(fixture, 3, "good", 0);
    release_the_writer(fixture);
    wait_for(fixture, 4);
    expect_sizes(fixture, (const size_t[]){1, 3}, 2);
    assert_int_equal(fixture->puts[0].operation.result, 0);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(fixture->puts[i].operation.result, -1);
        assert_string_equal(fixture->puts[i].operation.error.text, "no room");
    }
    assert_false(inbox_healthy(fixture->inbox));
    submit_put(fixture, 4, "good", 0);
    wait_for(fixture, 5);
    assert_int_equal(fixture->puts[4].operation.result, 0);
    assert_true(inbox_healthy(fixture->inbox));
    assert_false(fixture->pretended.probes[1]);
    assert_true(fixture->pretended.probes[2]);
}

static void only_the_operation_that_fails_is_rejected(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"", "good", "good", "rejected", "good", "rejected", "good"};
    hold_the_writer(fixture);
    for (size_t i = 1; i < 7; i++) {
        submit_put(fixture, i, guids[i], 0);
    }
    release_the_writer(fixture);
    wait_for(fixture, 7);
    /* All; the two before the failed_index; from the failed_index; from after it; and again. */
    expect_sizes(fixture, (const size_t[]){1, 6, 2, 4, 3, 1, 2, 1}, 8);
    for (size_t i = 1; i < 7; i++) {
        assert_ptr_equal(fixture->order[i], &fixture->puts[i].operation);
        assert_int_equal(fixture->puts[i].operation.result, guids[i][0] == 'r' ? -1 : 0);
    }
    assert_true(inbox_healthy(fixture->inbox));
}

static void an_operation_that_finds_the_store_broken_makes_it_unhealthy(void **state) {
    struct fixture *fixture = *state;
    submit_put(fixture, 0, "broken", 0);
    wait_for(fixture, 1);
    assert_int_equal(fixture->puts[0].operation.result, -1);
    assert_false(inbox_healthy(fixture->inbox));
}

static void what_a_lost_transaction_returned_is_taken_back(void **state) {
    struct fixture *fixture = *state;
    struct inbox_claim_share share = {.plugin = "invite", .suspects_due = true};
    struct inbox_claim claims[2];
    hold_the_writer(fixture);
    for (size_t i = 0; i < 2; i++) {
        claims[i] = (struct inbox_claim){.operation = {.kind = INBOX_CLAIM},
                                         .shares = &share,
                                         .n_shares = 1,
                                         .runs = (struct inbox_run *)1, /* whatever was there */
                                         .n_runs = 77};
    }
    submit(fixture, &claims[0].operation);
    /* The claim before it is done twice. */
    submit_put(fixture, 1, "rejected", 0);
    submit(fixture, &claims[1].operation);
    submit_put(fixture, 2, "commit", 0);
    release_the_writer(fixture);
    wait_for(fixture, 5);
    assert_int_equal(claims[0].operation.result, 0);
    assert_int_equal(claims[0].n_runs, 1);
    inbox_runs_free(claims[0].runs, claims[0].n_runs);
    assert_int_equal(claims[1].operation.result, -1);
    assert_null(claims[1].runs);
    assert_int_equal(claims[1].n_runs, 0);
    assert_false(share.suspects_due);
}

/* Bodies that a released host stored need its dictionary. */
static void a_body_that_was_packed_with_the_first_dictionary_is_restored(void **state) {
    static const char body[] =
        "{\"action\":\"created\",\"check_run\":{\"id\":128620228,\"node_id\":\"MDg6\",\"external_"
        "id\":"
        "\"\",\"url\":\"https://api.github.com/repos/o/r/check-runs/"
        "128620228\"},\"comment\":{\"pull_"
        "request_review_id\":237895671,\"diff_hunk\":\"@@\"},\"repository\":{\"archived\":false,"
        "\"disabled\":false,\"open_issues_count\":2},\"sender\":{\"login\":\"mona\","
        "\"organizations_"
        "url\":\"https://api.github.com/users/mona/orgs\",\"type\":\"User\",\"site_admin\":false}}";
    static const char packed[] = "\x22\x7b\x22\xd3\x18\x24\x22\x3a\xc0\x03\x05\xa1\x45\x21\x72\x75"
                                 "\x11\x0b\x01\x2a\x03\x88\x32\x38"
                                 "\x36\x32\x30\x32\x32\x38\x0e\x0b\x4f\x4d\x44\x67\x36\x7b\x53\x34"
                                 "\x04\x5f\x00\x04\x14\x43\x03\x35"
                                 "\x33\x08\xd9\x04\x03\x77\x28\x01\x92\x05\x9a\x32\x33\x37\x38\x39"
                                 "\x35\x36\x37\x31\xef\x32\x22\x40"
                                 "\x40\x39\x22\x04\xa8\x1f\x34\x22\x3a\x7b\x10\x11\x06\x08\x0c\x0f"
                                 "\x0d\x0d\x11\x1f\x32\x36\x04\x02"
                                 "\x4f\x6d\x6f\x6e\x61\xe3\x1b\x21\x44\x6d\x6f\x6e\x61\x17\x08\x0f"
                                 "\x90\x01\x09\x50\x6c\x73\x65\x7d"
                                 "\x7d";
    struct payload *stored = payload_new(sizeof packed - 1), *restored = NULL;
    assert_non_null(stored);
    memcpy(stored->data, packed, sizeof packed - 1);
    struct error err;
    size_t bytes = 0;
    assert_int_equal(codec_unpack(CODEC_LZ4, stored, sizeof body - 1, &restored, &err), 0);
    assert_memory_equal(restored->data, body, sizeof body - 1);
    char *again = codec_pack(body, sizeof body - 1, &bytes);
    assert_non_null(again);
    assert_true(bytes <= sizeof packed - 1);
    free(again);
    payload_unref(restored);
    payload_unref(stored);
}

/* -- before which time a plugin has no queued run -- */

static void a_claim_begins_where_queued_runs_begin(void **state) {
    enum { NOW = 1000000, SKEW = 10000 };
    struct turns turns = {.n_turns = 0};
    assert_int_equal(turns_due_from(&turns, "ping", NOW), 0);
    /* A claim that did not look at all runs knows nothing of the earlier ones. */
    turns_note_due(&turns, "ping", NOW, 5, NOW);
    assert_int_equal(turns_due_from(&turns, "ping", NOW), 0);
    turns_note_due(&turns, "ping", NOW, 0, NOW - 500);
    assert_int_equal(turns_due_from(&turns, "ping", NOW), NOW - 500 - SKEW);
    assert_int_equal(turns_due_from(&turns, "invite", NOW), 0);
    /* A run that is due later may be followed by one that is due now. */
    turns_note_due(&turns, "ping", NOW + 100, 5, INT64_MAX);
    assert_int_equal(turns_due_from(&turns, "ping", NOW + 100), NOW + 100 - SKEW);
    turns_queued(&turns, "ping", 700);
    assert_int_equal(turns_due_from(&turns, "ping", NOW + 100), 700);
    turns_queued(&turns, "ping", NOW);
    assert_int_equal(turns_due_from(&turns, "ping", NOW + 100), 700);
    turns_finish(&turns);
}

static void a_claim_looks_at_all_runs_again_in_time(void **state) {
    enum { NOW = 1000000 };
    struct turns turns = {.n_turns = 0};
    turns_note_due(&turns, "ping", NOW, 0, NOW);
    turns_note_due(&turns, "ping", NOW + TURNS_FULL_MS - 1, 5, NOW);
    assert_int_not_equal(turns_due_from(&turns, "ping", NOW + TURNS_FULL_MS - 1), 0);
    assert_int_equal(turns_due_from(&turns, "ping", NOW + TURNS_FULL_MS), 0);
    /* The clock was set back. */
    assert_int_equal(turns_due_from(&turns, "ping", NOW - 1), 0);
    turns_forget_due(&turns);
    assert_int_equal(turns_due_from(&turns, "ping", NOW), 0);
    turns_finish(&turns);
}

static void a_packed_body_holds_only_its_own_bytes(void **state) {
    (void)state;
    enum { BYTES = 20000 };
    size_t packed_bytes = 0;
    char *body = malloc(BYTES);
    assert_non_null(body);
    for (size_t i = 0; i < BYTES; i++) {
        body[i] = "snekomatic"[i % 10];
    }
    char *packed = codec_pack(body, BYTES, &packed_bytes);
    assert_non_null(packed);
    assert_in_range(packed_bytes, 1, 500);
    assert_true(malloc_usable_size(packed) < 1000);
    free(packed);
    free(body);
}

static void memory_goes_back_once_after_each_burst(void **state) {
    enum { NOW = 1000000 };
    (void)state;
    struct rest rest = {.n_deliveries = 0};
    assert_false(rest_begins(&rest, 0, NOW));
    assert_false(rest_begins(&rest, REST_BURST, NOW));
    assert_false(rest_begins(&rest, 0, NOW + REST_AFTER_MS - 1));
    assert_true(rest_begins(&rest, 0, NOW + REST_AFTER_MS));
    assert_false(rest_begins(&rest, 0, NOW + 2 * REST_AFTER_MS));
    /* Single deliveries are no burst. They add up to one. */
    assert_false(rest_begins(&rest, REST_BURST - 1, NOW));
    assert_false(rest_begins(&rest, 0, NOW + REST_AFTER_MS));
    assert_false(rest_begins(&rest, 1, NOW + REST_AFTER_MS));
    assert_false(rest_begins(&rest, 0, NOW + REST_AFTER_MS + 1));
    assert_true(rest_begins(&rest, 0, NOW + 2 * REST_AFTER_MS));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_waits_shares_a_transaction_up_to_a_number),
        TEST(a_group_is_bounded_in_bytes_but_one_operation_always_fits),
        TEST(a_failed_commit_is_answered_to_all_and_unhealthy_until_one_succeeds),
        TEST(only_the_operation_that_fails_is_rejected),
        TEST(an_operation_that_finds_the_store_broken_makes_it_unhealthy),
        TEST(what_a_lost_transaction_returned_is_taken_back),
        cmocka_unit_test(a_packed_body_holds_only_its_own_bytes),
        cmocka_unit_test(memory_goes_back_once_after_each_burst),
        cmocka_unit_test(a_claim_begins_where_queued_runs_begin),
        cmocka_unit_test(a_claim_looks_at_all_runs_again_in_time),
        cmocka_unit_test(a_body_that_was_packed_with_the_first_dictionary_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
