/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* console: tokens, the pace of attempts, the lives of sessions; and the writer of pages that
 * escapes. tests/system/test_console.py has the pages. */
#include "unit.h"

#include "console/session.h"
#include "console/view.h"
#include "ingest/page.h"

#define ADMIN "admin-token-0123456789abcdefghijklmnop"
#define READER "reader-token-0123456789abcdefghijklmno"
#define NOW INT64_C(1000000)

static void init(struct console_access *access, const char *reader) {
    AUTO_SECRET struct secret admin = {0}, read = {0};
    assert_int_equal(secret_copy(&admin, ADMIN, strlen(ADMIN)), 0);
    if (reader) {
        assert_int_equal(secret_copy(&read, reader, strlen(reader)), 0);
    }
    console_access_init(access, &admin, &read);
}

static enum console_role login(struct console_access *access, const char *token, int64_t now_ms) {
    bool too_soon = false;
    enum console_role role = console_login(access, token, "192.0.2.1", now_ms, &too_soon);
    assert_true(role == CONSOLE_NOBODY || !too_soon);
    return role;
}

static void each_token_has_its_role(void **state) {
    struct console_access access;
    init(&access, READER);
    assert_int_equal(login(&access, ADMIN, NOW), CONSOLE_ADMIN);
    assert_int_equal(login(&access, READER, NOW), CONSOLE_READER);
    const char *const wrong[] = {"", "x", ADMIN "x", "dmin-token-0123456789abcdefghijklmnop"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(login(&access, wrong[i], NOW + 2000 * (int64_t)i), CONSOLE_NOBODY);
    }
    init(&access, NULL);
    assert_int_equal(login(&access, "", NOW), CONSOLE_NOBODY);
    console_access_finish(&access);
}

static void one_wrong_token_of_an_address_counts_a_second(void **state) {
    struct console_access access;
    bool too_soon;
    init(&access, READER);
    console_login(&access, "wrong", "192.0.2.1", NOW, &too_soon);
    assert_false(too_soon);
    console_login(&access, "wrong", "192.0.2.1", NOW + CONSOLE_ATTEMPT_MS - 1, &too_soon);
    assert_true(too_soon);
    console_login(&access, "wrong", "192.0.2.2", NOW, &too_soon);
    assert_false(too_soon);
    console_login(&access, "wrong", "192.0.2.1", NOW + CONSOLE_ATTEMPT_MS, &too_soon);
    assert_false(too_soon);
}

static void the_right_token_never_waits(void **state) {
    struct console_access access;
    bool too_soon;
    init(&access, READER);
    for (unsigned i = 0; i <= CONSOLE_ADDRESSES_MAX; i++) {
        char address[HTTP_ADDRESS_MAX];
        snprintf(address, sizeof address, "2001:db8::%x", i);
        console_login(&access, "wrong", address, NOW, &too_soon);
    }
    assert_true(too_soon);
    assert_int_equal(console_login(&access, ADMIN, "2001:db8::1", NOW, &too_soon), CONSOLE_ADMIN);
    assert_int_equal(console_login(&access, READER, "192.0.2.1", NOW, &too_soon), CONSOLE_READER);
    assert_false(too_soon);
}

static void many_addresses_share_a_bounded_number_of_attempts(void **state) {
    struct console_access access;
    unsigned counted = 0;
    init(&access, READER);
    for (unsigned i = 0; i < 4 * CONSOLE_ADDRESSES_MAX; i++) {
        char address[HTTP_ADDRESS_MAX];
        bool too_soon;
        snprintf(address, sizeof address, "2001:db8::%x", i);
        console_login(&access, "wrong", address, NOW, &too_soon);
        counted += !too_soon;
    }
    assert_int_equal(counted, CONSOLE_ADDRESSES_MAX);
}

static bool knows(struct console_access *access, const char *cookie, int64_t now_ms, bool uses) {
    char cookies[200];
    snprintf(cookies, sizeof cookies, "a=b; " CONSOLE_COOKIE "=x; " CONSOLE_COOKIE "=%s", cookie);
    return console_session_find(access, cookies, now_ms, uses) != NULL;
}

static void a_session_ends_when_idle_and_after_its_time(void **state) {
    struct console_access access;
    char cookie[HTTP_TOKEN_MAX];
    init(&access, READER);
    struct console_session *session =
        console_session_begin(&access, CONSOLE_READER, "console reader 192.0.2.1", NOW);
    assert_non_null(session);
    memcpy(cookie, session->cookie, sizeof cookie);
    assert_string_not_equal(session->cookie, session->form);
    /* A page that loads itself again does not keep it alive. */
    assert_true(knows(&access, cookie, NOW + CONSOLE_IDLE_MS - 1, false));
    assert_false(knows(&access, cookie, NOW + CONSOLE_IDLE_MS, true));
    for (int64_t now_ms = NOW; now_ms < NOW + CONSOLE_SESSION_MS; now_ms += CONSOLE_IDLE_MS - 1) {
        assert_true(knows(&access, cookie, now_ms, true));
    }
    assert_false(knows(&access, cookie, NOW + CONSOLE_SESSION_MS, true));
    assert_null(console_session_find(&access, NULL, NOW, true));
    assert_null(console_session_find(&access, CONSOLE_COOKIE "=", NOW, true));
}

static void the_session_that_was_not_used_for_longest_makes_room(void **state) {
    struct console_access access;
    char cookies[CONSOLE_SESSIONS_MAX + 1][HTTP_TOKEN_MAX];
    init(&access, READER);
    for (int i = 0; i <= CONSOLE_SESSIONS_MAX; i++) {
        if (i == CONSOLE_SESSIONS_MAX) {
            assert_true(knows(&access, cookies[0], NOW + i, true));
        }
        memcpy(cookies[i],
               console_session_begin(&access, CONSOLE_ADMIN, "console admin", NOW + i)->cookie,
               HTTP_TOKEN_MAX);
    }
    assert_true(knows(&access, cookies[0], NOW + CONSOLE_SESSIONS_MAX, true));
    assert_false(knows(&access, cookies[1], NOW + CONSOLE_SESSIONS_MAX, true));
    assert_true(knows(&access, cookies[2], NOW + CONSOLE_SESSIONS_MAX, true));
}

static void the_writer_escapes_every_text(void **state) {
    AUTO_BUFFER struct buffer page = BUFFER_INIT(1000);
    http_page_put(&page, "<a href=\"%s\">%s</a> 100%% %d %u %zu %ld %lld %lu\n", "\"'><script>",
                  "a&b\n\xE2\x80\xAE\x1B\xFF", -1, 2u, (size_t)3, -4L, -5LL, 6UL);
    assert_string_equal(page.data,
                        "<a href=\"&quot;&#39;&gt;&lt;script&gt;\">a&amp;b\n?\?\?</a> 100% "
                        "-1 2 3 -4 -5 6\n");
    assert_false(http_page_is_cut(&page));
}

static void a_page_that_does_not_fit_is_noticed(void **state) {
    AUTO_BUFFER struct buffer page = BUFFER_INIT(10);
    http_page_put(&page, "%s", "0123456789abc");
    assert_true(http_page_is_cut(&page));
    http_page_html(&page, "x");
    assert_true(http_page_is_cut(&page));
}

static void json_that_does_not_fit_is_noticed(void **state) {
    /* Each of these maximums cuts another part. The whole has 66 bytes. */
    for (size_t max = 1; max <= 67; max++) {
        AUTO_BUFFER struct buffer json = BUFFER_INIT(max);
        view_json_open(&json, NULL, '{');
        view_json_text(&json, "text", "value");
        view_json_number(&json, "number", 123456);
        view_json_bool(&json, "bool", true);
        view_json_time(&json, "time", 0);
        view_json_open(&json, "list", '[');
        view_json_close(&json, ']');
        view_json_close(&json, '}');
        assert_int_equal(http_page_is_cut(&json), max < 67);
    }
}

static void a_link_encodes_each_character_of_a_guid(void **state) {
    AUTO_BUFFER struct buffer page = BUFFER_INIT(1000);
    view_put_delivery_link(&page, "a/b?c#d%e\"f&g", "/why");
    assert_string_equal(page.data, "<a href=\"/console/deliveries/a%2Fb%3Fc%23d%25e%22f%26g/why\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_has_its_role),
        cmocka_unit_test(one_wrong_token_of_an_address_counts_a_second),
        cmocka_unit_test(the_right_token_never_waits),
        cmocka_unit_test(many_addresses_share_a_bounded_number_of_attempts),
        cmocka_unit_test(a_session_ends_when_idle_and_after_its_time),
        cmocka_unit_test(the_session_that_was_not_used_for_longest_makes_room),
        cmocka_unit_test(the_writer_escapes_every_text),
        cmocka_unit_test(a_page_that_does_not_fit_is_noticed),
        cmocka_unit_test(json_that_does_not_fit_is_noticed),
        cmocka_unit_test(a_link_encodes_each_character_of_a_guid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
