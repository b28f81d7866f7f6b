/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker: headers and media types, GraphQL's errors, the ETag cache, redirects, tokens of one
 * repository, requests that are deferred in the end, the log, and requests as the app. */
#include "broker_fixture.h"

#include "base/clock.h"
#include "broker/etag_cache.h"

#include <snekomatic/types.h>

#include <stdio.h>
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

static void ask(struct asked *asked) {
    broker_submit(fixture.broker, &asked->request);
    fixture_wait(&fixture, asked, 1);
}

static void expect_outcome(const struct asked *asked, int32_t outcome, const char *part) {
    if (asked->request.outcome != outcome || !strstr(asked->request.error.text, part)) {
        fail_msg("%s %s: %d, not %d: '%s' lacks '%s'", asked->request.method, asked->request.url,
                 asked->request.outcome, outcome, asked->request.error.text, part);
    }
}

static void headers_and_media_types_go_along(void **state) {
    (void)state;
    struct asked asked;
    fixture_fill(&fixture, &asked, "POST", "/odd", "# no JSON");
    asked.request.accept = "application/vnd.github.diff";
    asked.request.content_type = "text/x-markdown";
    asked.request.more_headers = "X-Snake: sss\nX-GitHub-Api-Version: 2030-01-01\n";
    ask(&asked);
    expect_outcome(&asked, 0, "");
    assert_string_equal(fixture.last_body, "# no JSON");
    broker_request_finish(&asked.request);
}

static void a_malformed_header_or_one_of_the_hosts_is_rejected(void **state) {
    (void)state;
    static const char *const lines[] = {"Authorization: x\n",
                                        "authorization: x\n",
                                        "Host: x\n",
                                        "Cookie: x\n",
                                        "If-None-Match: x\n",
                                        "X-A: b",
                                        "X-A:b\n",
                                        ": b\n",
                                        "X A: b\n",
                                        "X-A: b\r\n",
                                        "X-A: b\n\nC: d\n",
                                        "X-A: \x01\n",
                                        "Content-Length: 1\n",
                                        "Content_Length: 1\n",
                                        "transfer_encoding: chunked\n",
                                        "X_A: b\n",
                                        "X-HTTP-Method-Override: DELETE\n",
                                        "X-Http-Method: DELETE\n",
                                        "x-method-override: DELETE\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct asked asked;
        fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
        asked.request.more_headers = lines[i];
        ask(&asked);
        expect_outcome(&asked, SNEK_E_INVALID, "header");
    }
    struct asked asked;
    fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
    asked.request.accept = "a\r\nX-Evil: 1";
    ask(&asked);
    expect_outcome(&asked, SNEK_E_INVALID, "media type");
    assert_int_equal(fixture.requests, 0);
}

static void errors_of_graphql_are_errors_though_they_come_with_a_200(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int32_t outcome;
        const char *part;
    } cases[] = {
        {"{\"data\":{\"a\":1}}", 0, ""},
        {"{\"data\":{\"a\":null},\"errors\":[]}", 0, ""},
        {"{\"data\":{\"a\":1},\"errors\":null}", 0, ""},
        {"{\"data\":null,\"errors\":[]}", SNEK_E_SERVER, "without data"},
        {"{\"data\":null}", SNEK_E_SERVER, "without data"},
        {"{\"data\":{\"a\":1},\"errors\":{\"message\":\"b\"}}", SNEK_E_SERVER, "that are no list"},
        {"{\"errors\":\"bad\"}", SNEK_E_SERVER, "that are no list"},
        {"{\"data\":null,\"errors\":[{\"type\":\"NOT_FOUND\",\"message\":\"Could not resolve\"}]}",
         SNEK_E_NOT_FOUND, "POST /graphql answered with errors (Could not resolve)"},
        {"{\"errors\":[{\"type\":\"FORBIDDEN\",\"message\":\"a\"},{\"message\":\"b\"}]}",
         SNEK_E_FORBIDDEN, "(a; b)"},
        {"{\"errors\":[{\"message\":\"Parse error on \\\"x\\\"\"}]}", SNEK_E_VALIDATION,
         "Parse error"},
        {"{\"data\":{\"a\":1},\"errors\":[{\"message\":\"Something went wrong while executing your "
         "query.\"}]}",
         SNEK_E_SERVER, "Something went wrong"},
        {"{\"errors\":[{\"type\":\"RATE_LIMITED\",\"message\":\"API rate limit exceeded\"}]}",
         SNEK_E_REQUEUE, "rate limit"},
        {"{\"ok\":true}", SNEK_E_SERVER, "without data"},
        {"<html>", SNEK_E_SERVER, "without data"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char installation[16];
        struct asked asked;
        (void)snprintf(installation, sizeof installation, "%zu", i);
        fixture.graphql = cases[i].answer;
        fixture_fill(&fixture, &asked, "POST", "/graphql", "{\"query\":\"{ a }\"}");
        asked.request.installation = installation;
        ask(&asked);
        expect_outcome(&asked, cases[i].outcome, cases[i].part);
        assert_int_equal(asked.request.status, cases[i].outcome == SNEK_E_REQUEUE ? 0 : 200);
        broker_request_finish(&asked.request);
    }
}

static void a_mutation_that_reached_a_limit_half_way_is_not_sent_again(void **state) {
    (void)state;
    static const struct {
        const char *query, *data;
        int32_t outcome;
    } cases[] = {
        {"mutation { a { id } b { id } }", "{\"a\":{\"id\":1},\"b\":null}", SNEK_E_RATE_LIMITED},
        {"mutation { a { id } b { id } }", "{\"a\":null,\"b\":null}", SNEK_E_REQUEUE},
        {"{ a { id } b { id } }", "{\"a\":{\"id\":1},\"b\":null}", SNEK_E_REQUEUE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        char installation[16], answer[200], body[100];
        (void)snprintf(installation, sizeof installation, "%zu", i);
        (void)snprintf(answer, sizeof answer,
                       "{\"data\":%s,\"errors\":[{\"type\":\"RATE_LIMITED\"}]}", cases[i].data);
        (void)snprintf(body, sizeof body, "{\"query\":\"%s\"}", cases[i].query);
        fixture.graphql = answer;
        fixture_fill(&fixture, &asked, "POST", "/graphql", body);
        asked.request.installation = installation;
        ask(&asked);
        expect_outcome(&asked, cases[i].outcome, "");
        broker_request_finish(&asked.request);
    }
    assert_int_equal(fixture.requests, sizeof cases / sizeof *cases);
}

static void expect_kept(const char *installation, const char *accept, const char *body) {
    struct asked asked;
    fixture_fill(&fixture, &asked, "GET", "/kept/0", NULL);
    asked.request.installation = installation;
    asked.request.more_headers = accept;
    ask(&asked);
    expect_outcome(&asked, 0, "");
    assert_int_equal(asked.request.status, 200);
    assert_string_equal(asked.request.response.data, body);
    assert_non_null(strstr(asked.request.headers.data, "etag: W/\""));
    broker_request_finish(&asked.request);
}

static void an_unchanged_response_comes_from_the_cache(void **state) {
    (void)state;
    fixture.edition = 1;
    expect_kept("1", NULL, "{\"token\":1,\"edition\":1}");
    expect_kept("1", NULL, "{\"token\":1,\"edition\":1}");
    assert_int_equal(fixture.unchanged, 1);
    fixture.edition = 2;
    expect_kept("1", NULL, "{\"token\":1,\"edition\":2}");
    expect_kept("1", NULL, "{\"token\":1,\"edition\":2}");
    assert_int_equal(fixture.unchanged, 2);
    assert_int_equal(fixture.requests, 4);
}

static void installations_never_share_a_cached_response(void **state) {
    (void)state;
    fixture.edition = 1;
    expect_kept("1", NULL, "{\"token\":1,\"edition\":1}");
    expect_kept("2", NULL, "{\"token\":2,\"edition\":1}");
    expect_kept("2", NULL, "{\"token\":2,\"edition\":1}");
    expect_kept("1", NULL, "{\"token\":1,\"edition\":1}");
    assert_int_equal(fixture.unchanged, 2);
    assert_int_equal(fixture.requests, 4);
}

static void a_cached_response_leaves_with_its_token(void **state) {
    (void)state;
    fixture.edition = 1;
    /* Less than a minute: a new one each time. */
    fixture.token_life_s = 30;
    expect_kept("1", NULL, "{\"token\":1,\"edition\":1}");
    expect_kept("1", NULL, "{\"token\":2,\"edition\":1}");
    assert_int_equal(fixture.unchanged, 0);
}

static struct http_transfer kept_of(size_t bytes) {
    struct http_transfer transfer;
    http_transfer_init(&transfer, bytes + 1, false);
    transfer.status = 200;
    (void)buffer_append_text(&transfer.headers, "etag: \"x\"\n");
    (void)buffer_reserve(&transfer.response, bytes);
    transfer.response.bytes = bytes;
    return transfer;
}

static void the_etag_cache_is_bounded_and_evicts_the_least_recently_used(void **state) {
    (void)state;
    static const char *const urls[] = {"/a", "/b", "/c"};
    struct etag_cache *etags = etag_cache_new(2500);
    struct etag_key keys[3];
    for (size_t i = 0; i < 3; i++) {
        keys[i] = (struct etag_key){7, urls[i], "", "v"};
        struct http_transfer transfer = kept_of(700);
        if (i == 2) {
            /* Used: /b is older now. */
            assert_non_null(etag_cache_tag(etags, &keys[0]));
        }
        etag_cache_store(etags, &keys[i], &transfer);
        http_transfer_finish(&transfer);
    }
    assert_non_null(etag_cache_tag(etags, &keys[0]));
    assert_null(etag_cache_tag(etags, &keys[1]));
    assert_non_null(etag_cache_tag(etags, &keys[2]));
    assert_true(etag_cache_stats(etags).bytes <= 2500);
    struct http_transfer failed = kept_of(1);
    failed.status = 502;
    etag_cache_store(etags, &keys[0], &failed); /* it passes */
    assert_non_null(etag_cache_tag(etags, &keys[0]));
    http_transfer_finish(&failed);
    struct etag_key too_large = {7, "/too-large", "", "v"};
    /* The transport leaves it like this. */
    struct http_transfer given_up = kept_of(0);
    given_up.outcome = SNEK_E_TOO_LARGE;
    etag_cache_store(etags, &too_large, &given_up);
    assert_null(etag_cache_tag(etags, &too_large));
    http_transfer_finish(&given_up);
    keys[0].accept = "other";
    assert_null(etag_cache_tag(etags, &keys[0]));
    etag_cache_drop(etags, 7);
    assert_int_equal(etag_cache_stats(etags).count, 0);
    assert_int_equal(etag_cache_stats(etags).bytes, 0);
    struct http_transfer large = kept_of(ETAG_CACHE_RESPONSE_MAX + 1);
    etag_cache_store(etags, &keys[1], &large);
    assert_null(etag_cache_tag(etags, &keys[1]));
    http_transfer_finish(&large);
    etag_cache_free(etags);
}

static void redirects_within_the_origin_are_followed_where_the_method_stays(void **state) {
    (void)state;
    static const struct {
        const char *method, *url;
        int32_t outcome;
        int status, requests;
    } cases[] = {
        {"GET", "/to/301/ok", 0, 200, 2},
        {"GET", "/to/302/to/307/ok", 0, 200, 3},
        {"GET", "/to/308/ok", 0, 200, 2},
        {"PUT", "/to/307/ok", 0, 200, 2},
        {"POST", "/to/308/ok", 0, 200, 2},
        {"POST", "/to/301/ok", SNEK_E_SERVER, 301, 1},
        {"GET", "/to/301//evil.example/ok", SNEK_E_FOREIGN_ORIGIN, 301, 1},
        {"GET", "/to/301/app", SNEK_E_FOREIGN_ORIGIN, 301, 1},
        {"GET", "/to/301/to/301/to/301/to/301/to/301/to/301/ok", SNEK_E_SERVER, 301, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        int before = fixture.requests;
        bool body = cases[i].method[0] == 'P';
        fixture_ask(&fixture, &asked, cases[i].method, cases[i].url, body ? "{\"a\":1}" : NULL);
        expect_outcome(&asked, cases[i].outcome, "");
        assert_int_equal(asked.request.status, cases[i].status);
        assert_int_equal(fixture.requests - before, cases[i].requests);
        if (cases[i].outcome) {
            assert_non_null(strstr(asked.request.headers.data, "location: /"));
        } else {
            assert_string_equal(fixture.last_body, body ? "{\"a\":1}" : "");
        }
        broker_request_finish(&asked.request);
    }
}

static void a_head_has_no_body(void **state) {
    (void)state;
    struct asked asked;
    fixture_ask(&fixture, &asked, "HEAD", "/head", NULL);
    expect_outcome(&asked, 0, "");
    assert_int_equal(asked.request.response.bytes, 0);
    assert_non_null(strstr(asked.request.headers.data, "content-length: 5\n"));
    broker_request_finish(&asked.request);
}

static void a_token_may_reach_one_repository_only(void **state) {
    (void)state;
    struct asked asked;
    for (int i = 0; i < 3; i++) {
        fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
        asked.request.repository = i == 1 ? "sneks/terra\"rium" : "";
        ask(&asked);
        expect_outcome(&asked, 0, "");
        broker_request_finish(&asked.request);
        assert_string_equal(fixture.token_body,
                            i == 0 ? "{\"permissions\":{\"members\":\"write\"}}"
                                   : "{\"permissions\":{\"members\":\"write\"},\"repositories\":["
                                     "\"terra\\\"rium\"]}");
    }
    assert_int_equal(fixture.last_token_id, 2);
    fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
    asked.request.repository = "terrarium";
    ask(&asked);
    expect_outcome(&asked, SNEK_E_INVALID, "owner/name");
}

static void a_token_of_another_owners_repository_is_not_used(void **state) {
    (void)state;
    static const char *const others[] = {"sneks/terrarium", "stranger/terrarium2",
                                         "strange/terrarium", "stranger\\/terrariu\\u006D"};
    struct asked asked;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bool same = i == 3; /* written otherwise */
        for (int round = 0; round < 2; round++) {
            fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
            asked.request.repository = "Stranger/Terrarium";
            fixture.reaches = others[i];
            ask(&asked);
            expect_outcome(&asked, same ? 0 : SNEK_E_VALIDATION,
                           same ? "" : "does not reach the repository Stranger/Terrarium");
            assert_int_equal(asked.request.status, same ? 200 : 0);
            broker_request_finish(&asked.request);
        }
    }
    /* Nothing is kept of what is not used. */
    assert_int_equal(fixture.token_asks, 3 * 2 + 1);
    assert_int_equal(fixture.requests, 2);
}

static void a_limit_that_always_ends_at_once_defers_the_run_in_the_end(void **state) {
    (void)state;
    struct asked asked;
    int64_t began_ms = clock_monotonic_ms();
    fixture.flaky = 100;
    fixture_ask(&fixture, &asked, "PUT", "/flaky/0", "{}");
    expect_outcome(&asked, SNEK_E_REQUEUE, "PUT /flaky/0 answered 429");
    assert_in_range(asked.request.not_before_ms - clock_wall_ms(), 50000, 60000);
    assert_false(asked.request.sent);
    assert_int_equal(fixture.requests, 11);
    assert_true(clock_monotonic_ms() - began_ms >= 9900); /* a second each */
    broker_request_finish(&asked.request);
}

static void a_5xx_with_a_time_is_retried_after_it(void **state) {
    (void)state;
    struct asked asked;
    fixture.flaky = 1;
    fixture_ask(&fixture, &asked, "GET", "/flaky/503-after", NULL);
    assert_int_equal(asked.request.outcome, 0);
    assert_int_equal(fixture.requests, 2);
    assert_true(atomic_load(&asked.request.waited.total_ms) >= 900);
    broker_request_finish(&asked.request);
    fixture.flaky = 1;
    fixture_ask(&fixture, &asked, "PUT", "/flaky/503-after", "{}");
    assert_int_equal(asked.request.outcome, SNEK_E_SERVER);
    assert_int_equal(fixture.requests, 3);
    broker_request_finish(&asked.request);
}

static void an_allowed_plugin_acts_as_the_app_with_a_jwt(void **state) {
    (void)state;
    struct asked asked;
    fixture_fill(&fixture, &asked, "GET", "/app", NULL);
    asked.request.app_requests = true;
    ask(&asked);
    expect_outcome(&asked, 0, "");
    assert_non_null(strstr(asked.request.response.data, "\"slug\":\"snek-o\""));
    broker_request_finish(&asked.request);
    assert_int_equal(fixture.last_token_id, 0);
    assert_int_equal(fixture.app_asks, 1);
}

static void only_the_host_creates_or_revokes_tokens(void **state) {
    (void)state;
    static const char *const questions[][2] = {
        {"POST", "/app/installations/42/access_tokens"},
        {"POST", "/app/installations/42/access_tokens/"},
        {"POST", "/app//installations/42//access_tokens?a=b"},
        {"POST", "/App/Installations/42/Access_Tokens"},
        {"POST", "/app/installations/42/%61ccess%5ftokens"},
        {"POST", "/app/installations%2F42%2faccess_tokens"},
        {"POST", "/app%5Cinstallations/42/access_tokens"},
        {"POST", "/app/installations/42/access_tokens.json"},
        {"POST", "/app/installations/42/access_tokens;a=b"},
        {"PUT", "/app/installations/42/access_tokens"},
        {"DELETE", "/installation/token"},
        {"DELETE", "/installation//token/"},
        {"DELETE", "/installation/%74oken"},
    };
    struct asked asked;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        fixture_fill(&fixture, &asked, questions[i][0], questions[i][1], NULL);
        asked.request.app_requests = true;
        ask(&asked);
        expect_outcome(&asked, SNEK_E_FORBIDDEN, "tokens are the host's");
        assert_false(asked.request.sent);
    }
    assert_int_equal(fixture.token_asks + fixture.requests, 0);
    fixture_ask(&fixture, &asked, "POST", "/to/307/installation/token", "{}");
    expect_outcome(&asked, SNEK_E_FORBIDDEN, "it leads to the host's tokens");
    assert_int_equal(fixture.requests, 1);
    broker_request_finish(&asked.request);
    fixture_ask(&fixture, &asked, "GET", "/ok/installation/token", NULL);
    expect_outcome(&asked, 0, "");
    broker_request_finish(&asked.request);
}

static void leftovers_of_another_response_do_not_count_as_this_one(void **state) {
    (void)state;
    static const struct {
        const char *method;
        int32_t outcome;
        int requests;
    } cases[] = {{"GET", 0, 2}, {"PUT", SNEK_E_NETWORK, 1}};
    struct asked asked;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_ask(&fixture, &asked, "GET", "/ok", NULL); /* whose connection is kept */
        broker_request_finish(&asked.request);
        int before = fixture.requests;
        fixture.flaky = 1;
        fixture_ask(&fixture, &asked, cases[i].method, "/flaky/surplus", NULL);
        expect_outcome(&asked, cases[i].outcome, "");
        assert_int_equal(fixture.requests - before, cases[i].requests);
        broker_request_finish(&asked.request);
    }
    /* On connections of its own, too. */
    fixture.flaky = 100;
    fixture_ask(&fixture, &asked, "GET", "/flaky/surplus", NULL);
    expect_outcome(&asked, SNEK_E_SERVER, "");
    broker_request_finish(&asked.request);
}

static void a_request_without_a_response_is_logged_with_its_reason(void **state) {
    (void)state;
    static const char *const questions[][2] = {{"POST", "https://me:pass@evil.example/a?key=b"},
                                               {"TRACE\nx", "/ok"},
                                               {"PUT", "/app/x"},
                                               {"GET", "/hang-up"},
                                               {"GET", "/status/404"}};
    static const char *const lines[] = {
        " method=POST url=evil.example/a status=0 reason=\"the URL evil.example/a cannot be asked",
        " method=\"TRACE x\" url=/ok status=0 reason=\"the method is none of",
        " method=PUT url=/app/x status=0 reason=\"PUT /app/x: plugin invite may make no requests",
        " method=GET url=/hang-up status=0 reason=\"GET /hang-up got no complete response: ",
        " method=GET url=/status/404 status=404 ms="};
    fixture_start(&fixture, 20000);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct asked asked;
        fixture_ask(&fixture, &asked, questions[i][0], questions[i][1], NULL);
        assert_true(asked.request.outcome < 0);
        broker_request_finish(&asked.request);
    }
    fixture_stop(&fixture);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!strstr(fixture.log, lines[i])) {
            fail_msg("no '%s' in:\n%s", lines[i], fixture.log);
        }
    }
    assert_null(strstr(fixture.log, "pass"));
    assert_null(strstr(fixture.log, "key"));
    free(fixture.log);
}

static void one_line_is_logged_for_each_request(void **state) {
    (void)state;
    static const char *const expected[] = {
        "level=info msg=request method=PUT url=/ok status=200 ms=",
        " plugin=invite delivery=72d3162e installation=42 attempt=1\n",
        " msg=token installation=42 permissions="};
    struct asked asked;
    fixture_start(&fixture, 20000);
    fixture_fill(&fixture, &asked, "PUT", "/ok?secret=1", NULL);
    ask(&asked);
    broker_request_finish(&asked.request);
    fixture_fill(&fixture, &asked, "GET", "/revoked/1", NULL);
    ask(&asked);
    broker_request_finish(&asked.request);
    fixture_stop(&fixture);
    unsigned lines = 0;
    for (const char *at = fixture.log; (at = strstr(at, " msg=request ")); at++) {
        lines++;
    }
    assert_int_equal(lines, 2);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_non_null(strstr(fixture.log, expected[i]));
    }
    assert_null(strstr(fixture.log, "secret"));
    free(fixture.log);
}

#define REQUEST_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

static void large_responses_of_one_plugin_arrive_one_after_another(void **state) {
    (void)state;
    static struct asked asked[8];
    char urls[8][40];
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(urls[i], sizeof urls[i], "/kept/3000000/%zu", i);
        fixture_fill(&fixture, &asked[i], "GET", urls[i], NULL);
        broker_submit(fixture.broker, &asked[i].request);
    }
    fixture_wait(&fixture, asked, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(asked[i].request.outcome, 0);
        assert_true(asked[i].request.response.bytes >= 3000000);
        broker_request_finish(&asked[i].request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        REQUEST_TEST(headers_and_media_types_go_along),
        REQUEST_TEST(a_malformed_header_or_one_of_the_hosts_is_rejected),
        REQUEST_TEST(errors_of_graphql_are_errors_though_they_come_with_a_200),
        REQUEST_TEST(a_mutation_that_reached_a_limit_half_way_is_not_sent_again),
        REQUEST_TEST(an_unchanged_response_comes_from_the_cache),
        REQUEST_TEST(installations_never_share_a_cached_response),
        REQUEST_TEST(a_cached_response_leaves_with_its_token),
        cmocka_unit_test(the_etag_cache_is_bounded_and_evicts_the_least_recently_used),
        REQUEST_TEST(redirects_within_the_origin_are_followed_where_the_method_stays),
        REQUEST_TEST(a_head_has_no_body),
        REQUEST_TEST(large_responses_of_one_plugin_arrive_one_after_another),
        REQUEST_TEST(a_token_may_reach_one_repository_only),
        REQUEST_TEST(a_token_of_another_owners_repository_is_not_used),
        REQUEST_TEST(a_limit_that_always_ends_at_once_defers_the_run_in_the_end),
        REQUEST_TEST(a_5xx_with_a_time_is_retried_after_it),
        REQUEST_TEST(leftovers_of_another_response_do_not_count_as_this_one),
        cmocka_unit_test(a_request_without_a_response_is_logged_with_its_reason),
        cmocka_unit_test(one_line_is_logged_for_each_request),
        REQUEST_TEST(an_allowed_plugin_acts_as_the_app_with_a_jwt),
        REQUEST_TEST(only_the_host_creates_or_revokes_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
