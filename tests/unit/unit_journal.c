/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* host/dispatch/journal.c and comment.c. */
#include "unit.h"

#include "dispatch/comment.h"
#include "dispatch/journal.h"

#include <snekomatic/types.h>

#include <stdlib.h>
#include <string.h>

static const struct journal_part method = {"GET", 3}, url = {"/a", 2};

static void key_of(const char *text, uint8_t key[INBOX_KEY_BYTES]) {
    journal_key(&(struct journal_part){text, strlen(text)}, 1, key);
}

static void answer(struct journal *journal, struct journal_entry *entry, size_t bytes) {
    AUTO_FREE char *data = calloc(1, bytes + 1);
    struct buffer body = {.data = data, .bytes = bytes}, headers = {0};
    journal_answer(journal, entry,
                   &(struct journal_answer){
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

static void the_nth_equal_request_meets_the_nth_equal_record(void **state) {
    (void)state;
    struct journal journal = {0};
    uint8_t key[INBOX_KEY_BYTES], another[INBOX_KEY_BYTES];
    key_of("x", key);
    key_of("y", another);
    struct journal_entry *first = journal_add(&journal, INBOX_EFFECT, key, method, url);
    struct journal_entry *second = journal_add(&journal, INBOX_EFFECT, key, method, url);
    first->met = second->met = false; /* as after a new attempt */
    assert_null(journal_meet(&journal, another));
    assert_ptr_equal(journal_meet(&journal, key), first);
    assert_ptr_equal(journal_meet(&journal, key), second);
    assert_null(journal_meet(&journal, key));
    assert_int_equal(second->record.number, 2);
    journal_finish(&journal);
}

static void what_was_read_is_written_once_and_before_the_effect(void **state) {
    (void)state;
    struct journal journal = {0};
    uint8_t key[INBOX_KEY_BYTES];
    size_t n = 0;
    key_of("x", key);
    struct journal_entry *read = journal_add(&journal, INBOX_READ, key, method, url);
    (void)journal_add(&journal, INBOX_READ, key, method, url); /* not answered yet */
    answer(&journal, read, 5);
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
    answer(&journal, entry, JOURNAL_ANSWER_MAX + 1);
    assert_int_equal(entry->record.state, INBOX_UNSENT);
    assert_int_equal(entry->record.body.bytes, 0);
    size_t kept = 0;
    while ((entry = journal_add(&journal, INBOX_READ, key, method, url))) {
        answer(&journal, entry, JOURNAL_ANSWER_MAX / 2);
        kept += entry->record.body.bytes;
    }
    assert_true(kept <= JOURNAL_KEPT_MAX);
    entry = journal_add(&journal, INBOX_EFFECT, key, method, url);
    assert_non_null(entry);
    answer(&journal, entry, JOURNAL_ANSWER_MAX + 1);
    assert_int_equal(entry->record.state, INBOX_COMPLETED);
    journal_finish(&journal);
}

/* What earlier attempts left: the kind and state of each, the answer, and whether it is given
 * again. */
struct left {
    enum inbox_record_kind kind;
    enum inbox_record_state state;
    int32_t status;
    int64_t outcome;
    const char *body;
    bool again;
};

static void expect_given_again(const struct left *left, size_t n) {
    struct journal journal = {0};
    struct inbox_run run = {.journal = calloc(n, sizeof *run.journal), .n_journal = n};
    for (size_t i = 0; i < n; i++) {
        struct inbox_record *record = &run.journal[i];
        *record = (struct inbox_record){.number = (int64_t)i + 1,
                                        .kind = left[i].kind,
                                        .state = left[i].state,
                                        .status = left[i].status,
                                        .outcome = left[i].outcome,
                                        .body = BUFFER_INIT(1000)};
        assert_int_equal(buffer_append_text(&record->body, left[i].body ? left[i].body : "{}"), 0);
    }
    assert_int_equal(journal_load(&journal, &run), 0);
    for (size_t i = 0; i < n; i++) {
        const struct inbox_record *record = &journal.entries[i]->record;
        bool again = record->state == INBOX_COMPLETED &&
                     (record->kind == INBOX_READ || journal_stands(record));
        if (again != left[i].again) {
            fail_msg("record %zu is %sgiven again", i + 1, again ? "" : "not ");
        }
    }
    journal_finish(&journal);
}

static void what_was_read_after_the_last_effect_that_stands_is_read_anew(void **state) {
    (void)state;
    static const struct left rejected[] = {
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, true},
        {INBOX_EFFECT, INBOX_COMPLETED, 201, 0, NULL, true},
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false},
        {INBOX_EFFECT, INBOX_COMPLETED, 409, SNEK_E_VALIDATION, NULL, false},
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false},
        {INBOX_EFFECT, INBOX_UNSENT, 0, 0, NULL, false}};
    static const struct left in_doubt[] = {
        {INBOX_READ, INBOX_COMPLETED, 404, SNEK_E_NOT_FOUND, NULL, true},
        {INBOX_EFFECT, INBOX_INTENDED, 0, 0, NULL, false},
        {INBOX_READ, INBOX_COMPLETED, 200, 0, NULL, false}};
    static const struct left change[] = {{INBOX_READ, INBOX_COMPLETED, 0, 0, NULL, true},
                                         {INBOX_CHANGE, INBOX_COMPLETED, 0, 1, NULL, true}};
    expect_given_again(rejected, sizeof rejected / sizeof *rejected);
    expect_given_again(in_doubt, sizeof in_doubt / sizeof *in_doubt);
    expect_given_again(change, sizeof change / sizeof *change);
}

static void what_an_attempt_read_anew_takes_the_place_of_the_old(void **state) {
    (void)state;
    struct journal journal = {0};
    struct inbox_run run = {.journal = calloc(3, sizeof *run.journal), .n_journal = 3};
    for (size_t i = 0; i < 3; i++) {
        run.journal[i] = (struct inbox_record){.number = (int64_t)i + 1,
                                               .kind = i < 2 ? INBOX_READ : INBOX_EFFECT,
                                               .state = INBOX_COMPLETED,
                                               .status = i < 2 ? 200 : 422,
                                               .body = BUFFER_INIT(1000)};
        (void)snprintf((char *)run.journal[i].key, INBOX_KEY_BYTES, "%zu", i);
        assert_int_equal(buffer_append_text(&run.journal[i].body, "old"), 0);
    }
    assert_int_equal(journal_load(&journal, &run), 0);
    assert_int_equal(journal.kept_bytes, 0);
    struct journal_entry *read = journal_meet(&journal, journal.entries[0]->record.key);
    answer(&journal, read, JOURNAL_ANSWER_MAX + 1); /* too large to be kept */
    uint8_t key[INBOX_KEY_BYTES];
    key_of("another", key);
    struct journal_entry *effect = journal_add(&journal, INBOX_EFFECT, key, method, url);
    size_t n = 0;
    const struct inbox_record **records = journal_unwritten(&journal, effect, &n);
    assert_int_equal(n, 3); /* the one that was not asked for, too */
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
    static const struct left cases[][2] = {
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
        expect_given_again(cases[i], 2);
    }
}

static void urls_of_comments_are_told_from_others(void **state) {
    (void)state;
    static const struct {
        const char *url, *list;
    } cases[] = {
        {"/repos/a/b/issues/1/comments", "/repos/a/b/issues/1/comments"},
        {"https://x/api/v3/repos/a/b/issues/1/comments",
         "https://x/api/v3/repos/a/b/issues/1/comments"},
        {"/repos/a/b/pulls/1/comments", "/repos/a/b/pulls/1/comments"},
        {"/repos/a/b/pulls/1/comments/7/replies", "/repos/a/b/pulls/1/comments"},
        {"/repos/a/b/commits/abc/comments", "/repos/a/b/commits/abc/comments"},
        {"/repos/a/b/issues/1/comments?x=1", NULL},
        {"/repos/a/b/issues/comments/7/reactions", NULL},
        {"/repos/a/b/issues/1/comments/7/replies", NULL},
        {"/repos/a/b/issues/1/labels", NULL},
        {"/repos/a/comments", NULL},
        {"/repos/a/b/issues/1/commentsx", NULL},
        {"/repos/a/b/gists/1/comments", NULL},
        {"comments", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *list = comment_list_url(cases[i].url);
        if (!list != !cases[i].list || (list && strcmp(list, cases[i].list) != 0)) {
            fail_msg("%s gives %s", cases[i].url, list ? list : "nothing");
        }
    }
}

static void a_marked_comment_is_found_by_its_marker_alone(void **state) {
    (void)state;
    static const char body[] = "{\"body\":\"h\\u00e9\",\"line\":3}", not_one[] = "{\"name\":\"x\"}";
    char marker[INBOX_MARKER_MAX + 1], other[INBOX_MARKER_MAX + 1];
    AUTO_FREE char *marked = NULL;
    comment_make_marker(marker);
    comment_make_marker(other);
    assert_int_equal(comment_mark(body, strlen(body), marker, &marked), 0);
    assert_non_null(strstr(marked, "\"line\":3"));
    assert_non_null(strstr(marked, "\"body\":\"h\xc3\xa9\\n\\n<!-- "));
    AUTO_BUFFER struct buffer page = BUFFER_INIT(1000);
    assert_int_equal(buffer_printf(&page, "[{\"id\":1,\"body\":null},%s]", marked), 0);
    size_t n = 0;
    AUTO_FREE char *found = comment_find(&page, marker, &n);
    assert_int_equal(n, 2);
    assert_non_null(found);
    assert_null(comment_find(&page, other, &n));
    char *none = NULL;
    assert_int_equal(comment_mark(not_one, strlen(not_one), marker, &none), 1);
    assert_int_equal(comment_mark("[", 1, marker, &none), 1);
    static const char blank[] = "{\"body\":\" \\n\"}";
    assert_int_equal(comment_mark(blank, strlen(blank), marker, &none), 1);
}

static int mark_long(size_t characters, const char *character) {
    char marker[INBOX_MARKER_MAX + 1], *marked = NULL;
    AUTO_BUFFER struct buffer body = BUFFER_INIT(300000);
    comment_make_marker(marker);
    (void)buffer_append_text(&body, "{\"body\":\"");
    for (size_t i = 0; i < characters; i++) {
        assert_int_equal(buffer_append_text(&body, character), 0);
    }
    (void)buffer_append_text(&body, "\"}");
    int result = comment_mark(body.data, body.bytes, marker, &marked);
    free(marked);
    return result;
}

static void a_comment_that_would_get_too_long_is_not_marked(void **state) {
    (void)state;
    assert_int_equal(mark_long(COMMENT_CHARACTERS_MAX - 100, "x"), 0);
    assert_int_equal(mark_long(COMMENT_CHARACTERS_MAX - 100, "\xe2\x82\xac"), 0);
    assert_int_equal(mark_long(COMMENT_CHARACTERS_MAX - 30, "x"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_differ_where_parts_do),
        cmocka_unit_test(the_nth_equal_request_meets_the_nth_equal_record),
        cmocka_unit_test(what_was_read_is_written_once_and_before_the_effect),
        cmocka_unit_test(reads_that_do_not_fit_are_forgotten_and_effects_never),
        cmocka_unit_test(what_was_read_after_the_last_effect_that_stands_is_read_anew),
        cmocka_unit_test(what_an_attempt_read_anew_takes_the_place_of_the_old),
        cmocka_unit_test(a_mutation_that_changed_nothing_is_made_again),
        cmocka_unit_test(urls_of_comments_are_told_from_others),
        cmocka_unit_test(a_marked_comment_is_found_by_its_marker_alone),
        cmocka_unit_test(a_comment_that_would_get_too_long_is_not_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
