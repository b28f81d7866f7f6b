/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* setup: the link's and the session's times, hosts, forms, and GitHub's response. The pages are in
 * tests/system/test_setup.py. */
#include "unit.h"

#include "ingest/origin.h"
#include "setup/conversion.h"
#include "setup/form.h"
#include "setup/origins.h"
#include "setup/session.h"

#include <stdio.h>

#define WEB "https://github.com"

/* ---- session ---- */

static void begin(struct setup_session *session, int64_t now_ms) {
    struct error err;
    assert_int_equal(setup_session_init(session, now_ms, &err), 0);
    assert_int_equal(strlen(session->link), SETUP_TOKEN_MAX - 1);
    assert_string_not_equal(session->link, session->cookie);
    assert_string_not_equal(session->form, session->cookie);
}

static void the_link_works_once_within_30_minutes(void **state) {
    struct setup_session session;
    begin(&session, 1000);
    assert_int_equal(setup_session_claim(&session, "", 1000), SETUP_LINK_WRONG);
    assert_int_equal(setup_session_claim(&session, session.cookie, 1000), SETUP_LINK_WRONG);
    assert_int_equal(setup_session_claim(&session, session.link, 1000 + SETUP_LINK_MS),
                     SETUP_LINK_LATE);
    assert_int_equal(setup_session_claim(&session, session.link, 999 + SETUP_LINK_MS),
                     SETUP_CLAIMED);
    assert_int_equal(setup_session_claim(&session, session.link, 999 + SETUP_LINK_MS),
                     SETUP_LINK_USED);
    setup_session_finish(&session);
}

static bool knows(const struct setup_session *session, const char *before, const char *after,
                  int64_t now_ms) {
    char cookies[256];
    snprintf(cookies, sizeof cookies, "%s%s%s", before, session->cookie, after);
    return setup_session_knows(session, cookies, now_ms);
}

static void the_cookie_counts_from_the_link_to_the_end_of_the_session(void **state) {
    struct setup_session session;
    begin(&session, 0);
    assert_false(knows(&session, "snekomatic_setup=", "", 0));
    assert_int_equal(setup_session_claim(&session, session.link, 0), SETUP_CLAIMED);
    static const char *const good[][2] = {{"snekomatic_setup=", ""},
                                          {"a=b; snekomatic_setup=", ""},
                                          {"snekomatic_setup=x; snekomatic_setup=", " ; c=d"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(knows(&session, good[i][0], good[i][1], SETUP_SESSION_MS - 1));
        assert_false(knows(&session, good[i][0], good[i][1], SETUP_SESSION_MS));
    }
    static const char *const bad[][2] = {{"", ""},
                                         {"snekomatic_setup=", "x"},
                                         {"xsnekomatic_setup=", ""},
                                         {"snekomatic_setup=\"", "\""},
                                         {"snekomatic_setup= ", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(knows(&session, bad[i][0], bad[i][1], 0));
    }
    assert_false(setup_session_knows(&session, NULL, 0));
    setup_session_finish(&session);
}

static void a_state_finds_the_choices_it_was_sent_with(void **state) {
    struct setup_session session;
    char first[SETUP_TOKEN_MAX], last[SETUP_TOKEN_MAX];
    begin(&session, 0);
    assert_null(setup_session_find(&session, ""));
    for (int i = 0; i <= SETUP_ATTEMPTS_MAX; i++) {
        struct setup_choices choices = {.pull = i == SETUP_ATTEMPTS_MAX};
        const struct setup_attempt *attempt = setup_session_begin(&session, &choices, i);
        memcpy(i == 0 ? first : last, attempt->state, SETUP_TOKEN_MAX);
    }
    assert_null(setup_session_find(&session, first));
    assert_true(setup_session_find(&session, last)->choices.pull);
    last[0] ^= 1;
    assert_null(setup_session_find(&session, last));
    assert_int_equal(session.until_ms, SETUP_ATTEMPTS_MAX + SETUP_SESSION_MS);
    setup_session_finish(&session);
}

/* ---- hosts ---- */

static void only_our_hosts_are_ours(void **state) {
    static const struct {
        const char *host, *public_url, *local, *origin; /* NULL: rejected */
    } cases[] = {
        {"127.0.0.1:8000", NULL, "10.0.0.5", "http://127.0.0.1:8000"},
        {"localhost", NULL, "", "http://localhost"},
        {"[::1]:80", NULL, "", "http://[::1]:80"},
        {"10.0.0.5:8000", NULL, "10.0.0.5", "http://10.0.0.5:8000"},
        {"[2001:DB8:0::1]", NULL, "2001:db8::1", "http://[2001:DB8:0::1]"},
        {"[2001:db8::2]", NULL, "2001:db8::1", NULL},
        {"10.0.0.6", NULL, "10.0.0.5", NULL},
        {"10.0.0.5.example", NULL, "10.0.0.5", NULL},
        {"127.0.0.1.example", NULL, "", NULL},
        {"0x7f000001", NULL, "", NULL},
        {"", NULL, "", NULL},
        {"bot.example", NULL, "", NULL},
        {"Bot.Example", "https://bot.example", "", "https://bot.example"},
        {"bot.example:443", "https://bot.example", "", "https://bot.example"},
        {"bot.example:80", "https://bot.example", "", NULL},
        {"bot.example.evil", "https://bot.example", "", NULL},
        {"bot.exampl", "https://bot.example", "", NULL},
        {"bot.example:8443", "https://bot.example:8443", "", "https://bot.example:8443"},
        {"bot.example", "https://bot.example:8443", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char origin[HTTP_ORIGIN_MAX] = "";
        bool ours = http_host_is_ours(cases[i].host, strlen(cases[i].host), cases[i].public_url,
                                      cases[i].local, origin);
        if (ours != (cases[i].origin != NULL)) {
            fail_msg("%s with %s", cases[i].host, cases[i].public_url);
        }
        assert_string_equal(origin, cases[i].origin ? cases[i].origin : "");
    }
    char origin[HTTP_ORIGIN_MAX];
    assert_false(http_host_is_ours(NULL, 0, "https://bot.example", "", origin));
}

static void github_pages_are_found_from_the_api(void **state) {
    static const char *const cases[][2] = {
        {"https://api.github.com", WEB},
        {"https://ghe.example:8443/api/v3", "https://ghe.example:8443"},
        {"https://api.ghe.example/api/v3", "https://api.ghe.example"},
        {"https://api.octo.ghe.com", "https://octo.ghe.com"},
        {"http://127.0.0.1:3000", "http://127.0.0.1:3000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char web[SETUP_ORIGIN_MAX];
        assert_true(setup_web_url(cases[i][0], web));
        assert_string_equal(web, cases[i][1]);
    }
}

/* ---- forms ---- */

static void forms_are_decoded(void **state) {
    static const char body[] = "name=S%20n+%F0%9F%90%8D%26&pull=";
    struct http_field fields[] = {{"name"}, {"pull"}, {"address"}};
    assert_int_equal(http_form_read(body, sizeof body - 1, fields, 3), 0);
    assert_string_equal(http_form_value(fields, 3, "name"), "S n \xF0\x9F\x90\x8D&");
    assert_true(fields[1].given && !fields[2].given);
    assert_string_equal(http_form_value(fields, 3, "address"), "");
    assert_int_equal(http_form_read("", 0, fields, 3), 0);
    assert_false(fields[0].given);
}

static void malformed_forms_are_rejected(void **state) {
    static const char *const bodies[] = {
        "name",          "name=%",  "name=%0", "name=%zz", "name=%00", "name=a%0Ab",     "name=%FF",
        "name=a&name=b", "other=1", "name=a&", "&name=a",  "=x",       "name=a;pull=b&x"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct http_field fields[] = {{"name"}, {"pull"}};
        /* An empty pair at the end is no pair. */
        int expected = strcmp(bodies[i], "name=a&") == 0 ? 0 : -1;
        if (http_form_read(bodies[i], strlen(bodies[i]), fields, 2) != expected) {
            fail_msg("%s", bodies[i]);
        }
    }
    char large[HTTP_VALUE_MAX + 16] = "name=";
    memset(large + 5, 'a', HTTP_VALUE_MAX + 1);
    struct http_field field[] = {{"name"}};
    assert_int_equal(http_form_read(large, 5 + HTTP_VALUE_MAX + 1, field, 1), -1);
    assert_int_equal(http_form_read(large, 5 + HTTP_VALUE_MAX, field, 1), 0);
}

/* ---- GitHub's response ---- */

static int read_app(const char *json, struct setup_app *app) {
    struct error err;
    return setup_app_read(json, strlen(json), WEB, app, &err);
}

static void an_app_is_read(void **state) {
    struct setup_app app = {.id = 0};
    assert_int_equal(read_app("{\"id\":7,\"slug\":\"bot\",\"pem\":\"-----\\n\\u0041\\n\","
                              "\"webhook_secret\":\"s\",\"html_url\":\"" WEB "/apps/bot\"}",
                              &app),
                     0);
    assert_int_equal(app.id, 7);
    assert_string_equal(app.key.data, "-----\nA\n");
    assert_string_equal(app.webhook_secret.data, "s");
    assert_string_equal(app.page, WEB "/apps/bot");
    /* The next one replaces all of it. */
    assert_int_equal(read_app("{\"id\":8,\"slug\":\"b\",\"pem\":\"k\",\"webhook_secret\":null,"
                              "\"html_url\":\"https://github.com.evil/apps/b\"}",
                              &app),
                     0);
    assert_int_equal(app.webhook_secret.bytes, 0);
    assert_string_equal(app.page, WEB "/apps/b");
    setup_app_finish(&app);
}

static void anything_else_is_no_app(void **state) {
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"id\":7,\"slug\":\"bot\"}",
        "{\"id\":7,\"slug\":\"bot\",\"pem\":null}",
        "{\"id\":7,\"slug\":\"bot\",\"pem\":\"\"}",
        "{\"id\":7,\"slug\":\"bot\",\"pem\":5}",
        "{\"id\":0,\"slug\":\"bot\",\"pem\":\"k\"}",
        "{\"id\":\"7\",\"slug\":\"bot\",\"pem\":\"k\"}",
        "{\"id\":7,\"slug\":\"\",\"pem\":\"k\"}",
        "{\"id\":7,\"slug\":\"a\\nb\",\"pem\":\"k\"}",
        "{\"id\":7,\"slug\":\"bot\",\"pem\":\"k\",\"webhook_secret\":5}",
        "{\"id\":7,\"slug\":\"bot\",\"pem\":\"k\"} x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct setup_app app = {.id = 0};
        if (read_app(texts[i], &app) == 0) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_int_equal(app.id, 0);
        assert_null(app.key.data);
    }
}

static void a_code_has_only_harmless_characters(void **state) {
    assert_true(setup_code_is_sound("a1B_-"));
    static const char *const bad[] = {"", "a/b", "..", "a b", "a%2F", "a?b", "\xC3\xA9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(setup_code_is_sound(bad[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_link_works_once_within_30_minutes),
        cmocka_unit_test(the_cookie_counts_from_the_link_to_the_end_of_the_session),
        cmocka_unit_test(a_state_finds_the_choices_it_was_sent_with),
        cmocka_unit_test(only_our_hosts_are_ours),
        cmocka_unit_test(github_pages_are_found_from_the_api),
        cmocka_unit_test(forms_are_decoded),
        cmocka_unit_test(malformed_forms_are_rejected),
        cmocka_unit_test(an_app_is_read),
        cmocka_unit_test(anything_else_is_no_app),
        cmocka_unit_test(a_code_has_only_harmless_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
