/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests of the inbox's contract that are about the bytes of a claim: bodies and journals. */
#include "inbox_contract.h"

#include <string.h>

static void put_sized(struct fixture *fixture, const char *guid, const char *installation,
                      size_t body_bytes, int64_t due_ms) {
    char *body = malloc(body_bytes);
    assert_non_null(body);
    memset(body, 'x', body_bytes);
    struct inbox_put operation = put_of(guid);
    operation.installation = installation;
    operation.body = body;
    operation.body_bytes = body_bytes;
    operation.due_ms = due_ms;
    assert_int_equal(fixture_do(fixture, &operation.operation), INBOX_STORED);
    free(body);
}

static struct inbox_claim_share share_of(uint32_t runs, uint64_t bytes, bool alone) {
    return (struct inbox_claim_share){
        .plugin = "invite", .runs = runs, .most_bytes = bytes, .alone = alone};
}

static struct inbox_claim claim(struct fixture *fixture, struct inbox_claim_share *share) {
    struct inbox_claim made = claim_of(share, 1, FIXTURE_NOW);
    assert_int_equal(fixture_do(fixture, &made.operation), 0);
    return made;
}

/* Expects runs with these GUIDs, in this order; the list ends with NULL. */
static void expect_claimed(struct fixture *fixture, struct inbox_claim_share *share,
                           const char *const *guids) {
    struct inbox_claim made = claim(fixture, share);
    size_t n = 0;
    for (; guids[n]; n++) {
        assert_true(n < made.n_runs);
        assert_string_equal(made.runs[n].guid, guids[n]);
    }
    assert_int_equal(made.n_runs, n);
    inbox_runs_free(made.runs, made.n_runs);
}

static int64_t id_of(struct fixture *fixture, const char *guid) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT r.id FROM runs r JOIN deliveries d ON d.id = r.delivery WHERE d.guid = '%s'",
             guid);
    return fixture->store->query(fixture->place, sql);
}

/* Gives the run a journal of one read with a body of so many bytes, and makes it due again. */
static void write_journal(struct fixture *fixture, const char *guid, size_t bytes) {
    struct inbox_claim_share share = share_of(1, UINT64_MAX, true);
    share.first = id_of(fixture, guid);
    struct inbox_claim made = claim(fixture, &share);
    assert_int_equal(made.n_runs, 1);
    char *body = malloc(bytes);
    assert_non_null(body);
    memset(body, 'y', bytes);
    struct inbox_record record = {.number = 1,
                                  .kind = INBOX_READ,
                                  .state = INBOX_COMPLETED,
                                  .at_ms = FIXTURE_NOW,
                                  .method = (char *)(uintptr_t) "GET",
                                  .url = (char *)(uintptr_t) "/repos/a/b",
                                  .body = {.data = body, .bytes = bytes, .max = bytes}};
    const struct inbox_record *records[] = {&record};
    struct inbox_intend intend = {.operation = {.kind = INBOX_INTEND},
                                  .writer = writer_of(&made.runs[0], records, 1)};
    assert_int_equal(fixture_do(fixture, &intend.operation), 0);
    struct inbox_finish end = finish_of(&made.runs[0], INBOX_RETRY);
    assert_int_equal(fixture_do(fixture, &end.operation), 0);
    free(body);
    inbox_runs_free(made.runs, made.n_runs);
}

static void the_journals_of_a_claims_runs_count_as_its_bytes(void **state) {
    struct fixture *fixture = *state;
    static const char *const guids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        put_sized(fixture, guids[i], "7", 10, FIXTURE_NOW);
    }
    for (size_t i = 0; i < 3; i++) {
        write_journal(fixture, guids[i], 100000);
    }
    static const struct {
        uint64_t bytes;
        bool alone;
        size_t runs;
    } cases[] = {{100000, false, 0}, {100000, true, 1}, {250000, false, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inbox_claim_share share = share_of(9, cases[i].bytes, cases[i].alone);
        struct inbox_claim made = claim(fixture, &share);
        assert_int_equal(made.n_runs, cases[i].runs);
        for (size_t run = 0; run < made.n_runs; run++) {
            assert_int_equal(made.runs[run].n_journal, 1);
            assert_int_equal(made.runs[run].journal[0].body.bytes, 100000);
        }
        inbox_runs_free(made.runs, made.n_runs);
    }
}

static void a_run_that_does_not_fit_hides_no_run_behind_it(void **state) {
    struct fixture *fixture = *state;
    put_sized(fixture, "large", "7", 4000, FIXTURE_NOW - 20);
    put_sized(fixture, "larger", "7", 5000, FIXTURE_NOW - 19);
    put_sized(fixture, "a", "7", 10, FIXTURE_NOW - 10);
    put_sized(fixture, "b", "7", 10, FIXTURE_NOW - 9);
    put_sized(fixture, "c", "8", 10, FIXTURE_NOW - 8);
    struct inbox_claim_share share = share_of(3, 1000, false);
    expect_claimed(fixture, &share, (const char *const[]){"c", "a", "b", NULL});
    assert_int_equal(share.passed_over, id_of(fixture, "large"));
    assert_int_equal(share.passed_over_due_ms, FIXTURE_NOW - 20);
    /* The claim does not pass over a run that would fit by itself. */
    share = share_of(3, 5000, false);
    expect_claimed(fixture, &share, (const char *const[]){"large", NULL});
    assert_int_equal(share.passed_over, 0);
}

static void a_run_that_was_passed_over_goes_first(void **state) {
    struct fixture *fixture = *state;
    put_sized(fixture, "small", "7", 10, FIXTURE_NOW - 20);
    put_sized(fixture, "large", "8", 4000, FIXTURE_NOW - 10);
    put_sized(fixture, "later", "8", 10, FIXTURE_NOW + 1);
    struct inbox_claim_share share = share_of(9, 1000, true);
    share.first = id_of(fixture, "later");
    expect_claimed(fixture, &share, (const char *const[]){"small", NULL});
    assert_false(share.first_taken);
    assert_int_equal(share.passed_over, id_of(fixture, "large"));
    put_sized(fixture, "other", "7", 10, FIXTURE_NOW - 20);
    share = share_of(9, 1000, true);
    share.first = id_of(fixture, "large");
    expect_claimed(fixture, &share, (const char *const[]){"large", NULL});
    assert_true(share.first_taken);
    /* It is running. */
    expect_claimed(fixture, &share, (const char *const[]){"other", NULL});
    assert_false(share.first_taken);
}

static void installations_with_large_runs_hold_up_no_other(void **state) {
    struct fixture *fixture = *state;
    static const char *const installations[] = {"1", "2", "3", "4", "5", "6"};
    for (size_t i = 0; i < 6; i++) {
        put_sized(fixture, installations[i], installations[i], 4000, FIXTURE_NOW - 20);
    }
    put_sized(fixture, "small", "9", 10, FIXTURE_NOW);
    size_t claims = 0, taken = 0;
    while (taken == 0) {
        struct inbox_claim_share share = share_of(2, 1000, false);
        struct inbox_claim made = claim(fixture, &share);
        taken = made.n_runs;
        /* Meanwhile the host does not claim at once again and again. */
        assert_true(taken > 0 || made.next_due_ms > FIXTURE_NOW);
        inbox_runs_free(made.runs, made.n_runs);
        assert_true(++claims <= 4);
    }
}

size_t contract_claim_tests(const struct contract_store *store, struct CMUnitTest *tests) {
    const struct CMUnitTest ours[] = {
        CONTRACT(the_journals_of_a_claims_runs_count_as_its_bytes),
        CONTRACT(a_run_that_does_not_fit_hides_no_run_behind_it),
        CONTRACT(a_run_that_was_passed_over_goes_first),
        CONTRACT(installations_with_large_runs_hold_up_no_other),
    };
    memcpy(tests, ours, sizeof ours);
    return sizeof ours / sizeof *ours;
}
