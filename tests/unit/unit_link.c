/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of base/link.h. */
#include "unit.h"

#include "base/link.h"

static void the_next_page_is_found_in_a_link_header(void **state) {
    (void)state;
    static const struct {
        const char *header, *url;
    } cases[] = {
        {"<https://a/2>; rel=\"next\"", "https://a/2"},
        {"<https://a/1>; rel=\"prev\", <https://a/3>; rel=\"next\", <https://a/9>; rel=\"last\"",
         "https://a/3"},
        {"<https://a/2>; rel=next", "https://a/2"},
        {"<https://a/2>;rel=\"next\",<https://a/9>;rel=\"last\"", "https://a/2"},
        {"<https://a/2>; rel=\"last next\"", "https://a/2"},
        {"<https://a/2> ; REL = \"NEXT\"", "https://a/2"},
        {"<https://a/2,3;4>; title=\"a, <b>; rel=x\"; rel=\"next\"", "https://a/2,3;4"},
        {"<https://a/9>; title=\"rel=\\\"\"; rel=\"last\", <https://a/2>; rel=\"next\"", NULL},
        {"<https://a/9>; title=\"; rel=next\"; rel=\"last\"", NULL},
        {"<https://a/9>; rel=\"last\"; rel=\"next\"", NULL},
        {"<https://a/2>; rel=\"nextpage\"", NULL},
        {"<https://a/2>; notrel=\"next\"", NULL},
        {"<https://a/9>; rel=\"last\" <https://a/2>; rel=\"next\"", NULL},
        {"<https://a/2; rel=\"next\"", NULL},
        {"<https://a/2>; rel=\"next", NULL},
        {"https://a/2; rel=\"next\"", NULL},
        {"<https://a/2>", NULL},
        {"<", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = 0;
        const char *url = link_next(cases[i].header, strlen(cases[i].header), &bytes);
        if (!cases[i].url) {
            assert_null(url);
            continue;
        }
        assert_non_null(url);
        assert_int_equal(bytes, strlen(cases[i].url));
        assert_memory_equal(url, cases[i].url, bytes);
    }
    size_t bytes;
    assert_null(link_next(NULL, 0, &bytes));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_page_is_found_in_a_link_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
