/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/comment: marks comments and finds them again. */
#include "unit.h"

#include "dispatch/comment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void the_url_says_where_its_comments_are_listed(void **state) {
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
        AUTO_FREE char *list = NULL;
        int result = comment_list_url(cases[i].url, &list);
        assert_int_equal(result, list ? COMMENT_OK : COMMENT_NONE);
        if (!list != !cases[i].list || (list && strcmp(list, cases[i].list) != 0)) {
            fail_msg("%s gives the wrong list", cases[i].url);
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
    assert_non_null(strstr(marked, "\"body\":\"h\\u00e9\\n\\n<!-- "));
    AUTO_BUFFER struct buffer page = BUFFER_INIT(1000);
    assert_int_equal(buffer_printf(&page, "[{\"id\":1,\"body\":null},%s]", marked), 0);
    size_t n = 0;
    AUTO_FREE char *found = NULL;
    assert_int_equal(comment_find(&page, marker, &found, &n, NULL), COMMENT_OK);
    assert_int_equal(n, 2);
    assert_string_equal(found, marked);
    assert_int_equal(comment_find(&page, other, &found, &n, NULL), COMMENT_NONE);
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
    buffer_append_text(&body, "{\"body\":\"");
    for (size_t i = 0; i < characters; i++) {
        assert_int_equal(buffer_append_text(&body, character), 0);
    }
    buffer_append_text(&body, "\"}");
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

static void a_page_that_does_not_tell_is_an_error(void **state) {
    (void)state;
    static const char *const pages[] = {"",
                                        "not JSON",
                                        "{}",
                                        "null",
                                        "[",
                                        "[1]",
                                        "[{\"id\":1}]",
                                        "[{\"body\":\"x\"}",
                                        "[{\"body\":\"x\"}]]",
                                        "{\"message\":\"x\"}"};
    char marker[INBOX_MARKER_MAX + 1];
    comment_make_marker(marker);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct buffer page = {.data = (char *)pages[i], .bytes = strlen(pages[i])};
        char *found = NULL;
        size_t n = 99;
        struct error err = {.text = ""};
        if (comment_find(&page, marker, &found, &n, &err) != -1) {
            fail_msg("%s counts as a whole list", pages[i]);
        }
        assert_string_not_equal(err.text, "");
        assert_null(found);
        assert_int_equal(n, 99);
    }
}

static void a_comment_with_a_nul_is_marked_and_found(void **state) {
    (void)state;
    static const char body[] = "{\"body\":\"a\\u0000b\"}";
    char marker[INBOX_MARKER_MAX + 1];
    AUTO_FREE char *marked = NULL, *found = NULL;
    comment_make_marker(marker);
    assert_int_equal(comment_mark(body, strlen(body), marker, &marked), COMMENT_OK);
    AUTO_BUFFER struct buffer page = BUFFER_INIT(1000);
    assert_int_equal(buffer_printf(&page, "[%s]", marked), 0);
    size_t n = 0;
    assert_int_equal(comment_find(&page, marker, &found, &n, NULL), COMMENT_OK);
}

#ifndef SANITIZED
/* A tree of this body takes some 200 MiB. */
static void a_body_of_4_mib_is_marked_without_a_tree(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer body = BUFFER_INIT(5 << 20);
    char marker[INBOX_MARKER_MAX + 1], *marked = NULL;
    comment_make_marker(marker);
    assert_int_equal(buffer_append_text(&body, "{\"body\":\"x\",\"list\":[[]"), 0);
    while (body.bytes < 4 << 20) {
        assert_int_equal(buffer_append_text(&body, ",[]"), 0);
    }
    assert_int_equal(buffer_append_text(&body, "]}"), 0);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
    small = before;
    small.rlim_cur = 64 << 20;
    assert_int_equal(setrlimit(RLIMIT_DATA, &small), 0);
    int result = comment_mark(body.data, body.bytes, marker, &marked);
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
    assert_int_equal(result, COMMENT_OK);
    free(marked);
}
#endif

static void a_pretended_response_has_an_id(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"{\"body\":\"x\"}", "{\"id\":0,\"body\":\"x\"}"},
                                           {" { } ", " {\"id\":0 } "},
                                           {"{\"id\":7}", "{\"id\":7}"},
                                           {"[1]", "{}"},
                                           {"", "{}"},
                                           {"{", "{}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *body = comment_pretend(cases[i][0], strlen(cases[i][0]));
        assert_string_equal(body, cases[i][1]);
    }
}

static void a_body_that_is_no_comment_is_not_marked(void **state) {
    (void)state;
    static const char *const bodies[] = {"{\"body\":\"a\",\"body\":\"b\"}", "{\"body\":1}",
                                         "[\"body\"]", "{\"x\":{\"body\":\"a\"}}",
                                         "{\"body\":\"a\"} x"};
    char marker[INBOX_MARKER_MAX + 1], *marked = NULL;
    comment_make_marker(marker);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(comment_mark(bodies[i], strlen(bodies[i]), marker, &marked), COMMENT_NONE);
        assert_null(marked);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_url_says_where_its_comments_are_listed),
        cmocka_unit_test(a_marked_comment_is_found_by_its_marker_alone),
        cmocka_unit_test(a_comment_that_would_get_too_long_is_not_marked),
        cmocka_unit_test(a_page_that_does_not_tell_is_an_error),
        cmocka_unit_test(a_comment_with_a_nul_is_marked_and_found),
#ifndef SANITIZED
        cmocka_unit_test(a_body_of_4_mib_is_marked_without_a_tree),
#endif
        cmocka_unit_test(a_pretended_response_has_an_id),
        cmocka_unit_test(a_body_that_is_no_comment_is_not_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
