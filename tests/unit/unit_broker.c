/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker: tokens, JWTs, outcomes and bounds, against a fake supervisor and a fake GitHub. */
#include "broker_fixture.h"

#include "base/clock.h"
#include "broker/retry.h"
#include "protocol/frames.h"

#include <snekomatic/types.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 20000

static struct fixture fixture;

static int start(void **state) {
    (void)state;
    fixture_start(&fixture, TIMEOUT_MS);
    return 0;
}

static int start_hasty(void **state) {
    (void)state;
    fixture_start(&fixture, 300);
    return 0;
}

static int stop(void **state) {
    (void)state;
    fixture_stop(&fixture);
    free(fixture.log);
    return 0;
}

static void expect_text(const char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("'%s' lacks '%s'", text, part);
    }
}

/* Asks, compares the outcome and a part of the sentence, and forgets. */
static void expect(const char *method, const char *url, int32_t outcome, int32_t status,
                   const char *part) {
    struct asked asked;
    fixture_ask(&fixture, &asked, method, url, NULL);
    if (asked.request.outcome != outcome || asked.request.status != status) {
        fail_msg("%s %s: outcome %d, status %d: %s", method, url, asked.request.outcome,
                 asked.request.status, asked.request.error.text);
    }
    expect_text(asked.request.error.text, part);
    broker_request_finish(&asked.request);
}

static void a_response_comes_back_whole(void **state) {
    (void)state;
    struct asked asked;
    fixture_ask(&fixture, &asked, "GET", "/ok?per_page=100", NULL);
    assert_int_equal(asked.request.outcome, 0);
    assert_int_equal(asked.request.status, 200);
    assert_string_equal(asked.request.response.data, "{\"ok\":true}");
    expect_text(asked.request.headers.data, "x-odd: a b\nlink: <x>; rel=\"next\"\n");
    expect_text(asked.request.headers.data, "content-type: application/json\n");
    broker_request_finish(&asked.request);
}

static void every_method_is_sent_with_its_body_or_without(void **state) {
    (void)state;
    static const char *const methods[] = {"PUT", "POST", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct asked asked;
        expect(methods[i], "/ok", 0, 200, "");
        fixture_ask(&fixture, &asked, methods[i], "/ok", "{\"role\":\"member\"}");
        assert_int_equal(asked.request.outcome, 0);
        assert_string_equal(fixture.last_body, "{\"role\":\"member\"}");
        broker_request_finish(&asked.request);
    }
    AUTO_FREE char *large = malloc(3000001);
    memset(large, ' ', 3000000);
    large[3000000] = '\0';
    struct asked asked;
    fixture_ask(&fixture, &asked, "POST", "/ok", large);
    assert_int_equal(asked.request.outcome, 0);
    broker_request_finish(&asked.request);
}

static void a_malformed_request_is_rejected(void **state) {
    (void)state;
    expect("TRACE", "/ok", SNEK_E_INVALID, 0, "the method is none of");
    expect("get", "/ok", SNEK_E_INVALID, 0, "the method is none of");
    struct asked asked;
    fixture_ask(&fixture, &asked, "GET", "/ok", "{}");
    assert_int_equal(asked.request.outcome, SNEK_E_INVALID);
    fixture_fill(&fixture, &asked, "GET", "/ok", NULL);
    asked.request.installation = "";
    broker_submit(fixture.broker, &asked.request);
    fixture_wait(&fixture, &asked, 1);
    assert_int_equal(asked.request.outcome, SNEK_E_INVALID);
    assert_int_equal(fixture.last_token_id, 0);
}

#define MANY 50

static void fifty_requests_at_once_share_one_token_request(void **state) {
    (void)state;
    static struct asked asked[MANY];
    for (size_t i = 0; i < MANY; i++) {
        fixture_fill(&fixture, &asked[i], "GET", "/ok", NULL);
        broker_submit(fixture.broker, &asked[i].request);
    }
    fixture_wait(&fixture, asked, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(asked[i].request.outcome, 0);
        broker_request_finish(&asked[i].request);
    }
    assert_int_equal(fixture.token_asks, 1);
    assert_int_equal(fixture.jwts, 1);
    assert_int_equal(fixture.requests, MANY);
}

static void a_plugin_with_hundreds_waiting_lets_others_in_between(void **state) {
    (void)state;
    enum { CROWD = 600 };
    static struct asked crowd[CROWD];
    struct asked other;
    for (size_t i = 0; i < CROWD; i++) {
        fixture_fill(&fixture, &crowd[i], "GET", "/ok", NULL);
        broker_submit(fixture.broker, &crowd[i].request);
    }
    fixture_fill(&fixture, &other, "GET", "/ok", NULL);
    other.request.plugin = "ping";
    broker_submit(fixture.broker, &other.request);
    fixture_wait(&fixture, &other, 1);
    size_t before = 0;
    for (size_t i = 0; i < CROWD; i++) {
        before += crowd[i].done;
    }
    assert_in_range(before, 0, CROWD - 200);
    fixture_wait(&fixture, crowd, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        broker_request_finish(&crowd[i].request);
    }
    broker_request_finish(&other.request);
}

static void ask_as(const char *installation, const char *permissions, struct asked *asked) {
    fixture_fill(&fixture, asked, "GET", "/ok", NULL);
    asked->request.installation = installation;
    asked->request.permissions = permissions;
    broker_submit(fixture.broker, &asked->request);
    fixture_wait(&fixture, asked, 1);
}

static void permissions_and_installation_go_to_github_as_they_are(void **state) {
    (void)state;
    static const struct {
        const char *installation, *permissions, *target, *body;
    } cases[] = {
        {"42", "{\"issues\":\"write\",\"members\":\"write\"}",
         "/app/installations/42/access_tokens",
         "{\"permissions\":{\"issues\":\"write\",\"members\":\"write\"}}"},
        {"xy zz/y?#\xC3\xA9", "{\"members\":\"read\"}",
         "/app/installations/xy%20zz%2Fy%3F%23%C3%A9/access_tokens",
         "{\"permissions\":{\"members\":\"read\"}}"},
        {"7", "{}", "/app/installations/7/access_tokens",
         "{\"permissions\":{\"metadata\":\"read\"}}"},
        {"8", NULL, "/app/installations/8/access_tokens",
         "{\"permissions\":{\"metadata\":\"read\"}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        ask_as(cases[i].installation, cases[i].permissions, &asked);
        assert_int_equal(asked.request.outcome, 0);
        assert_string_equal(fixture.token_target, cases[i].target);
        assert_string_equal(fixture.token_body, cases[i].body);
        broker_request_finish(&asked.request);
    }
    assert_int_equal(fixture.token_asks, 4);
}

static void an_installation_cannot_lead_to_another_path(void **state) {
    (void)state;
    struct asked asked;
    ask_as("..", "{\"members\":\"write\"}", &asked);
    assert_int_equal(asked.request.outcome, SNEK_E_FOREIGN_ORIGIN);
    assert_int_equal(fixture.token_asks, 0);
}

static void tokens_are_kept_apart_by_installation_and_permissions(void **state) {
    (void)state;
    static const char *const asks[][2] = {{"1", "{\"members\":\"write\"}"},
                                          {"2", "{\"members\":\"write\"}"},
                                          {"1", "{\"members\":\"read\"}"}};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3; i++) {
            struct asked asked;
            ask_as(asks[i][0], asks[i][1], &asked);
            assert_int_equal(asked.request.outcome, 0);
            broker_request_finish(&asked.request);
        }
    }
    assert_int_equal(fixture.token_asks, 3);
}

static void the_token_used_least_recently_is_dropped(void **state) {
    (void)state;
    enum { KEPT = 4096, BATCH = 64 };
    static struct asked asked[BATCH];
    static char names[BATCH][16];
    fixture.mint_ms = 0;
    for (int at = 0; at < KEPT; at += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            fixture_fill(&fixture, &asked[i], "GET", "/ok", NULL);
            (void)snprintf(names[i], sizeof names[i], "n%d", at + i);
            asked[i].request.installation = names[i];
            broker_submit(fixture.broker, &asked[i].request);
        }
        fixture_wait(&fixture, asked, BATCH);
        for (int i = 0; i < BATCH; i++) {
            assert_int_equal(asked[i].request.outcome, 0);
            broker_request_finish(&asked[i].request);
        }
    }
    assert_int_equal(fixture.token_asks, KEPT);
    static const struct {
        const char *installation;
        int asks;
    } then[] = {{"n0", 0}, {"one-more", 1}, {"n0", 1}, {"n1", 2}};
    for (size_t i = 0; i < sizeof then / sizeof *then; i++) {
        struct asked one;
        ask_as(then[i].installation, "{\"members\":\"write\"}", &one);
        broker_request_finish(&one.request);
        assert_int_equal(fixture.token_asks, KEPT + then[i].asks);
    }
}

static void a_token_is_renewed_a_minute_before_it_expires(void **state) {
    (void)state;
    static const struct {
        int life_s, clock_off_s, last_token_id;
    } cases[] = {{3600, 0, 1}, {70, 0, 1}, {60, 0, 2}, {30, 0, 2}, {60, 600, 2}, {70, -600, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char installation[16];
        (void)snprintf(installation, sizeof installation, "i%zu", i);
        fixture.token_life_s = cases[i].life_s;
        /* The life is by GitHub's clock. */
        fixture.clock_off_s = cases[i].clock_off_s;
        int before = fixture.last_token_id;
        for (int again = 0; again < 2; again++) {
            struct asked asked;
            ask_as(installation, "{\"members\":\"write\"}", &asked);
            assert_int_equal(asked.request.outcome, 0);
            broker_request_finish(&asked.request);
        }
        assert_int_equal(fixture.last_token_id - before, cases[i].last_token_id);
    }
}

static void a_token_that_github_rejects_is_replaced_once(void **state) {
    (void)state;
    expect("GET", "/ok", 0, 200, "");
    expect("GET", "/revoked/1", 0, 200, "");
    assert_int_equal(fixture.last_token_id, 2);
    expect("GET", "/status/401", SNEK_E_FORBIDDEN, 401, "GET /status/401 answered 401: So it is");
    assert_int_equal(fixture.last_token_id, 3);
}

static void a_fresh_token_that_github_does_not_know_yet_is_waited_out(void **state) {
    (void)state;
    expect("POST", "/unknown-yet/2", 0, 200, "");
    assert_int_equal(fixture.last_token_id, 1);
    assert_int_equal(fixture.requests, 3);
}

static void many_that_were_rejected_with_one_token_share_the_next(void **state) {
    (void)state;
    static struct asked asked[MANY];
    expect("GET", "/ok", 0, 200, "");
    for (size_t i = 0; i < MANY; i++) {
        fixture_fill(&fixture, &asked[i], "GET", "/revoked/1", NULL);
        broker_submit(fixture.broker, &asked[i].request);
    }
    fixture_wait(&fixture, asked, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(asked[i].request.outcome, 0);
        broker_request_finish(&asked[i].request);
    }
    assert_int_equal(fixture.last_token_id, 2);
}

static void a_late_rejection_does_not_cost_the_next_token(void **state) {
    (void)state;
    struct asked asked[2];
    expect("GET", "/ok", 0, 200, "");
    fixture_fill(&fixture, &asked[0], "GET", "/revoked/1/late", NULL);
    fixture_fill(&fixture, &asked[1], "GET", "/revoked/1", NULL);
    broker_submit(fixture.broker, &asked[0].request);
    broker_submit(fixture.broker, &asked[1].request);
    fixture_wait(&fixture, asked, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(asked[i].request.outcome, 0);
        broker_request_finish(&asked[i].request);
    }
    assert_int_equal(fixture.last_token_id, 2);
}

static void a_fresh_token_that_is_rejected_again_and_again_is_replaced_once(void **state) {
    (void)state;
    expect("PUT", "/status/401", SNEK_E_FORBIDDEN, 401, "PUT /status/401 answered 401");
    assert_int_equal(fixture.last_token_id, 2);
    assert_int_equal(fixture.requests, 6);
}

static void a_rejected_token_is_explained(void **state) {
    (void)state;
    static const struct {
        const char *installation;
        int32_t outcome;
        const char *part;
    } cases[] = {
        {"not-granted", SNEK_E_NOT_GRANTED,
         "plugin invite declares the permissions {\"members\":\"write\"}, which installation "
         "not-granted does not grant: add them to the App's settings"},
        {"gone", SNEK_E_FORBIDDEN, "the app is not installed there any more"},
        {"wrong-key", SNEK_E_FORBIDDEN, "check the app id, the private key"},
        {"senseless", SNEK_E_SERVER, "without a token that can be used"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        ask_as(cases[i].installation, "{\"members\":\"write\"}", &asked);
        assert_int_equal(asked.request.outcome, cases[i].outcome);
        assert_int_equal(asked.request.installation_gone,
                         strcmp(cases[i].installation, "gone") == 0);
        /* It is not the request's own: a plugin takes its 404 for "no member". */
        assert_int_equal(asked.request.status, 0);
        expect_text(asked.request.error.text, cases[i].part);
        broker_request_finish(&asked.request);
    }
    assert_int_equal(fixture.requests, 0);
}

static void every_status_has_its_outcome(void **state) {
    (void)state;
    static const struct {
        const char *how;
        int32_t status, outcome;
        const char *part;
    } cases[] = {
        {"200", 200, 0, ""},
        {"201", 201, 0, ""},
        {"204", 204, 0, ""},
        {"299", 299, 0, ""},
        {"301", 301, SNEK_E_FOREIGN_ORIGIN, "answered 301, a redirect that is not followed"},
        {"302", 302, SNEK_E_FOREIGN_ORIGIN, "answered 302, a redirect that is not followed"},
        {"307", 307, SNEK_E_FOREIGN_ORIGIN, "answered 307, a redirect that is not followed"},
        {"400", 400, SNEK_E_VALIDATION, "answered 400: So it is"},
        {"403", 403, SNEK_E_FORBIDDEN, "GET /status/403 answered 403: So it is"},
        {"404", 404, SNEK_E_NOT_FOUND, "answered 404"},
        {"409", 409, SNEK_E_VALIDATION, "answered 409"},
        {"410", 410, SNEK_E_NOT_FOUND, "answered 410"},
        {"405", 405, SNEK_E_VALIDATION, "answered 405"},
        {"406", 406, SNEK_E_VALIDATION, "answered 406"},
        {"413", 413, SNEK_E_VALIDATION, "answered 413"},
        {"415", 415, SNEK_E_VALIDATION, "answered 415"},
        {"418", 418, SNEK_E_VALIDATION, "answered 418"},
        {"423", 423, SNEK_E_VALIDATION, "answered 423"},
        {"451", 451, SNEK_E_VALIDATION, "answered 451"},
        {"404-html", 404, SNEK_E_SERVER,
         "answered 404 without GitHub's JSON: check github.api_url"},
        {"403-html", 403, SNEK_E_SERVER, "ends with /api/v3"},
        {"422-errors", 422, SNEK_E_VALIDATION,
         "answered 422: Validation Failed (name: already_exists; body is?too long; no)"},
        {"500", 500, SNEK_E_SERVER, "answered 500"},
        {"502-html", 502, SNEK_E_SERVER, "GET /status/502-html answered 502"},
        {"503", 503, SNEK_E_SERVER, "answered 503"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[64];
        (void)snprintf(url, sizeof url, "/status/%s", cases[i].how);
        expect("GET", url, cases[i].outcome, cases[i].status, cases[i].part);
    }
}

static void a_rate_limit_defers_the_run(void **state) {
    (void)state;
    static const struct {
        const char *how;
        int64_t wait_ms;
    } cases[] = {{"403-after", 60000},   {"403-empty", 60000}, {"403-message", 60000},
                 {"403-reset", 3601000}, {"429", 60000},       {"429-after", 60000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[64];
        struct asked asked;
        (void)snprintf(url, sizeof url, "/status/%s", cases[i].how);
        fixture_fill(&fixture, &asked, "PUT", url, NULL);
        asked.request.installation = cases[i].how;
        int64_t before_ms = clock_wall_ms();
        broker_submit(fixture.broker, &asked.request);
        fixture_wait(&fixture, &asked, 1);
        assert_int_equal(asked.request.outcome, SNEK_E_REQUEUE);
        expect_text(asked.request.error.text, "rate limit");
        int64_t wait_ms = asked.request.not_before_ms - before_ms;
        assert_in_range(wait_ms, cases[i].wait_ms - 2500, cases[i].wait_ms + 2500);
        broker_request_finish(&asked.request);
    }
    assert_int_equal(fixture.requests, 6);
    /* Each waits by itself. */
    expect("GET", "/ok", 0, 200, "");
}

static void the_broker_waits_for_a_short_rate_limit(void **state) {
    (void)state;
    struct asked asked;
    fixture_ask(&fixture, &asked, "POST", "/limited/1", "{}");
    assert_int_equal(asked.request.outcome, 0);
    assert_int_equal(fixture.requests, 2);
    assert_true(atomic_load(&asked.request.waited.total_ms) >= 900);
    assert_int_equal(atomic_load(&asked.request.waited.since_ms), 0);
    broker_request_finish(&asked.request);
}

static void a_temporary_failure_is_retried_where_nothing_can_happen_twice(void **state) {
    (void)state;
    static const struct {
        const char *method, *url, *body;
        int32_t outcome;
        int requests;
    } cases[] = {
        {"GET", "/flaky/502", NULL, 0, 2},
        {"GET", "/flaky/hang-up", NULL, 0, 2},
        {"GET", "/flaky/cut", NULL, 0, 2},
        {"POST", "/graphql", "{\"query\":\"query { flaky }\"}", 0, 2},
        {"POST", "/graphql", "{\"query\":\"mutation { flaky }\"}", SNEK_E_SERVER, 1},
        {"PUT", "/flaky/502", NULL, SNEK_E_SERVER, 1},
        {"POST", "/flaky/hang-up", "{}", SNEK_E_NETWORK, 1},
        {"DELETE", "/flaky/502", NULL, SNEK_E_SERVER, 1},
        {"GET", "/status/500", NULL, SNEK_E_SERVER, RETRY_TRIES_MAX},
        {"GET", "/status/501", NULL, SNEK_E_SERVER, 1},
        {"GET", "/status/404", NULL, SNEK_E_NOT_FOUND, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        int before = fixture.requests;
        fixture.flaky = 1;
        fixture_ask(&fixture, &asked, cases[i].method, cases[i].url, cases[i].body);
        if (asked.request.outcome != cases[i].outcome ||
            fixture.requests - before != cases[i].requests) {
            fail_msg("case %zu: outcome %d, %d requests: %s", i, asked.request.outcome,
                     fixture.requests - before, asked.request.error.text);
        }
        broker_request_finish(&asked.request);
    }
}

static void a_404_for_an_announced_url_is_retried_once(void **state) {
    (void)state;
    for (int announced = 0; announced < 2; announced++) {
        struct asked asked;
        fixture.flaky = 1;
        fixture_fill(&fixture, &asked, "POST", "/flaky/404", "{}");
        asked.request.announced = announced;
        broker_submit(fixture.broker, &asked.request);
        fixture_wait(&fixture, &asked, 1);
        assert_int_equal(asked.request.outcome, announced ? 0 : SNEK_E_NOT_FOUND);
        broker_request_finish(&asked.request);
    }
}

static void a_drain_defers_waiting_requests(void **state) {
    (void)state;
    struct asked asked;
    fixture_fill(&fixture, &asked, "POST", "/limited/4", "{}");
    broker_submit(fixture.broker, &asked.request);
    while (atomic_load(&asked.request.waited.total_ms) == 0 &&
           (atomic_load(&asked.request.waited.since_ms) == 0 || fixture.requests == 0)) {
        (void)usleep(1000);
    }
    broker_drain(fixture.broker);
    fixture_wait(&fixture, &asked, 1);
    assert_int_equal(asked.request.outcome, SNEK_E_REQUEUE);
    expect_text(asked.request.error.text, "the host stops");
    broker_request_finish(&asked.request);
    expect("GET", "/limited/9", SNEK_E_REQUEUE, 0, "the host stops");
}

static void a_redirect_off_the_origin_is_handed_over_and_not_followed(void **state) {
    (void)state;
    struct asked asked;
    fixture_ask(&fixture, &asked, "GET", "/status/302", NULL);
    expect_text(asked.request.headers.data, "location: http://elsewhere.test/\n");
    assert_int_equal(fixture.requests, 1);
    broker_request_finish(&asked.request);
}

static void requests_as_the_app_are_rejected(void **state) {
    (void)state;
    static const char *const urls[] = {"/app",   "/app/installations",  "/APP/hook", "/app?x=1",
                                       "/%61pp", "/app%2Finstallations"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        expect("GET", urls[i], SNEK_E_FORBIDDEN, 0, "may make no requests as the app");
    }
    assert_int_equal(fixture.token_asks, 0);
    expect("GET", "/status/404/app", SNEK_E_NOT_FOUND, 404, "");
}

static void a_url_that_leads_away_costs_no_token(void **state) {
    (void)state;
    expect("GET", "https://evil.example/ok", SNEK_E_FOREIGN_ORIGIN, 0, "scheme differs");
    expect("GET", "//evil.example/ok", SNEK_E_FOREIGN_ORIGIN, 0, "two slashes");
    expect("GET", "http://x\r\nX-Evil: 1/", SNEK_E_FOREIGN_ORIGIN, 0, "percent-encoded");
    assert_int_equal(fixture.token_asks, 0);
    char url[128];
    (void)snprintf(url, sizeof url, "%s/ok", fixture.api_url);
    expect("GET", url, 0, 200, "");
}

static void a_response_that_is_too_large_is_given_up(void **state) {
    (void)state;
    expect("GET", "/endless", SNEK_E_TOO_LARGE, 200, "more than 8388608 bytes");
    expect("GET", "/announced", SNEK_E_TOO_LARGE, 200, "more than 8388608 bytes");
    expect("GET", "/headers", SNEK_E_TOO_LARGE, 200, "more than 65536 bytes of headers");
    expect("GET", "/continue", SNEK_E_TOO_LARGE, 100, "more than 65536 bytes of headers");
}

static void a_server_that_stalls_is_timed_out(void **state) {
    (void)state;
    expect("GET", "/silent", SNEK_E_TIMEOUT, 0, "GET /silent got no complete response: ");
    expect("GET", "/drip", SNEK_E_TIMEOUT, 0, "GET /drip got no complete response: ");
    expect("GET", "/ok", 0, 200, "");
}

static void a_broken_response_is_a_network_error(void **state) {
    (void)state;
    expect("GET", "/cut", SNEK_E_NETWORK, 0, "GET /cut got no complete response: ");
    expect("GET", "/reset", SNEK_E_NETWORK, 0, "GET /reset got no complete response: ");
    expect("GET", "/garbage", SNEK_E_SERVER, 0, "GET /garbage got no complete response: ");
}

static void libcurl_does_not_repeat_a_write(void **state) {
    (void)state;
    static const struct {
        const char *method, *body;
    } cases[] = {{"POST", "{\"body\":\"pong!\"}"},
                 {"POST", NULL},
                 {"PUT", "{}"},
                 {"PUT", NULL},
                 {"PATCH", "{}"},
                 {"DELETE", NULL},
                 {"DELETE", "{}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        /* Leaves a connection to be used again. */
        expect("GET", "/ok", 0, 200, "");
        int before = fixture.requests;
        fixture_ask(&fixture, &asked, cases[i].method, "/hang-up", cases[i].body);
        assert_int_equal(asked.request.outcome, SNEK_E_NETWORK);
        assert_int_equal(fixture.requests - before, 1);
        assert_true(asked.request.sent);
        expect_text(asked.request.error.text, "the connection broke before a response came");
        broker_request_finish(&asked.request);
    }
}

static void a_refused_connection_is_a_network_error(void **state) {
    (void)state;
    /* In the usual one's entry, with a port that nobody listens on. */
    struct broker_options options = {.api_url = "http://127.0.0.1:1/api/v3",
                                     .user_agent = "snekomatic/test",
                                     .supervisor_fd = fixture.supervisor_fds[0]};
    struct error err;
    broker_free(STEAL(fixture.broker));
    assert_int_equal(broker_new(&options, &fixture.broker, &err), 0);
    expect("GET", "/ok", SNEK_E_NETWORK, 0,
           "no token for installation 42: POST /app/installations/42/access_tokens got no");
}

/* The kernel drops what wants to connect to a listener whose queue is full, without a word. */
static void a_connection_that_nobody_accepts_is_given_up_in_time(void **state) {
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[4];
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    for (int i = 0; i < 4; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&address, length);
    }
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", (int)ntohs(address.sin_port));
    struct broker_options options = {.api_url = url,
                                     .user_agent = "snekomatic/test",
                                     .supervisor_fd = fixture.supervisor_fds[0],
                                     .request_timeout_ms = 300,
                                     .retry_first_ms = 1};
    struct error err;
    struct asked asked;
    broker_free(STEAL(fixture.broker));
    assert_int_equal(broker_new(&options, &fixture.broker, &err), 0);
    fixture_ask(&fixture, &asked, "GET", "/ok", NULL);
    assert_int_equal(asked.request.outcome, SNEK_E_TIMEOUT);
    assert_false(asked.request.sent);
    expect_text(asked.request.error.text, "access_tokens got no complete response: ");
    expect_text(asked.request.error.text, "onnect");
    broker_request_finish(&asked.request);
    for (int i = 0; i < 4; i++) {
        (void)close(waiting[i]);
    }
    (void)close(listener);
}

static void an_api_url_that_is_none_is_rejected(void **state) {
    (void)state;
    static const char *const urls[] = {"",   "api.github.com", "ftp://x",      "https://u:p@x/",
                                       "/x", "https://x/?q",   "https://x/#f", "https://x/../y"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct broker_options options = {.api_url = urls[i], .user_agent = "x"};
        struct broker *broker = NULL;
        struct error err;
        if (broker_new(&options, &broker, &err) != -1) {
            fail_msg("taken: %s", urls[i]);
        }
        expect_text(err.text, "the API's URL");
    }
}

static void a_lost_supervisor_is_reported_once(void **state) {
    (void)state;
    expect("GET", "/ok", 0, 200, "");
    (void)shutdown(fixture.supervisor_fds[1], SHUT_RDWR);
    for (int i = 0; i < 400 && fixture.lost == 0; i++) {
        (void)usleep(5000);
    }
    for (int i = 0; i < 2; i++) {
        struct asked asked;
        ask_as("43", "{\"members\":\"write\"}", &asked);
        assert_int_equal(asked.request.outcome, SNEK_E_FAILED);
        expect_text(asked.request.error.text, "no JWT from the supervisor: it is gone");
    }
    assert_int_equal(fixture.lost, 1);
}

static void a_supervisor_that_says_no_is_quoted(void **state) {
    (void)state;
    fixture.mood = SUPERVISOR_SAYS_NO;
    expect("GET", "/ok", SNEK_E_FAILED, 0, "no JWT from the supervisor: the key is asleep");
    fixture.mood = SUPERVISOR_ANSWERS;
    expect("GET", "/ok", 0, 200, "");
}

static void a_slow_supervisor_is_given_up_and_its_late_reply_dropped(void **state) {
    (void)state;
    fixture.mood = SUPERVISOR_WAITS;
    expect("GET", "/ok", SNEK_E_TIMEOUT, 0, "no JWT from the supervisor: it does not reply");
    expect("GET", "/ok", SNEK_E_TIMEOUT, 0, "no JWT from the supervisor: it does not reply");
    /* One question at a time. */
    assert_int_equal(fixture.jwts, 1);
    fixture.mood = SUPERVISOR_ANSWERS;
    expect("GET", "/ok", 0, 200, "");
    assert_int_equal(fixture.jwts, 2);
}

static void a_clock_that_is_off_is_corrected(void **state) {
    (void)state;
    static const int offs_s[] = {600, -600};
    for (int i = 0; i < 2; i++) {
        char installation[8];
        struct asked asked;
        fixture.clock_off_s = offs_s[i];
        (void)snprintf(installation, sizeof installation, "%d", i);
        ask_as(installation, "{\"members\":\"write\"}", &asked);
        assert_int_equal(asked.request.outcome, 0);
        assert_in_range(fixture.last_skew_s + 1000, 1000 + offs_s[i] - 2, 1000 + offs_s[i] + 2);
        broker_request_finish(&asked.request);
    }
    /* The fake counts those whose JWT it took. */
    assert_int_equal(fixture.token_asks, 2);
    assert_int_equal(fixture.jwts, 4);
}

static void a_clock_that_is_hopeless_is_not_followed(void **state) {
    (void)state;
    fixture.clock_off_s = 100000;
    expect("GET", "/ok", SNEK_E_FORBIDDEN, 0, "this machine's clock");
    assert_int_equal(fixture.last_skew_s, 3600);
    /* With the next key, which there is not, the first again. */
    assert_int_equal(fixture.jwts, 4);
}

static void requests_in_progress_at_the_end_are_cancelled(void **state) {
    (void)state;
    /* More than a plugin's 64 at once, so that some are still queued. */
    enum { STUCK = 150 };
    static struct asked asked[STUCK];
    expect("GET", "/ok", 0, 200, "");
    for (size_t i = 0; i < STUCK; i++) {
        fixture_fill(&fixture, &asked[i], "GET", "/silent", NULL);
        broker_submit(fixture.broker, &asked[i].request);
    }
    for (int i = 0; i < 2000 && fixture.requests < 65; i++) {
        (void)usleep(5000);
    }
    fixture.mood = SUPERVISOR_WAITS;
    /* One waits for a token, one for the slug. */
    struct asked others[2];
    for (int i = 0; i < 2; i++) {
        fixture_fill(&fixture, &others[i], "GET", "/ok", NULL);
        others[i].request.installation = "43";
        others[i].request.kind = i == 0 ? BROKER_REQUEST : BROKER_SLUG;
        broker_submit(fixture.broker, &others[i].request);
    }
    broker_free(fixture.broker);
    fixture.broker = NULL;
    fixture_wait(&fixture, asked, STUCK);
    fixture_wait(&fixture, others, 2);
    for (size_t i = 0; i < STUCK; i++) {
        assert_int_equal(asked[i].request.outcome, SNEK_E_CANCELLED);
        broker_request_finish(&asked[i].request);
    }
    assert_int_equal(others[0].request.outcome, SNEK_E_CANCELLED);
    assert_int_equal(others[1].request.outcome, SNEK_E_CANCELLED);
    assert_int_equal(fixture.requests, 65);
}

#define BROKER_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define HASTY_TEST(test) cmocka_unit_test_setup_teardown(test, start_hasty, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        BROKER_TEST(a_response_comes_back_whole),
        BROKER_TEST(every_method_is_sent_with_its_body_or_without),
        BROKER_TEST(a_malformed_request_is_rejected),
        BROKER_TEST(fifty_requests_at_once_share_one_token_request),
        BROKER_TEST(a_plugin_with_hundreds_waiting_lets_others_in_between),
        BROKER_TEST(permissions_and_installation_go_to_github_as_they_are),
        BROKER_TEST(an_installation_cannot_lead_to_another_path),
        BROKER_TEST(tokens_are_kept_apart_by_installation_and_permissions),
        BROKER_TEST(the_token_used_least_recently_is_dropped),
        BROKER_TEST(a_token_is_renewed_a_minute_before_it_expires),
        BROKER_TEST(a_token_that_github_rejects_is_replaced_once),
        BROKER_TEST(many_that_were_rejected_with_one_token_share_the_next),
        BROKER_TEST(a_late_rejection_does_not_cost_the_next_token),
        BROKER_TEST(a_fresh_token_that_github_does_not_know_yet_is_waited_out),
        BROKER_TEST(a_fresh_token_that_is_rejected_again_and_again_is_replaced_once),
        BROKER_TEST(a_rejected_token_is_explained),
        BROKER_TEST(every_status_has_its_outcome),
        BROKER_TEST(a_rate_limit_defers_the_run),
        BROKER_TEST(the_broker_waits_for_a_short_rate_limit),
        BROKER_TEST(a_temporary_failure_is_retried_where_nothing_can_happen_twice),
        BROKER_TEST(a_404_for_an_announced_url_is_retried_once),
        BROKER_TEST(a_drain_defers_waiting_requests),
        BROKER_TEST(a_redirect_off_the_origin_is_handed_over_and_not_followed),
        BROKER_TEST(requests_as_the_app_are_rejected),
        BROKER_TEST(a_url_that_leads_away_costs_no_token),
        BROKER_TEST(a_response_that_is_too_large_is_given_up),
        HASTY_TEST(a_server_that_stalls_is_timed_out),
        BROKER_TEST(a_broken_response_is_a_network_error),
        BROKER_TEST(libcurl_does_not_repeat_a_write),
        BROKER_TEST(a_refused_connection_is_a_network_error),
        BROKER_TEST(a_connection_that_nobody_accepts_is_given_up_in_time),
        cmocka_unit_test(an_api_url_that_is_none_is_rejected),
        BROKER_TEST(a_lost_supervisor_is_reported_once),
        BROKER_TEST(a_supervisor_that_says_no_is_quoted),
        HASTY_TEST(a_slow_supervisor_is_given_up_and_its_late_reply_dropped),
        BROKER_TEST(a_clock_that_is_off_is_corrected),
        BROKER_TEST(a_clock_that_is_hopeless_is_not_followed),
        BROKER_TEST(requests_in_progress_at_the_end_are_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
