/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker/url and broker/answer: which URLs stay at the origin, and a stranger's text in a sentence.
 */
#include "unit.h"

#include "broker/response.h"
#include "broker/url.h"

#include <snekomatic/types.h>

#include <stdio.h>

static const char *const roots[] = {"https://api.github.com", "https://ghe.example:8443/api/v3"};

static void urls_of_the_origin_are_put_together_from_it(void **state) {
    (void)state;
    static const struct {
        int root;
        const char *url, *whole, *path;
    } cases[] = {
        {0, "/", "https://api.github.com/", "/"},
        {0, "/orgs/x/members?per_page=1&q=a%20b",
         "https://api.github.com/orgs/x/members?per_page=1&q=a%20b", "/orgs/x/members"},
        {0, "https://api.github.com/user", "https://api.github.com/user", "/user"},
        {0, "https://api.github.com", "https://api.github.com/", "/"},
        {0, "https://api.github.com:443/user", "https://api.github.com/user", "/user"},
        {0, "HTTPS://API.GitHub.COM/Repos/A", "https://api.github.com/Repos/A", "/Repos/A"},
        {0, "/repos/a/b/contents/a%2Fb..c/...",
         "https://api.github.com/repos/a/b/contents/a%2Fb..c/...",
         "/repos/a/b/contents/a%2Fb..c/..."},
        {0, "/search?q=../x", "https://api.github.com/search?q=../x", "/search"},
        {0, "/x?to=https://evil.example/", "https://api.github.com/x?to=https://evil.example/",
         "/x"},
        {0, "/@evil.example/", "https://api.github.com/@evil.example/", "/@evil.example/"},
        {0, "/:1/x", "https://api.github.com/:1/x", "/:1/x"},
        {0, "/graphql", "https://api.github.com/graphql", "/graphql"},
        {1, "/graphql", "https://ghe.example:8443/api/graphql", "/graphql"},
        {1, "/user", "https://ghe.example:8443/api/v3/user", "/user"},
        {1, "https://ghe.example:8443/api/v3", "https://ghe.example:8443/api/v3", "/"},
        {1, "https://ghe.example:8443/api/v3/user", "https://ghe.example:8443/api/v3/user",
         "/user"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct origin origin;
        struct target target;
        struct error err = {0};
        assert_int_equal(origin_init(&origin, roots[cases[i].root], &err), 0);
        if (origin_resolve(&origin, cases[i].url, &target, &err) != 0) {
            fail_msg("%s", err.text);
        }
        assert_string_equal(target.url, cases[i].whole);
        assert_string_equal(target.path, cases[i].path);
        assert_false(target.as_app);
        target_finish(&target);
        origin_finish(&origin);
    }
}

static const struct {
    int root;
    const char *url;
} foreign_urls[] = {
    {0, ""},
    {0, "user"},
    {0, "?x"},
    {0, "//evil.example/user"},
    {0, "///evil.example/user"},
    {0, "/\\evil.example/user"},
    {0, "\\\\evil.example\\user"},
    {0, "https://evil.example/user"},
    {0, "http://api.github.com/user"},
    {0, "https://api.github.com:444/user"},
    {0, "https://api.github.com.evil.example/user"},
    {0, "https://api.github.com@evil.example/user"},
    {0, "https://api.github.com:443@evil.example/user"},
    {0, "https://evil.example#@api.github.com/user"},
    {0, "https://evil.example\\@api.github.com/user"},
    {0, "https://user@api.github.com/user"},
    {0, "https://user:pass@api.github.com/user"},
    {0, "https://:@api.github.com/user"},
    {0, "https://@api.github.com/user"},
    {0, "https:/api.github.com/user"},
    {0, "https:///api.github.com/user"},
    {0, "https:api.github.com/user"},
    {0, "://api.github.com/user"},
    {0, "ftp://api.github.com/user"},
    {0, "file:///etc/passwd"},
    {0, "unix:///run/x"},
    {0, "javascript:alert(1)"},
    {0, "x/https://api.github.com/user"},
    {0, "https://api.github.com./user"},
    {0, "https://[::1]/user"},
    {0, "https://api.github.com//evil"},
    {0, "/user#fragment"},
    {0, "/.."},
    {0, "/a/../b"},
    {0, "/a/./b"},
    {0, "/a/%2e%2E/b"},
    {0, "/a/.%2e/b"},
    {0, "/a%2f..%2fb"},
    {0, "/a%5c..%5cb"},
    {0, "/a/..?q"},
    {0, "/a b"},
    {0, "/a\nb"},
    {0, "/a\r\nHost: evil.example"},
    {0, "/a\x7F"},
    {0, "/\xC3\xA9"},
    {0, "/a%00b"},
    {0, "/a%0d%0ab"},
    {0, " /a"},
    {1, "https://ghe.example:8443/"},
    {1, "https://ghe.example:8443/user"},
    {1, "https://ghe.example:8443/api/v30/user"},
    {1, "https://ghe.example:8443/api/v3evil"},
    {1, "https://ghe.example:8443/API/V3/user"},
    {1, "https://ghe.example:8443/api/v3/../v4/user"},
    {1, "https://ghe.example:8443/api/v3//evil"},
    {1, "https://ghe.example/api/v3/user"},
    {1, "/../user"},
};

static void urls_that_lead_away_are_rejected(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof foreign_urls / sizeof *foreign_urls; i++) {
        struct origin origin;
        struct target target;
        struct error err = {0};
        assert_int_equal(origin_init(&origin, roots[foreign_urls[i].root], &err), 0);
        if (origin_resolve(&origin, foreign_urls[i].url, &target, &err) != SNEK_E_FOREIGN_ORIGIN) {
            fail_msg("taken: '%s'", foreign_urls[i].url);
        }
        for (const char *c = err.text; *c; c++) {
            assert_true((unsigned char)*c >= ' ' && *c != 0x7F);
        }
        origin_finish(&origin);
    }
}

static void the_beginning_of_a_path_hides_nothing(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool hides;
    } cases[] = {
        {"/%72epos/o/r/issues", true},
        {"/r%65pos/o/r/issues", true},
        {"/repos%2fo%2fr/issues", true},
        {"/repos%2Fo/r/issues", true},
        {"/repos/%6F/r/issues", true},
        {"/repos/o/%72/issues", true},
        {"/repos/o/r%2fissues", true},
        {"/repos/o%5cr/issues", true},
        {"/repos/o/r%2dx/issues", true},
        {"/repos/o%2572", true},
        {"/search%2fcode", true},
        {"/%73earch/code", true},
        {"/gr%61phql", true},
        {"/users/dependabot%5Bbot%5D", false},
        {"/repos/o/r/branches/feature%2Fx", false},
        {"/repos/o/r/labels/good%20first%2Dissue", false},
        {"/search/code?q=%61", false},
    };
    struct origin origin;
    struct error err;
    assert_int_equal(origin_init(&origin, "https://github.test/api/v3", &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target target = {0};
        int32_t outcome = origin_resolve(&origin, cases[i].url, &target, &err);
        if (outcome != (cases[i].hides ? SNEK_E_FOREIGN_ORIGIN : 0)) {
            fail_msg("%s: %d %s", cases[i].url, (int)outcome, err.text);
        }
        target_finish(&target);
    }
    origin_finish(&origin);
}

static void a_url_longer_than_the_maximum_is_rejected(void **state) {
    (void)state;
    static char url[URL_MAX + 2];
    struct origin origin;
    struct target target;
    struct error err;
    memset(url, 'a', sizeof url - 1);
    url[0] = '/';
    assert_int_equal(origin_init(&origin, roots[0], &err), 0);
    assert_int_equal(origin_resolve(&origin, url, &target, &err), SNEK_E_FOREIGN_ORIGIN);
    url[URL_MAX] = '\0';
    assert_int_equal(origin_resolve(&origin, url, &target, &err), 0);
    target_finish(&target);
    origin_finish(&origin);
}

static void a_sentence_never_outgrows_its_bounds(void **state) {
    (void)state;
    static char path[5000], body[60000];
    struct error err;
    memset(path, 'p', sizeof path - 1);
    int used = snprintf(body, sizeof body, "{\"message\":\"%.*s\",\"errors\":[", 1000, path);
    for (int i = 0; i < 50; i++) {
        used += snprintf(body + used, sizeof body - (size_t)used, "%s{\"message\":\"%.*s\"}",
                         i ? "," : "", 1000, path);
    }
    used += snprintf(body + used, sizeof body - (size_t)used, "]}");
    struct buffer headers = BUFFER_INIT(1);
    struct buffer answer = {.data = body, .bytes = (size_t)used, .max = sizeof body};
    assert_int_equal(response_judge("GET", path, 422, &headers, &answer, &err), SNEK_E_VALIDATION);
    assert_true(strlen(err.text) > 600 && strlen(err.text) < ERROR_TEXT_MAX - 1);
}

static void redirects_are_resolved_like_links(void **state) {
    (void)state;
    static const struct {
        const char *from, *location, *whole; /* NULL: rejected */
    } cases[] = {
        {"/a/b?x=1", "https://ghe.example:8443/api/v3/c?y=2",
         "https://ghe.example:8443/api/v3/c?y=2"},
        {"/a/b?x=1", "/api/v3/c", "https://ghe.example:8443/api/v3/c"},
        {"/a/b?x=1", "c", "https://ghe.example:8443/api/v3/a/c"},
        {"/a/b?x=1", "?z", "https://ghe.example:8443/api/v3/a/b?z"},
        {"/a/b", "/c", NULL},
        {"/a/b", "//evil.example/api/v3/c", NULL},
        {"/a/b", "http://ghe.example:8443/api/v3/c", NULL},
        {"/a/b", "https://ghe.example/api/v3/c", NULL},
        {"/a/b", "https://x@ghe.example:8443/api/v3/c", NULL},
        {"/a/b", "../../../c", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct origin origin;
        struct target from, target = {0};
        struct error err = {0};
        assert_int_equal(origin_init(&origin, roots[1], &err), 0);
        assert_int_equal(origin_resolve(&origin, cases[i].from, &from, &err), 0);
        int32_t outcome = origin_redirect(&origin, &from, cases[i].location, &target, &err);
        if (outcome != (cases[i].whole ? 0 : SNEK_E_FOREIGN_ORIGIN)) {
            fail_msg("%s from %s: %d %s", cases[i].location, cases[i].from, outcome, err.text);
        }
        if (cases[i].whole) {
            assert_string_equal(target.url, cases[i].whole);
        }
        target_finish(&target);
        target_finish(&from);
        origin_finish(&origin);
    }
}

static void a_url_is_shown_without_what_may_be_secret(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"/a/b?token=x", "/a/b"},
        {"https://evil.example/a?x#y", "https://evil.example/a"},
        {"https://evil.example#y", "https://evil.example"},
        {"https://user:pass@evil.example/a@b", "evil.example/a@b"},
        {"//user:p@ss@evil.example", "evil.example"},
        {"/a@b", "/a@b"},
        {"a@b", "a@b"},
        {"/a\nb", "/a b"},
        {"?", ""},
    };
    char shown[URL_SHOWN + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        url_show(shown, cases[i][0]);
        assert_string_equal(shown, cases[i][1]);
    }
    static char large[1001];
    memset(large, '/', 1000);
    url_show(shown, large);
    assert_int_equal(strlen(shown), URL_SHOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_are_resolved_like_links),
        cmocka_unit_test(urls_of_the_origin_are_put_together_from_it),
        cmocka_unit_test(urls_that_lead_away_are_rejected),
        cmocka_unit_test(the_beginning_of_a_path_hides_nothing),
        cmocka_unit_test(a_url_longer_than_the_maximum_is_rejected),
        cmocka_unit_test(a_url_is_shown_without_what_may_be_secret),
        cmocka_unit_test(a_sentence_never_outgrows_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
