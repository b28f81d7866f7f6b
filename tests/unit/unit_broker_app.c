/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker/app_client: requests as the app itself have limits of their own. */
#include "broker_fixture.h"

#include "base/clock.h"
#include "broker/jwt.h"

#include <snekomatic/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fixture;

static int set_up(void **state) {
    (void)state;
    fixture_start(&fixture, 5000);
    return 0;
}

static int set_up_hasty(void **state) {
    (void)state;
    fixture_start(&fixture, 2000);
    return 0;
}

static int set_up_with_inbox(void **state) {
    (void)state;
    fixture_start_with_inbox(&fixture, 20000);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_stop(&fixture);
    free(fixture.log);
    return 0;
}

static void submit(struct asked *asked, enum broker_kind kind, const char *installation,
                   const char *url) {
    fixture_fill(&fixture, asked, "GET", url, NULL);
    asked->request.kind = kind;
    asked->request.installation = installation;
    asked->request.repository = "";
    broker_submit(fixture.broker, &asked->request);
}

/* Answered so; the time that it is to come back at, from now. */
static int64_t expect(struct asked *asked, int32_t outcome, const char *part) {
    fixture_wait(&fixture, asked, 1);
    const struct broker_request *request = &asked->request;
    if (request->outcome != outcome || !strstr(request->error.text, part)) {
        fail_msg("%d, not %d: '%s' lacks '%s'", request->outcome, outcome, request->error.text,
                 part);
    }
    int64_t wait_ms = request->not_before_ms - clock_wall_ms();
    broker_request_finish(&asked->request);
    return wait_ms;
}

static void a_limit_of_the_app_defers_requests_that_need_a_new_token(void **state) {
    (void)state;
    struct asked asked;
    fixture.app_limited = 1;
    fixture.app_limit_s = 600;
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    assert_in_range(expect(&asked, SNEK_E_REQUEUE, "rate limit"), 590000, 602000);
    submit(&asked, BROKER_REQUEST, "2", "/ok");
    assert_in_range(expect(&asked, SNEK_E_REQUEUE, "rate limit"), 590000, 602000);
    submit(&asked, BROKER_TOKEN, "3", NULL);
    assert_in_range(expect(&asked, SNEK_E_REQUEUE, "GitHub's rate limit for the app itself"),
                    590000, 602000);
    assert_int_equal(fixture.token_asks + fixture.app_asks + fixture.requests, 0);
    assert_int_equal(fixture.app_limited, 0); /* GitHub was asked once */
}

static void the_last_fifth_of_the_apps_quota_is_for_tokens_of_whole_installations(void **state) {
    (void)state;
    struct asked asked;
    fixture.app_remaining = 900;
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    (void)expect(&asked, 0, "");
    fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
    asked.request.installation = "2";
    asked.request.repository = "o/r";
    broker_submit(fixture.broker, &asked.request);
    assert_in_range(expect(&asked, SNEK_E_REQUEUE, "is kept for tokens of whole installations"),
                    500000, 602000);
    submit(&asked, BROKER_REQUEST, "2", "/ok");
    (void)expect(&asked, 0, "");
}

static void requests_with_a_token_go_on(void **state) {
    (void)state;
    struct asked asked;
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    (void)expect(&asked, 0, "");
    fixture.app_limited = 1;
    fixture.app_limit_s = 600;
    submit(&asked, BROKER_REQUEST, "2", "/ok");
    (void)expect(&asked, SNEK_E_REQUEUE, "rate limit");
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    (void)expect(&asked, 0, "");
}

static void the_slug_and_the_hosts_calls_wait_too(void **state) {
    (void)state;
    struct asked asked;
    fixture.app_limited = 1;
    fixture.app_limit_s = 600;
    submit(&asked, BROKER_SLUG, "1", NULL);
    assert_in_range(expect(&asked, SNEK_E_REQUEUE, "GET /app: GitHub's rate limit for the app"),
                    590000, 602000);
    submit(&asked, BROKER_SLUG, "1", NULL);
    (void)expect(&asked, SNEK_E_REQUEUE, "rate limit");
    submit(&asked, BROKER_APP, "", "/app/hook/deliveries");
    (void)expect(&asked, SNEK_E_REQUEUE, "GET /app/hook/deliveries: GitHub's rate limit");
    assert_int_equal(fixture.app_asks, 0);
}

static void a_short_limit_of_the_app_is_waited_for(void **state) {
    (void)state;
    struct asked asked[2];
    int64_t began_ms = clock_monotonic_ms();
    fixture.app_limited = 1;
    fixture.app_limit_s = 1;
    submit(&asked[0], BROKER_REQUEST, "1", "/ok");
    submit(&asked[1], BROKER_REQUEST, "1", "/ok");
    for (int i = 0; i < 2; i++) {
        fixture_wait(&fixture, &asked[i], 1);
        /* Not of the run's time. */
        assert_true(asked[i].request.waited.total_ms >= 990);
        (void)expect(&asked[i], 0, "");
    }
    assert_true(clock_monotonic_ms() - began_ms >= 990);
    assert_int_equal(fixture.token_asks, 1);
}

static void read_as_app(void) {
    struct asked asked;
    submit(&asked, BROKER_APP, "", "/app");
    (void)expect(&asked, 0, "");
}

static void reads_of_the_host_share_a_jwt_for_some_seconds(void **state) {
    (void)state;
    struct asked asked;
    int64_t began_ms = clock_monotonic_ms();
    for (int i = 0; i < 5; i++) {
        read_as_app();
    }
    assert_in_range(fixture.jwts, 1, 1 + (clock_monotonic_ms() - began_ms) / JWT_REUSE_MS);
    /* A token is never requested with a JWT that was used before. */
    int before = fixture.jwts;
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    (void)expect(&asked, 0, "");
    assert_int_equal(fixture.jwts, before + 1);
    assert_int_equal(fixture.wrong, 0);
}

static void a_jwt_that_is_too_old_is_not_used_again(void **state) {
    (void)state;
    read_as_app();
    (void)usleep((JWT_REUSE_MS + 10) * 1000);
    read_as_app();
    assert_int_equal(fixture.jwts, 2);
}

static void a_shared_jwt_that_github_rejects_is_dropped(void **state) {
    (void)state;
    read_as_app();
    assert_int_equal(fixture.jwts, 1);
    /* GitHub's clock was set. */
    fixture.clock_off_s = 600;
    read_as_app();
    assert_int_equal(fixture.jwts, 2);
    assert_in_range(fixture.last_skew_s, 598, 602);
    read_as_app();
    assert_in_range(fixture.jwts, 2, 3);
    assert_int_equal(fixture.app_asks, 3);
}

static void at_most_a_hundred_token_requests_are_in_progress(void **state) {
    (void)state;
    enum { ALL = 130 };
    static struct asked asked[ALL];
    static char names[ALL][16];
    fixture.mint_ms = 300;
    for (int i = 0; i < ALL; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i);
        submit(&asked[i], BROKER_REQUEST, names[i], "/ok");
    }
    for (int i = 0; i < ALL; i++) {
        (void)expect(&asked[i], 0, "");
    }
    assert_int_equal(fixture.token_asks, ALL);
    assert_in_range(fixture.most_minting, 2, 100);
}

static void a_temporary_failure_of_an_app_request_is_retried(void **state) {
    (void)state;
    struct asked asked;
    fixture.app_broken = 2;
    fixture.app_broken_how = 502;
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    (void)expect(&asked, 0, "");
    fixture.app_broken = 2;
    fixture.app_broken_how = 0;
    submit(&asked, BROKER_SLUG, "1", NULL);
    (void)expect(&asked, 0, "");
    assert_int_equal(fixture.app_heard, 4);
    fixture.app_broken = 100;
    fixture.app_broken_how = 503;
    submit(&asked, BROKER_REQUEST, "2", "/ok");
    (void)expect(&asked, SNEK_E_SERVER, "access_tokens answered 503");
    assert_int_equal(fixture.app_heard, 4 + 4);
    fixture.app_broken_how = 404;
    submit(&asked, BROKER_REQUEST, "3", "/ok");
    (void)expect(&asked, SNEK_E_SERVER, "answered 404: So it is");
    assert_int_equal(fixture.app_heard, 4 + 4 + 1);
}

static void an_app_call_that_writes_is_sent_once(void **state) {
    (void)state;
    struct asked asked;
    fixture.app_broken = 100;
    fixture.app_broken_how = 502;
    fixture_fill(&fixture, &asked, "POST", "/app/hook/deliveries/1/attempts", NULL);
    asked.request.kind = BROKER_APP;
    broker_submit(fixture.broker, &asked.request);
    (void)expect(&asked, SNEK_E_SERVER, "502");
    assert_int_equal(fixture.app_heard, 1);
    submit(&asked, BROKER_APP, "", "/app/hook/deliveries");
    (void)expect(&asked, SNEK_E_SERVER, "502");
    assert_int_equal(fixture.app_heard, 1 + 4);
}

static void submit_for(struct asked *asked, const char *plugin, const char *installation,
                       const char *repository) {
    fixture_fill(&fixture, asked, "GET", "/ok", NULL);
    asked->request.plugin = plugin;
    asked->request.installation = installation;
    asked->request.repository = repository;
    broker_submit(fixture.broker, &asked->request);
}

static void a_plugin_with_many_denied_tokens_is_stopped_for_a_while(void **state) {
    (void)state;
    struct asked asked;
    char repository[32];
    submit_for(&asked, "greedy", "1", "o/kept");
    (void)expect(&asked, 0, "");
    for (int i = 0; i < 40; i++) {
        (void)snprintf(repository, sizeof repository, "o/nobodys%d", i);
        submit_for(&asked, "greedy", i % 2 ? "1" : "2", repository);
        (void)expect(&asked, SNEK_E_VALIDATION,
                     i < 20 ? "does not reach the repository"
                            : "the host asks for no other in the");
    }
    assert_int_equal(fixture.token_asks, 1 + 20);
    submit_for(&asked, "greedy", "1", "o/kept"); /* which is there */
    (void)expect(&asked, 0, "");
    /* There is no end of sorts. */
    submit_for(&asked, "greedy", "1", "");
    (void)expect(&asked, 0, "");
    submit_for(&asked, "modest", "1", "o/nobodys");
    (void)expect(&asked, SNEK_E_VALIDATION, "does not reach the repository");
}

static void denials_in_one_installation_do_not_affect_others(void **state) {
    (void)state;
    struct asked asked;
    char repository[32];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(repository, sizeof repository, "o/r%d", i);
        submit_for(&asked, "patient", "not-granted", repository);
        /* Not for ever: it may be granted by then, and a run that waits for it is not told. */
        (void)expect(&asked, i < 20 ? SNEK_E_NOT_GRANTED : SNEK_E_FORBIDDEN,
                     i < 20 ? "does not grant" : "in installation not-granted: the host asks");
    }
    submit_for(&asked, "patient", "1", "o/r");
    (void)expect(&asked, 0, "");
    for (int i = 0; i < 30; i++) {
        submit_for(&asked, "patient", "not-granted", "");
        (void)expect(&asked, SNEK_E_NOT_GRANTED, "does not grant");
    }
}

/* The write of a run that is held. */
static void submit_held(struct asked *asked, const char *url) {
    fixture_fill(&fixture, asked, "PUT", url, "{}");
    asked->request.app_requests = true;
    asked->request.holder.run = 1;
    asked->request.holder.token = 1;
    asked->request.holder.lease_ms = 30000;
    broker_submit(fixture.broker, &asked->request);
}

static void tokens_that_expire_before_use_are_not_requested_for_ever(void **state) {
    (void)state;
    struct asked asked;
    /* A new one each time … */
    fixture.token_life_s = 30;
    /* … that comes when the run may be another's. */
    fixture.mint_ms = 150;
    submit_held(&asked, "/ok");
    (void)expect(&asked, 0, "");
    assert_true(fixture.lease_check_count >= 1);
    assert_int_equal(fixture.requests, 1);

    int before = fixture.token_asks;
    fixture.mint_ms = 900;
    submit_held(&asked, "/ok");
    (void)expect(&asked, SNEK_E_TIMEOUT, "PUT /ok was not sent: its tokens come too late");
    assert_false(asked.request.sent);
    assert_int_equal(fixture.token_asks - before, 4);
    assert_int_equal(fixture.requests, 1);
}

static void a_supervisor_that_is_slow_each_time_is_given_up(void **state) {
    (void)state;
    struct asked asked;
    fixture.sign_ms = 900;
    submit_held(&asked, "/app/hook/config");
    (void)expect(&asked, SNEK_E_TIMEOUT, "the supervisor is too slow");
    assert_int_equal(fixture.jwts, 4);
    /* Requests below /app belong to the app only. */
    assert_int_equal(fixture.token_asks, 0);
}

static void a_request_that_is_not_ready_in_time_is_not_sent(void **state) {
    (void)state;
    struct asked asked;
    /* Each in time, but not both. */
    fixture.sign_ms = 1200;
    fixture.mint_ms = 1200;
    submit(&asked, BROKER_REQUEST, "1", "/ok");
    (void)expect(&asked, SNEK_E_TIMEOUT, "GET /ok was not sent: its tokens come too late");
    assert_int_equal(fixture.token_asks, 1);
    assert_int_equal(fixture.requests, 0);
}

#define APP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void the_slug_is_requested_once(void **state) {
    (void)state;
    static struct asked asked[3];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            fixture_fill(&fixture, &asked[i], NULL, NULL, NULL);
            asked[i].request.kind = BROKER_SLUG;
            broker_submit(fixture.broker, &asked[i].request);
        }
        fixture_wait(&fixture, asked, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(asked[i].request.outcome, 0);
            assert_string_equal(asked[i].request.response.data, "snek-o");
            broker_request_finish(&asked[i].request);
        }
    }
    assert_int_equal(fixture.app_asks, 1);
    assert_int_equal(fixture.last_token_id, 0);
}

static void expect_slug_for_plugins(unsigned count, const char *slug) {
    static struct asked asked[3];
    static const char *const plugins[] = {"invite", "welcome", "ping"};
    for (unsigned i = 0; i < count; i++) {
        fixture_fill(&fixture, &asked[i], NULL, NULL, NULL);
        asked[i].request.kind = BROKER_SLUG;
        asked[i].request.plugin = plugins[i];
        broker_submit(fixture.broker, &asked[i].request);
        fixture_wait(&fixture, &asked[i], 1);
        assert_int_equal(asked[i].request.outcome, 0);
        assert_string_equal(asked[i].request.response.data, slug);
        broker_request_finish(&asked[i].request);
    }
}

static void an_old_slug_is_requested_again_once_for_all_plugins(void **state) {
    (void)state;
    expect_slug_for_plugins(3, "snek-o");
    assert_int_equal(fixture.app_asks, 1);
    fixture.app_says = "200 {\"id\":1,\"slug\":\"snek-new\"}";
    clock_set_for_test(clock_monotonic_ms() + 3599000, clock_wall_ms());
    expect_slug_for_plugins(3, "snek-o");
    clock_set_for_test(clock_monotonic_ms() + 2000, clock_wall_ms());
    expect_slug_for_plugins(3, "snek-new");
    assert_int_equal(fixture.app_asks, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_slug_is_requested_once, set_up, tear_down),
        APP_TEST(a_limit_of_the_app_defers_requests_that_need_a_new_token),
        APP_TEST(the_last_fifth_of_the_apps_quota_is_for_tokens_of_whole_installations),
        APP_TEST(requests_with_a_token_go_on),
        APP_TEST(the_slug_and_the_hosts_calls_wait_too),
        APP_TEST(a_short_limit_of_the_app_is_waited_for),
        APP_TEST(a_temporary_failure_of_an_app_request_is_retried),
        APP_TEST(an_app_call_that_writes_is_sent_once),
        APP_TEST(a_plugin_with_many_denied_tokens_is_stopped_for_a_while),
        APP_TEST(denials_in_one_installation_do_not_affect_others),
        APP_TEST(reads_of_the_host_share_a_jwt_for_some_seconds),
        APP_TEST(a_jwt_that_is_too_old_is_not_used_again),
        APP_TEST(a_shared_jwt_that_github_rejects_is_dropped),
        APP_TEST(at_most_a_hundred_token_requests_are_in_progress),
        cmocka_unit_test_setup_teardown(a_request_that_is_not_ready_in_time_is_not_sent,
                                        set_up_hasty, tear_down),
        cmocka_unit_test_setup_teardown(tokens_that_expire_before_use_are_not_requested_for_ever,
                                        set_up_with_inbox, tear_down),
        cmocka_unit_test_setup_teardown(a_supervisor_that_is_slow_each_time_is_given_up,
                                        set_up_with_inbox, tear_down),
        /* The last one, because it stops the clock. */
        APP_TEST(an_old_slug_is_requested_again_once_for_all_plugins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
