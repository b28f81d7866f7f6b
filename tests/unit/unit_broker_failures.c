/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker: a failure is judged by GitHub's own JSON, not by its status alone. */
#include "broker_fixture.h"

#include "base/clock.h"

#include <snekomatic/types.h>

#include <stdlib.h>

static struct fixture fixture;

static int start(void **state) {
    (void)state;
    fixture_start(&fixture, 20000);
    return 0;
}

static int stop(void **state) {
    (void)state;
    fixture_stop(&fixture);
    free(fixture.log);
    return 0;
}

static void request(struct asked *asked, const char *installation, const char *repository) {
    fixture_fill(&fixture, asked, "GET", "/say", NULL);
    asked->request.installation = installation;
    asked->request.repository = repository;
    broker_submit(fixture.broker, &asked->request);
    fixture_wait(&fixture, asked, 1);
}

static void expect(const struct asked *asked, int32_t outcome, const char *part) {
    const struct broker_request *result = &asked->request;
    if (result->outcome != outcome || !strstr(result->error.text, part)) {
        fail_msg("%d, not %d: '%s' lacks '%s'", result->outcome, outcome, result->error.text, part);
    }
}

#define HTML "<html>Sign in</html>"
#define NOT_FOUND "{\"message\":\"Not Found\",\"documentation_url\":\"x\"}"

static void only_githubs_json_denies_a_token(void **state) {
    (void)state;
    static const struct {
        const char *says;
        int32_t outcome;
        const char *part;
    } cases[] = {
        {"404 " HTML, SNEK_E_SERVER, "check github.api_url"},
        {"404", SNEK_E_SERVER, "no token for installation"},
        {"404 {\"error\":\"no route\"}", SNEK_E_SERVER, "answered 404"},
        {"422 " HTML, SNEK_E_SERVER, "ends with /api/v3"},
        {"422 {\"message\":\"Validation Failed\"}", SNEK_E_VALIDATION, "answered 422"},
        {"302", SNEK_E_SERVER, "check github.api_url"},
        {"200 " HTML, SNEK_E_SERVER, "answered 200 without GitHub's JSON"},
        {"201 {}", SNEK_E_SERVER, "without a token that can be used: check github.api_url"},
        {"422 {\"message\":\"The permissions requested are not granted to this installation.\"}",
         SNEK_E_NOT_GRANTED, "does not grant"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char installation[8];
        struct asked asked;
        (void)snprintf(installation, sizeof installation, "%zu", i + 1);
        fixture.token_says = cases[i].says;
        request(&asked, installation, "");
        expect(&asked, cases[i].outcome, cases[i].part);
        assert_false(asked.request.installation_gone);
        broker_request_finish(&asked.request);
    }
}

static void an_installation_is_gone_only_once_github_knows_our_app(void **state) {
    (void)state;
    static const struct {
        const char *app_says, *part;
        bool gone;
    } cases[] = {
        {"404 " NOT_FOUND, "is github.api_url right? ", false},
        {"200 " HTML, "is github.api_url right? ", false},
        {"200 {\"id\":2,\"slug\":\"other\"}", "another app than github.app_id 1", false},
        {"200 {\"id\":1,\"slug\":\"snek-o\"}", "not installed there any more", true},
        {"404 " NOT_FOUND, "not installed there any more", true},
    };
    fixture.token_says = "404 " NOT_FOUND;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        fixture.app_says = cases[i].app_says;
        request(&asked, "7", "");
        expect(&asked, cases[i].gone ? SNEK_E_FORBIDDEN : SNEK_E_SERVER, cases[i].part);
        assert_int_equal(asked.request.installation_gone, cases[i].gone);
        broker_request_finish(&asked.request);
    }
    /* The proof is cached. */
    assert_int_equal(fixture.app_asks, 4);
}

static void a_suspended_installation_is_asked_once_in_a_while(void **state) {
    (void)state;
    struct asked asked;
    fixture.token_says = "403 {\"message\":\"This installation has been suspended\"}";
    request(&asked, "7", "");
    expect(&asked, SNEK_E_NOT_GRANTED, "installation 7 is suspended");
    broker_request_finish(&asked.request);
    request(&asked, "7", "");
    expect(&asked, SNEK_E_REQUEUE, "installation 7 is suspended: the host asks GitHub again in");
    assert_in_range(asked.request.not_before_ms - clock_wall_ms(), 15000, 20000);
    broker_request_finish(&asked.request);
    assert_int_equal(fixture.token_asks, 1);
}

static void a_suspension_is_seen_with_a_cached_token_too(void **state) {
    (void)state;
    struct asked asked;
    fixture.api_says = "403 {\"message\":\"This installation has been suspended\"}";
    request(&asked, "7", "");
    expect(&asked, SNEK_E_NOT_GRANTED, "This installation has been suspended");
    broker_request_finish(&asked.request);
    fixture.api_says = "403 {\"message\":\"Repository access blocked\"}";
    request(&asked, "7", "");
    expect(&asked, SNEK_E_FORBIDDEN, "access blocked");
    broker_request_finish(&asked.request);
}

static void tokens_of_single_repositories_have_a_budget(void **state) {
    (void)state;
    struct asked asked;
    char repository[32];
    fixture.mint_ms = 0;
    fixture.api_says = "200 {}";
    for (int i = 0; i < 501; i++) {
        (void)snprintf(repository, sizeof repository, "o/r%d", i);
        request(&asked, "7", repository);
        if (i < 500) {
            expect(&asked, 0, "");
        } else {
            expect(&asked, SNEK_E_REQUEUE, "has requested 500 tokens of single repositories");
            assert_in_range(asked.request.not_before_ms - clock_wall_ms(), 3000000, 3600000);
        }
        broker_request_finish(&asked.request);
    }
    assert_int_equal(fixture.token_asks, 500);
    /* Neither another installation, nor the whole one, nor a cached token is affected. */
    static const char *const others[][2] = {{"8", "o/x"}, {"7", ""}, {"7", "o/r3"}};
    for (size_t i = 0; i < 3; i++) {
        request(&asked, others[i][0], others[i][1]);
        expect(&asked, 0, "");
        broker_request_finish(&asked.request);
    }
}

static void an_abuse_limit_defers_the_run_without_retry_after(void **state) {
    (void)state;
    static const char *const says[] = {
        "403 {\"message\":\"You have triggered an abuse detection mechanism. Please wait\"}",
        "403 {\"message\":\"Forbidden\",\"documentation_url\":\"https://developer.github.com/v3/"
        "#abuse-rate-limits\"}",
        "422 {\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"Issue\",\"code\":"
        "\"custom\",\"field\":\"base\",\"message\":\"was submitted too quickly\"}]}",
    };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        char installation[8];
        struct asked asked;
        (void)snprintf(installation, sizeof installation, "%zu", i + 1);
        fixture.api_says = says[i];
        request(&asked, installation, "");
        expect(&asked, SNEK_E_REQUEUE, "rate limit");
        assert_in_range(asked.request.not_before_ms - clock_wall_ms(), 55000, 61000);
        broker_request_finish(&asked.request);
    }
}

static void a_wrong_api_url_is_named_for_the_slug(void **state) {
    (void)state;
    static const struct {
        const char *says, *part;
    } cases[] = {
        {"404 " HTML, "GET /app answered 404 without GitHub's JSON: check github.api_url"},
        {"406 " HTML, "ends with /api/v3"},
        {"200 " HTML, "GET /app answered 200 without GitHub's JSON"},
        {"200", "GET /app answered 200 without a slug: check github.api_url"},
        {"302", "GET /app answered 302 without GitHub's JSON"},
        {"404 " NOT_FOUND, "(check github.app_id and github.api_url)"},
        {"200 {\"slug\":\"x\"}", "another app than github.app_id 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        fixture.app_says = cases[i].says;
        fixture_fill(&fixture, &asked, "GET", NULL, NULL);
        asked.request.kind = BROKER_SLUG;
        broker_submit(fixture.broker, &asked.request);
        fixture_wait(&fixture, &asked, 1);
        expect(&asked, i == 5 ? SNEK_E_NOT_FOUND : SNEK_E_SERVER, cases[i].part);
        broker_request_finish(&asked.request);
    }
}

static unsigned count(const char *text, const char *part) {
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, part)); at++) {
        found++;
    }
    return found;
}

static void rejected_requests_of_one_plugin_write_few_log_lines(void **state) {
    (void)state;
    enum { MANY = 300 };
    static struct asked asked[MANY];
    fixture_start(&fixture, 20000);
    for (size_t i = 0; i < MANY; i++) {
        fixture_fill(&fixture, &asked[i], "GET", "https://evil.example/", NULL);
        broker_submit(fixture.broker, &asked[i].request);
    }
    fixture_wait(&fixture, asked, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(asked[i].request.outcome, SNEK_E_FOREIGN_ORIGIN);
        broker_request_finish(&asked[i].request);
    }
    fixture_fill(&fixture, &asked[0], "GET", "https://evil.example/", NULL);
    asked[0].request.plugin = "other";
    broker_submit(fixture.broker, &asked[0].request);
    fixture_wait(&fixture, asked, 1);
    broker_request_finish(&asked[0].request);
    fixture_stop(&fixture);
    unsigned lines = count(fixture.log, " msg=request ");
    /* 300 may take two seconds. */
    assert_in_range(lines, 12, 33);
    assert_int_equal(count(fixture.log, " plugin=other "), 1);
    const char *withheld = strstr(fixture.log, "msg=request plugin=invite more=");
    assert_non_null(withheld);
    assert_true(atoi(strstr(withheld, "more=") + 5) >= MANY - 31);
    free(fixture.log);
}

#define FAILURE_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        FAILURE_TEST(only_githubs_json_denies_a_token),
        FAILURE_TEST(an_installation_is_gone_only_once_github_knows_our_app),
        FAILURE_TEST(a_wrong_api_url_is_named_for_the_slug),
        FAILURE_TEST(a_suspended_installation_is_asked_once_in_a_while),
        FAILURE_TEST(a_suspension_is_seen_with_a_cached_token_too),
        FAILURE_TEST(tokens_of_single_repositories_have_a_budget),
        FAILURE_TEST(an_abuse_limit_defers_the_run_without_retry_after),
        cmocka_unit_test(rejected_requests_of_one_plugin_write_few_log_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
