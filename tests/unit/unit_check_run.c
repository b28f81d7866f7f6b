/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/check_run: finds the check run that a request may have made. */
#include "unit.h"

#include "base/array.h"
#include "dispatch/check_run.h"

#include <stdlib.h>
#include <string.h>

#define BODY "{\"name\":\"a & b\",\"head_sha\":\"5ca1ab1e\",\"external_id\":\"mine\"}"

static void the_list_is_that_of_the_name_at_the_commit(void **state) {
    (void)state;
    static const struct {
        const char *url, *body, *list;
    } cases[] = {
        {"/repos/a/b/check-runs", BODY,
         "/repos/a/b/commits/5ca1ab1e/check-runs?filter=all&check_name=a%20%26%20b"},
        {"https://x/api/v3/repos/a/b/check-runs", BODY,
         "https://x/api/v3/repos/a/b/commits/5ca1ab1e/"
         "check-runs?filter=all&check_name=a%20%26%20b"},
        {"/repos/a/b/check-runs", "{\"name\":\"\\u00e9\",\"head_sha\":\"../x\"}",
         "/repos/a/b/commits/..%2Fx/check-runs?filter=all&check_name=%C3%A9"},
        {"/repos/a/b/check-runs", "{\"name\":\"x\"}", NULL},
        {"/repos/a/b/check-runs", "{\"name\":5,\"head_sha\":\"x\"}", NULL},
        {"/repos/a/b/check-runs", "[]", NULL},
        {"/repos/a/b/check-runs", "{\"name\":\"x\",\"head_sha\":\"x\"", NULL},
        {"/repos/a/b/check-runs", "", NULL},
        {"/repos/a/b/check-runs?x=1", BODY, NULL},
        {"/repos/a/b/check-runs/5", BODY, NULL},
        {"/repos/a/b/check-suites", BODY, NULL},
        {"check-runs", BODY, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        AUTO_FREE char *list = NULL;
        int result = check_run_list_url(cases[i].url, cases[i].body, strlen(cases[i].body), &list);
        assert_int_equal(result, list ? CHECK_RUN_OK : CHECK_RUN_NONE);
        if (!list != !cases[i].list || (list && strcmp(list, cases[i].list) != 0)) {
            fail_msg("%s %s gives %s", cases[i].url, cases[i].body, list ? list : "no list");
        }
    }
}

static void the_external_id_is_the_hosts_if_there_is_none(void **state) {
    (void)state;
    static const char bare[] = " {\"name\":\"x\",\"head_sha\":\"y\"}";
    char *marked = NULL, *kept = NULL;
    assert_int_equal(check_run_mark(bare, strlen(bare), "0123", &marked), CHECK_RUN_OK);
    assert_string_equal(marked, " {\"external_id\":\"0123\",\"name\":\"x\",\"head_sha\":\"y\"}");
    free(marked);
    assert_int_equal(check_run_mark(BODY, strlen(BODY), "0123", &kept), CHECK_RUN_NONE);
    assert_null(kept);
}

/* A check run of a list. */
#define ITEM(id, external, app, title, started)                                                    \
    "{\"id\":" id ",\"external_id\":\"" external "\",\"app\":{\"id\":" app                         \
    ",\"client_id\":\"Iv1\"},\"output\":{\"title\":\"" title "\"},\"started_at\":\"" started "\"}"
#define NOW "2027-01-15T08:00:00Z"
/* An hour before. */
#define SINCE_MS (INT64_C(1800000000000) - 3600000)
#define LIST(items) "{\"total_count\":9,\"check_runs\":[" items "]}"

static int find(const char *page, const char *app, const char *body, char **found, size_t *n) {
    struct buffer list = {.data = (char *)page, .bytes = strlen(page)};
    const struct check_run_sought sought = {
        .app = app, .body = body, .body_bytes = strlen(body), .since_ms = SINCE_MS};
    struct error err = {.text = ""};
    int result = check_run_find(&list, &sought, found, n, &err);
    assert_true((result < 0) == (err.text[0] != '\0'));
    return result;
}

static void the_newest_of_the_app_and_the_external_id_is_found(void **state) {
    (void)state;
    static const char titled[] = "{\"external_id\":\"mine\",\"output\":{\"title\":\"T\"}}";
    static const char timed[] =
        "{\"external_id\":\"mine\",\"started_at\":\"2020-01-01T00:00:00Z\"}";
    static const struct {
        const char *page, *app, *body;
        /* The beginning of what is found; NULL: nothing. */
        const char *found;
    } cases[] = {
        {LIST(ITEM("5", "mine", "4", "T", NOW)), "4", BODY, "{\"id\":5,"},
        {LIST(ITEM("5", "mine", "4", "T", NOW)), "Iv1", BODY, "{\"id\":5,"},
        {LIST(ITEM("5", "mine", "4", "T", NOW)), "44", BODY, NULL},
        {LIST(ITEM("5", "other", "4", "T", NOW)), "4", BODY, NULL},
        {LIST(ITEM("5", "mine", "4", "T", NOW)), "4", titled, "{\"id\":5,"},
        {LIST(ITEM("5", "mine", "4", "U", NOW)), "4", titled, NULL},
        {LIST(ITEM("5", "mine", "4", "T", "2027-01-15T06:59:59Z")), "4", BODY, NULL},
        {LIST(ITEM("5", "mine", "4", "T", "2020-01-01T00:00:00Z")), "4", timed, "{\"id\":5,"},
        {LIST(ITEM("5", "mine", "4", "T", NOW) "," ITEM("7", "mine", "4", "T",
                                                        NOW) "," ITEM("6", "mine", "4", "T", NOW)),
         "4", BODY, "{\"id\":7,"},
        {LIST(""), "4", BODY, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        AUTO_FREE char *found = NULL;
        size_t n = 99;
        int result = find(cases[i].page, cases[i].app, cases[i].body, &found, &n);
        assert_int_equal(result, cases[i].found ? CHECK_RUN_OK : CHECK_RUN_NONE);
        if (!found != !cases[i].found ||
            (found && strncmp(found, cases[i].found, strlen(cases[i].found)) != 0)) {
            fail_msg("case %zu finds %s", i, found ? found : "nothing");
        }
        assert_true(n < 4);
    }
}

static void a_page_that_does_not_tell_is_an_error(void **state) {
    (void)state;
    static const char *const pages[] = {"",
                                        "null",
                                        "[]",
                                        "{}",
                                        "{\"check_runs\":null}",
                                        "{\"check_runs\":[1]}",
                                        "{\"check_runs\":[]",
                                        "{\"message\":\"x\"}"};
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        char *found = NULL;
        size_t n = 99;
        if (find(pages[i], "4", BODY, &found, &n) != -1) {
            fail_msg("%s counts as a whole list", pages[i]);
        }
        assert_null(found);
        assert_int_equal(n, 99);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_that_of_the_name_at_the_commit),
        cmocka_unit_test(the_external_id_is_the_hosts_if_there_is_none),
        cmocka_unit_test(the_newest_of_the_app_and_the_external_id_is_found),
        cmocka_unit_test(a_page_that_does_not_tell_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
