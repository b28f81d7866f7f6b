/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/journal: which records a request matches, and what the next commit writes. */
#include "unit.h"

#include "dispatch/journal.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

static const struct journal_part method = {"GET", 3}, url = {"/a", 2};

static void key_of(const char *text, uint8_t key[INBOX_KEY_BYTES]) {
    journal_key(&(struct journal_part){text, strlen(text)}, 1, key);
}

static void respond(struct journal *journal, struct journal_entry *entry, size_t bytes) {
    AUTO_FREE char *data = calloc(1, bytes + 1);
    struct buffer body = {.data = data, .bytes = bytes}, headers = {0};
    journal_set_response(journal, entry,
                         &(struct journal_response){
                             .status = 200, .sentence = "", .headers = &headers, .body = &body});
}

static void keys_differ_where_parts_do(void **state) {
    (void)state;
    const struct journal_part one[] = {{"ab", 2}, {"c", 1}}, other[] = {{"a", 1}, {"bc", 2}};
    uint8_t a[INBOX_KEY_BYTES], b[INBOX_KEY_BYTES];
    journal_key(one, 2, a);
    journal_key(other, 2, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void the_nth_equal_request_matches_the_nth_equal_record(void **state) {
    (void)state;
    struct journal journal = {0};
    uint8_t key[INBOX_KEY_BYTES], another[INBOX_KEY_BYTES];
    key_of("x", key);
    key_of("y", another);
    struct journal_entry *first = journal_add(&journal, INBOX_EFFECT, key, method, url);
    struct journal_entry *second = journal_add(&journal, INBOX_EFFECT, key, method, url);
    /* A new attempt. */
    first->matched = second->matched = false;
    assert_null(journal_match(&journal, another));
    assert_ptr_equal(journal_match(&journal, key), first);
    assert_ptr_equal(journal_match(&journal, key), second);
    assert_null(journal_match(&journal, key));
    assert_int_equal(second->record.number, 2);
    journal_finish(&journal);
}

static void a_change_whose_commit_failed_is_matched_again(void **state) {
    (void)state;
    struct journal journal = {0};
    uint8_t key[INBOX_KEY_BYTES], another[INBOX_KEY_BYTES];
    key_of("x", key);
    key_of("y", another);
    struct journal_entry *entry = journal_add(&journal, INBOX_CHANGE, key, method, url);
    assert_false(journal_repeats(&journal, entry));
    journal_set_uncertain(&journal, entry);
    assert_ptr_equal(journal_match(&journal, key), entry);
    assert_true(journal_repeats(&journal, entry));
    /* Not after another change: that one may have undone the first. */
    journal_set_uncertain(&journal, entry);
    const struct journal_entry *other = journal_add(&journal, INBOX_CHANGE, another, method, url);
    assert_false(journal_repeats(&journal, other));
    assert_ptr_equal(journal_match(&journal, key), entry);
    assert_false(journal_repeats(&journal, entry));
    journal_finish(&journal);
}

/* Loads records of one key, and expects that requests match them in the order of `order`, which
 * ends with 0; a record that is not in `order` never matches before these. */
static void expect_matches(const struct inbox_record *records, size_t n, const int64_t *order) {
    struct journal journal = {0};
    struct inbox_run run = {.journal = calloc(n, sizeof *run.journal), .n_journal = n};
    for (size_t i = 0; i < n; i++) {
        run.journal[i] = records[i];
        run.journal[i].number = (int64_t)i + 1;
        key_of("x", run.journal[i].key);
    }
    uint8_t key[INBOX_KEY_BYTES];
    key_of("x", key);
    assert_int_equal(journal_load(&journal, &run), 0);
    for (; *order; order++) {
        const struct journal_entry *entry = journal_match(&journal, key);
        assert_non_null(entry);
        assert_int_equal(entry->record.number, *order);
    }
    journal_finish(&journal);
}

static void a_request_matches_a_record_that_stands_first(void **state) {
    (void)state;
    const struct inbox_record rejected = {
        .kind = INBOX_EFFECT, .state = INBOX_COMPLETED, .status = 422, .outcome = -1};
    const struct inbox_record unsent = {.kind = INBOX_EFFECT, .state = INBOX_UNSENT};
    const struct inbox_record in_doubt = {.kind = INBOX_EFFECT, .state = INBOX_INTENDED};
    const struct inbox_record stands = {
        .kind = INBOX_EFFECT, .state = INBOX_COMPLETED, .status = 201};
    const struct inbox_record failed = {.kind = INBOX_CHANGE, .state = INBOX_UNSENT};
    const struct inbox_record changed = {
        .kind = INBOX_CHANGE, .state = INBOX_COMPLETED, .outcome = 1};
    expect_matches((struct inbox_record[]){rejected, unsent, stands, rejected, stands}, 5,
                   (int64_t[]){3, 5, 1, 2, 4, 0});
    expect_matches((struct inbox_record[]){rejected, in_doubt, unsent}, 3, (int64_t[]){2, 1, 3, 0});
    expect_matches((struct inbox_record[]){in_doubt, stands}, 2, (int64_t[]){2, 1, 0});
    expect_matches((struct inbox_record[]){failed, changed}, 2, (int64_t[]){2, 1, 0});
}

static void reads_are_written_once_and_before_the_effect(void **state) {
    (void)state;
    struct journal journal = {0};
    uint8_t key[INBOX_KEY_BYTES];
    size_t n = 0;
    key_of("x", key);
    struct journal_entry *read = journal_add(&journal, INBOX_READ, key, method, url);
    journal_add(&journal, INBOX_READ, key, method, url); /* without a response yet */
    respond(&journal, read, 5);
    struct journal_entry *effect = journal_add(&journal, INBOX_EFFECT, key, method, url);
    const struct inbox_record **records = journal_unwritten(&journal, effect, &n);
    assert_int_equal(n, 2);
    assert_ptr_equal(records[0], &read->record);
    assert_ptr_equal(records[1], &effect->record);
    free(records);
    records = journal_unwritten(&journal, effect, &n);
    assert_int_equal(n, 1);
    free(records);
    journal_finish(&journal);
}

static void reads_that_do_not_fit_are_forgotten_and_effects_never(void **state) {
    (void)state;
    struct journal journal = {0};
    uint8_t key[INBOX_KEY_BYTES];
    key_of("x", key);
    struct journal_entry *entry = journal_add(&journal, INBOX_READ, key, method, url);
    respond(&journal, entry, JOURNAL_RESPONSE_MAX + 1);
    assert_int_equal(entry->record.state, INBOX_UNSENT);
    assert_int_equal(entry->record.body.bytes, 0);
    size_t kept = 0;
    while ((entry = journal_add(&journal, INBOX_READ, key, method, url))) {
        respond(&journal, entry, JOURNAL_RESPONSE_MAX / 2);
        kept += entry->record.body.bytes;
    }
    assert_true(kept <= JOURNAL_KEPT_MAX);
    entry = journal_add(&journal, INBOX_EFFECT, key, method, url);
    assert_non_null(entry);
    respond(&journal, entry, JOURNAL_RESPONSE_MAX + 1);
    assert_int_equal(entry->record.state, INBOX_COMPLETED);
    journal_finish(&journal);
}

static void responses_leave_memory_once_they_are_committed(void **state) {
    (void)state;
    size_t memory_bytes = 0, n = 0;
    struct journal journal = {.memory_bytes = &memory_bytes};
    uint8_t key[INBOX_KEY_BYTES];
    key_of("x", key);
    struct journal_entry *read = journal_add(&journal, INBOX_READ, key, method, url);
    respond(&journal, read, 1000);
    assert_int_equal(memory_bytes, 1000);
    struct journal_entry *effect = journal_add(&journal, INBOX_EFFECT, key, method, url);
    const struct inbox_record **records = journal_unwritten(&journal, effect, &n);
    journal_drop_responses(&journal, records, n);
    free(records);
    assert_int_equal(memory_bytes, 0);
    assert_int_equal(read->record.state, INBOX_COMPLETED);
    respond(&journal, effect, 500);
    assert_int_equal(memory_bytes, 500);
    journal_finish(&journal);
    assert_int_equal(memory_bytes, 0);
}

/* A request of the same name may be replayed while the inbox writes the first one's response. */
static void a_response_that_the_inbox_is_writing_stays_in_memory(void **state) {
    (void)state;
    size_t memory_bytes = 0;
    struct journal journal = {.memory_bytes = &memory_bytes};
    uint8_t key[INBOX_KEY_BYTES];
    key_of("x", key);
    struct journal_entry *effect = journal_add(&journal, INBOX_EFFECT, key, method, url);
    respond(&journal, effect, 1000);
    journal_set_lent(effect, true);
    journal_drop_response(&journal, effect);
    assert_int_equal(memory_bytes, 1000);
    journal_set_lent(effect, false);
    journal_drop_response(&journal, effect);
    assert_int_equal(memory_bytes, 0);
    journal_finish(&journal);
}

static void the_effects_of_a_run_are_kept_up_to_a_bound(void **state) {
    (void)state;
    struct journal journal = {0};
    size_t kept = 0;
    for (int i = 0; i < 200; i++) {
        uint8_t key[INBOX_KEY_BYTES];
        key_of("x", key);
        struct journal_entry *effect = journal_add(&journal, INBOX_EFFECT, key, method, url);
        respond(&journal, effect, JOURNAL_RESPONSE_MAX);
        kept += effect->record.body.bytes;
        assert_true(journal_stands(&effect->record));
    }
    assert_true(kept > 0 && kept <= JOURNAL_EFFECTS_KEPT_MAX);
    journal_finish(&journal);
}

static void reads_of_all_runs_of_a_plugin_share_a_bound(void **state) {
    (void)state;
    size_t memory_bytes = 0;
    struct journal journals[20] = {{0}};
    uint8_t key[INBOX_KEY_BYTES];
    key_of("x", key);
    for (size_t i = 0; i < 20; i++) {
        journals[i].memory_bytes = &memory_bytes;
        respond(&journals[i], journal_add(&journals[i], INBOX_READ, key, method, url),
                JOURNAL_RESPONSE_MAX);
    }
    assert_int_equal(memory_bytes, JOURNAL_MEMORY_MAX);
    for (size_t i = 0; i < 20; i++) {
        journal_finish(&journals[i]);
    }
    assert_int_equal(memory_bytes, 0);
}

static void long_urls_fill_no_more_memory_than_a_plugin_has(void **state) {
    (void)state;
    static char long_url[8000];
    memset(long_url, 'x', sizeof long_url);
    struct journal_part part = {long_url, sizeof long_url};
    enum { RUNS = 40 };
    size_t entries_bytes = 0;
    struct journal journals[RUNS] = {{0}};
    uint8_t key[INBOX_KEY_BYTES];
    key_of("x", key);
    for (size_t i = 0; i < RUNS; i++) {
        journals[i].entries_bytes = &entries_bytes;
        while (journal_add(&journals[i], INBOX_READ, key, method, part)) {}
        unsigned n_effects = 0;
        while (journal_add(&journals[i], INBOX_EFFECT, key, method, part)) {
            n_effects++;
        }
        assert_true(n_effects >= 25);
    }
    assert_true(entries_bytes > JOURNAL_ENTRIES_MAX);
    assert_true(entries_bytes <= JOURNAL_ENTRIES_MAX + RUNS * JOURNAL_ENTRIES_OWN);
    for (size_t i = 0; i < RUNS; i++) {
        journal_finish(&journals[i]);
    }
    assert_int_equal(entries_bytes, 0);
}

/* A record of an earlier attempt, and whether this attempt replays it. */
struct earlier {
    enum inbox_record_kind kind;
    enum inbox_record_state state;
    int32_t status;
    int64_t outcome;
    const char *body;
    bool again;
};

static void expect_replays(const struct earlier *earlier, size_t n) {
    struct journal journal = {0};
    struct inbox_run run = {.journal = calloc(n, sizeof *run.journal), .n_journal = n};
    for (size_t i = 0; i < n; i++) {
        struct inbox_record *record = &run.journal[i];
        *record = (struct inbox_record){.number = (int64_t)i + 1,
                                        .kind = earlier[i].kind,
                                        .state = earlier[i].state,
                                        .status = earlier[i].status,
                                        .outcome = earlier[i].outcome,
                                        .body = BUFFER_INIT(1000)};
        assert_int_equal(
            buffer_append_text(&record->body, earlier[i].body ? earlier[i].body : "{}"), 0);
    }
    assert_int_equal(journal_load(&journal, &run), 0);
    for (size_t i = 0; i < n; i++) {
        const struct inbox_record *record = &journal.entries[i]->record;
        bool again = journal_replays(record, false);
        if (again != earlier[i].again) {
            fail_msg("record %zu is %sreplayed", i + 1, again ? "" : "not ");
        }
    }
    journal_finish(&journal);
}

static void reads_after_the_last_effect_that_stands_are_made_anew(void **state) {
    (void)state;
    static const struct earlier rejected[] = {
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, true},
        {INBOX_EFFECT, INBOX_COMPLETED, 201, 0, NULL, true},
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false},
        {INBOX_EFFECT, INBOX_COMPLETED, 409, SNEK_E_VALIDATION, NULL, false},
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false},
        {INBOX_EFFECT, INBOX_UNSENT, 0, 0, NULL, false}};
    static const struct earlier in_doubt[] = {
        {INBOX_READ, INBOX_COMPLETED, 404, SNEK_E_NOT_FOUND, NULL, true},
        {INBOX_EFFECT, INBOX_INTENDED, 0, 0, NULL, false},
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false}};
    static const struct earlier change[] = {{INBOX_READ, INBOX_COMPLETED, 0, 0, NULL, true},
                                            {INBOX_CHANGE, INBOX_COMPLETED, 0, 1, NULL, true}};
    expect_replays(rejected, sizeof rejected / sizeof *rejected);
    expect_replays(in_doubt, sizeof in_doubt / sizeof *in_doubt);
    static const struct earlier no_change[] = {{INBOX_READ, INBOX_COMPLETED, 0, 0, NULL, false},
                                               {INBOX_CHANGE, INBOX_COMPLETED, 0, 0, NULL, false}};
    expect_replays(change, sizeof change / sizeof *change);
    expect_replays(no_change, sizeof no_change / sizeof *no_change);
}

static void a_read_that_is_made_anew_replaces_the_old_one(void **state) {
    (void)state;
    struct journal journal = {0};
    struct inbox_run run = {.journal = calloc(3, sizeof *run.journal), .n_journal = 3};
    for (size_t i = 0; i < 3; i++) {
        run.journal[i] = (struct inbox_record){.number = (int64_t)i + 1,
                                               .kind = i < 2 ? INBOX_READ : INBOX_EFFECT,
                                               .state = INBOX_COMPLETED,
                                               .status = i < 2 ? 200 : 422,
                                               .body = BUFFER_INIT(1000)};
        snprintf((char *)run.journal[i].key, INBOX_KEY_BYTES, "%zu", i);
        assert_int_equal(buffer_append_text(&run.journal[i].body, "old"), 0);
    }
    assert_int_equal(journal_load(&journal, &run), 0);
    assert_int_equal(journal.kept_bytes, 0);
    struct journal_entry *read = journal_match(&journal, journal.entries[0]->record.key);
    respond(&journal, read, JOURNAL_RESPONSE_MAX + 1);
    uint8_t key[INBOX_KEY_BYTES];
    key_of("another", key);
    struct journal_entry *effect = journal_add(&journal, INBOX_EFFECT, key, method, url);
    size_t n = 0;
    const struct inbox_record **records = journal_unwritten(&journal, effect, &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(records[i]->number, i + 1);
        assert_int_equal(records[i]->state, INBOX_UNSENT);
        assert_int_equal(records[i]->body.bytes, 0);
    }
    assert_ptr_equal(records[2], &effect->record);
    free(records);
    journal_finish(&journal);
}

static void a_mutation_that_changed_nothing_is_made_again(void **state) {
    (void)state;
    static const struct earlier cases[][2] = {
        {{INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false},
         {INBOX_EFFECT, INBOX_COMPLETED, 200, SNEK_E_NOT_FOUND,
          "{\"data\":{\"addStar\":null},\"errors\":[{}]}", false}},
        {{INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false},
         {INBOX_EFFECT, INBOX_COMPLETED, 200, SNEK_E_VALIDATION, "{\"errors\":[{}]}", false}},
        {{INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, true},
         {INBOX_EFFECT, INBOX_COMPLETED, 200, SNEK_E_NOT_FOUND,
          "{\"data\":{\"a\":null,\"b\":{\"id\":1}},\"errors\":[{}]}", true}},
        {{INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, true},
         {INBOX_EFFECT, INBOX_COMPLETED, 200, SNEK_E_TOO_LARGE, "", true}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_replays(cases[i], 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_differ_where_parts_do),
        cmocka_unit_test(a_change_whose_commit_failed_is_matched_again),
        cmocka_unit_test(the_nth_equal_request_matches_the_nth_equal_record),
        cmocka_unit_test(a_request_matches_a_record_that_stands_first),
        cmocka_unit_test(reads_are_written_once_and_before_the_effect),
        cmocka_unit_test(reads_that_do_not_fit_are_forgotten_and_effects_never),
        cmocka_unit_test(responses_leave_memory_once_they_are_committed),
        cmocka_unit_test(a_response_that_the_inbox_is_writing_stays_in_memory),
        cmocka_unit_test(the_effects_of_a_run_are_kept_up_to_a_bound),
        cmocka_unit_test(reads_of_all_runs_of_a_plugin_share_a_bound),
        cmocka_unit_test(long_urls_fill_no_more_memory_than_a_plugin_has),
        cmocka_unit_test(reads_after_the_last_effect_that_stands_are_made_anew),
        cmocka_unit_test(a_read_that_is_made_anew_replaces_the_old_one),
        cmocka_unit_test(a_mutation_that_changed_nothing_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
