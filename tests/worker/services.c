/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* snekomatic-worker's vtable: the values that a handler gets, and the frames that reach the host.
 * The plugin `probe` does what the payload says. */
#include "worker_host.h"

#include "base/cleanup.h"

#include <stdlib.h>

static struct worker_host host;
static uint64_t run;

static int start(void **state) {
    (void)state;
    const struct worker_options options = {
        .config = "{\"message\":\"hi \\u2764\",\"nested\":{\"list\":[1,-2,3.5]}}", .quiet = true};
    host_start(&host, "test-probe", &options);
    return 0;
}

static int end(void **state) {
    (void)state;
    host_end(&host);
    return 0;
}

static void probe(const char *payload) {
    host_run(&host, ++run, "probe", "do", payload);
}

/* ---- event and config ---- */

static void the_event_service_shows_the_delivery(void **state) {
    (void)state;
    probe("{\"do\":\"event\"}");
    expect_log(&host, run, "probe|do|guid-1|xyzzy|3|14|1");
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_path_finds_values_of_each_kind(void **state) {
    (void)state;
    static const struct {
        const char *path, *found;
    } table[] = {
        {"s", "5|0|0|a\"\xE2\x9D\xA4|5"},
        {"i", "4|1|-42|-42|3"},
        {"f", "4|0|0|1.5|3"},
        {"t", "3|0|0|true|4"},
        {"n", "1|0|0|null|4"},
        {"a[1].b", "2|0|0|false|5"},
        {"o", "6|0|0|{ \"x\": 1 }|10"},
        {"a[0]", "7|0|0|[]|2"},
        {"absent", "0|0|0|(none)|0"},
        {"s.x", "0|0|0|(none)|0"},
        {"a[9]", "0|0|0|(none)|0"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[300];
        snprintf(payload, sizeof payload,
                 "{\"do\":\"find\",\"path\":\"%s\",\"s\":\"a\\\"\\u2764\",\"i\":-42,\"f\":1.5,"
                 "\"t\":true,\"n\":null,\"a\":[[],{\"b\":false}],\"o\":{ \"x\": 1 }}",
                 table[i].path);
        probe(payload);
        expect_log(&host, run, table[i].found);
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_text_with_a_nul_is_no_c_string(void **state) {
    (void)state;
    probe("{\"do\":\"strings\",\"path\":\"login\",\"login\":\"mona\\u0000x\"}");
    expect_log(&host, run, "(none)|(none)|6");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"strings\",\"path\":\"login\",\"login\":\"mona\"}");
    expect_log(&host, run, "mona|mona|4");
    expect_result(&host, run, SNEK_DONE, "");
}

static void texts_and_arrays_grow_in_the_memory_of_the_run(void **state) {
    (void)state;
    probe("{\"do\":\"build\",\"n\":3}");
    expect_log(&host, run, "0 1 2|[{\"n\":\"0\"},{\"n\":\"1\"},{\"n\":\"2\"}]|[]|5|31");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"build\",\"n\":1000}");
    expect_log(&host, run, "||[]|3889|11891");
    expect_result(&host, run, SNEK_DONE, "");
}

#define NULL_REASON(pattern)                                                                       \
    "value 1 of the pattern \"" pattern "\" is NULL: did its path lead to a text?"
#define JSON_NULL_REASON NULL_REASON("'%s'") " JSON's null is %s with \"null\""

/* The NULL of a text that could not be built goes through the next call as its error. */
static void a_text_that_cannot_be_built_fails_the_call_that_gets_it(void **state) {
    (void)state;
    static const struct {
        const char *how;
        int64_t result;
        const char *reason;
    } table[] = {
        {"print", SNEK_E_INVALID, NULL_REASON("Hi @%s")},
        {"chain", SNEK_E_INVALID,
         "value 1 of the pattern is not JSON: bad number at byte 0 of it; a text goes "
         "into quotes: '%s'"},
        {"json", SNEK_E_INVALID,
         "value 1 of the pattern is not JSON: bad number at byte 0 of it; a text goes "
         "into quotes: '%s'"},
        {"fill", SNEK_E_INVALID, "the value of {user} is NULL: did its path lead to a text?"},
        {"append", SNEK_E_INVALID, JSON_NULL_REASON},
        {"fill nothing", SNEK_E_INVALID, NULL_REASON("%s")},
        {"reason", SNEK_SKIPPED, NULL_REASON("not for %s")},
        {"memory", SNEK_E_FAILED,
         "the memory of the run is used up: its texts have more than 64 MiB, or plugin.memory_mib "
         "is "
         "too small"},
        {"nothing", SNEK_E_INVALID, "a comment needs a text, and got NULL"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[100];
        snprintf(payload, sizeof payload, "{\"do\":\"unbuilt\",\"how\":\"%s\"}", table[i].how);
        probe(payload);
        expect_result(&host, run, table[i].result, table[i].reason);
    }
}

static void values_of_the_configuration_stay_valid(void **state) {
    (void)state;
    probe("{\"do\":\"config\",\"path\":\"message\"}");
    expect_log(&host, run, "5|0|0|hi \xE2\x9D\xA4|6");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"config\",\"path\":\"nested.list[1]\"}");
    expect_log(&host, run, "4|1|-2|-2|2");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"config\",\"path\":\"other\"}");
    expect_log(&host, run, "0|0|0|(none)|0");
    expect_result(&host, run, SNEK_DONE, "");
}

/* ---- github: what is sent ---- */

static void a_request_expands_its_url_and_builds_its_body(void **state) {
    (void)state;
    static const struct {
        const char *payload, *method, *url, *body;
    } table[] = {
        {"\"method\":\"PUT\",\"url\":\"/orgs/{org}/memberships/{username}\",\"p\":[{\"name\":"
         "\"username\",\"value\":\"a b/..\\u00e9\"},{\"name\":\"org\",\"value\":\"x-._~Z9\"}],"
         "\"json\":{\"role\":\"member\"}",
         "PUT", "/orgs/x-._~Z9/memberships/a%20b%2F..%C3%A9", "{\"role\":\"member\"}"},
        {"\"method\":\"POST\",\"url\":\"https://api.example/x\",\"json\":{\"a\":\"\\u2764\"}",
         "POST", "https://api.example/x", "{\"a\":\"\\u2764\"}"},
        {"\"method\":\"PATCH\",\"url\":\"/x\",\"json\":[ 1 ]", "PATCH", "/x", "[ 1 ]"},
        {"\"method\":\"DELETE\",\"url\":\"/x?q={q}&r={q}\",\"p\":[{\"name\":\"q\",\"value\":\"\"}]",
         "DELETE", "/x?q=&r=", ""},
        {"\"method\":\"GET\",\"url\":\"/{a}?b={b.c}\",\"p\":[{\"name\":\"a\",\"value\":\"{b.c}\"},{"
         "\"name\":\"b.c\",\"value\":\"?&#%\"}]",
         "GET", "/%7Bb.c%7D?b=%3F%26%23%25", ""},
        {"\"method\":\"POST\",\"url\":\"/x\"", "POST", "/x", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[1000];
        AUTO_RECEIVED struct received received = {0};
        snprintf(payload, sizeof payload, "{\"do\":\"send\",%s}", table[i].payload);
        probe(payload);
        expect_http(&host, &received, table[i].method, table[i].url, table[i].body);
        assert_int_equal(received.head.run, run);
        host_reply(&host, &received, 0, 204, "", "", "");
        expect_log(&host, run, "0|204|(none)|(none)|(none)|1");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static const struct {
    const char *payload, *sentence;
} invalid_requests[] = {
    {"\"method\":\"GET\",\"url\":\"/{org}\"",
     "{org} of the URL /{org} is not among its parameters"},
    {"\"method\":\"GET\",\"url\":\"/{org\"",
     "the URL /{org has a brace that is no {name}: only {name}, {+name}, {/name}, {?name,...} and "
     "{&name,...} "
     "are expanded"},
    {"\"method\":\"GET\",\"url\":\"/org}\"",
     "the URL /org} has a brace that is no {name}: only {name}, {+name}, {/name}, {?name,...} and "
     "{&name,...} "
     "are expanded"},
    {"\"method\":\"GET\",\"url\":\"/a b\"",
     "the URL /a b has a character that no URL has: give it as a {name}, which is encoded"},
    {"\"method\":\"GET\",\"url\":\"\"", "the request's URL is empty"},
    {"\"method\":\"GET\",\"url\":\"NULL\"",
     "the request cannot be sent: its URL is NULL: did its path lead to a text?"},
    {"\"method\":\"TRACE\",\"url\":\"/\"",
     "the request cannot be sent: its method is not GET, HEAD, PUT, POST, PATCH or "
     "DELETE"},
    {"\"method\":\"NULL\",\"url\":\"/\"",
     "the request cannot be sent: its method is not GET, HEAD, PUT, POST, PATCH or "
     "DELETE"},
    {"\"method\":\"GET\",\"url\":\"/\",\"flags\":4",
     "the request cannot be sent: its flags are not known to this host"},
    {"\"method\":\"GET\",\"url\":\"/\",\"bytes\":8",
     "the request's bytes are 8: set it to sizeof(struct snek_request)"},
    {"\"method\":\"GET\",\"url\":\"/\",\"json\":{}",
     "the request cannot be sent: GET and HEAD take no body: what they ask for belongs "
     "into the URL"},
    {"\"method\":\"PUT\",\"url\":\"/\",\"body\":\"a\",\"type\":\"text/plain\",\"json\":{}",
     "the request cannot be sent: it has json and a body: one of them is the body"},
    {"\"method\":\"PUT\",\"url\":\"/\",\"body\":\"a\"",
     "the request cannot be sent: a body needs a content_type, and a content_type a body: JSON "
     "goes "
     "into json"},
    {"\"method\":\"GET\",\"url\":\"/\",\"once\":\"a\"",
     "the request cannot be sent: GET and HEAD have no effect that `once` could name"},
    {"\"method\":\"PUT\",\"url\":\"/\",\"once\":\"a\\nb\"",
     "the request cannot be sent: its `once` is no line of 1 to 100 bytes of UTF-8"},
    {"\"method\":\"PUT\",\"url\":\"/\",\"once\":\"\"",
     "the request cannot be sent: its `once` is no line of 1 to 100 bytes of UTF-8"},
    {"\"method\":\"PUT\",\"url\":\"/\",\"json\":\"{\"",
     "the request's body is not JSON: ends too early at byte 1"},
};

static void an_invalid_request_is_not_sent(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof invalid_requests / sizeof *invalid_requests; i++) {
        char payload[1000];
        snprintf(payload, sizeof payload, "{\"do\":\"send\",%s}", invalid_requests[i].payload);
        probe(payload);
        expect_result(&host, run, SNEK_E_INVALID, invalid_requests[i].sentence);
    }
}

/* Such values come from comments, so no retry can succeed. */
static const struct {
    const char *payload, *sentence;
} invalid_values[] = {
    {"\"method\":\"GET\",\"url\":\"/{org}\",\"p\":[{\"name\":\"org\",\"value\":\"NULL\"}]",
     "{org} of the URL /{org} has no value (NULL): did its path lead to a text?"},
    {"\"method\":\"GET\",\"url\":\"/{org}\",\"p\":[{\"name\":\"org\",\"value\":\"\"}]",
     "{org} of the URL /{org} is empty"},
    {"\"method\":\"GET\",\"url\":\"/a/{x}/b\",\"p\":[{\"name\":\"x\",\"value\":\"..\"}]",
     "the URL /a/../b has a \"..\" in its path"},
    {"\"method\":\"GET\",\"url\":\"/a/.\"", "the URL /a/. has a \".\" in its path"},
    {"\"method\":\"GET\",\"url\":\"/repos/{repository}/issues/{number}\",\"repository\":1",
     "{repository} of the URL /repos/{repository}/issues/{number} has no value in the event: give "
     "one"},
};

static void a_value_that_no_url_can_have_rejects_the_run(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof invalid_values / sizeof *invalid_values; i++) {
        char payload[1000];
        snprintf(payload, sizeof payload, "{\"do\":\"send\",%s}", invalid_values[i].payload);
        probe(payload);
        expect_result(&host, run, SNEK_REJECTED, invalid_values[i].sentence);
    }
}

static void the_event_fills_the_names_of_its_repository_and_item(void **state) {
    (void)state;
    static const struct {
        const char *url, *item, *expanded;
    } table[] = {
        {"/repos/{owner}/{repo}/issues/{number}", "\"issue\":{\"number\":7}",
         "/repos/o/r.x/issues/7"},
        {"/repos/{repository}/pulls/{number}", "\"pull_request\":{\"number\":8}",
         "/repos/o/r.x/pulls/8"},
        {"/repos/{repository}/{number}", "\"discussion\":{\"number\":9}", "/repos/o/r.x/9"},
        {"/orgs/{owner}/{number}", "\"p\":[{\"name\":\"number\",\"value\":\"a/b\"}]",
         "/orgs/o/a%2Fb"},
        {"/repos/{repository}/contents/{+path}{?ref}",
         "\"p\":[{\"name\":\"path\",\"value\":\"docs/a "
         "b?.md\"},{\"name\":\"ref\",\"value\":\"x/y\"}]",
         "/repos/o/r.x/contents/docs/a%20b%3F.md?ref=x%2Fy"},
        /* A part that may be missing is not filled: this is the list. */
        {"https://api.example/issues{/number}", "\"issue\":{\"number\":7}",
         "https://api.example/issues"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[1000];
        AUTO_RECEIVED struct received received = {0};
        snprintf(payload, sizeof payload,
                 "{\"do\":\"send\",\"method\":\"GET\",\"url\":\"%s\",\"deaf\":1,%s,"
                 "\"repository\":{\"name\":\"r.x\",\"full_name\":\"o/r.x\",\"owner\":{\"login\":"
                 "\"o\"}}}",
                 table[i].url, table[i].item);
        probe(payload);
        expect_http(&host, &received, "GET", table[i].expanded, "");
        host_reply(&host, &received, 0, 200, "", "", "{}");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_time_is_written_and_read_as_github_writes_it(void **state) {
    (void)state;
    static const char *const texts[] = {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z",
                                        "2023-12-31T00:00:01Z", "2024-02-29T12:00:00Z",
                                        "2024-03-01T00:00:00Z", "2100-03-01T00:00:00Z",
                                        "2026-11-30T04:05:06Z", "9999-12-31T23:59:59Z"};
    probe("{\"do\":\"times\",\"ms\":[0,951868799000,1703980801000,1709208000999,1709251200000,"
          "4107542400000,1796011506000,253402300799999],\"wrong\":[\"2026-11-30\","
          "\"2026-13-30T04:05:06Z\",\"2026-11-30T04:05:06+01:00\",\"2026-11-30T04:05:06ZZ\",7]}");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s 1", texts[i]);
        expect_log(&host, run, line);
    }
    static const char *const wrong[] = {"2026-11-30 -1", "2026-13-30T04:05:06Z -1",
                                        "2026-11-30T04:05:06+01:00 -1", "2026-11-30T04:05:06ZZ -1",
                                        "NULL -1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        expect_log(&host, run, wrong[i]);
    }
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_comment_goes_to_a_number_and_gives_its_id(void **state) {
    (void)state;
    AUTO_RECEIVED struct received first = {0}, second = {0};
    probe("{\"do\":\"comment\",\"repository\":{\"name\":\"r\",\"owner\":{\"login\":\"o\"}}}");
    expect_http(&host, &first, "POST", "/repos/o/r/issues/7/comments",
                "{\"body\":\"a \\\"b\\\"\"}");
    host_reply(&host, &first, 0, 201, "", "", "{\"id\":40102}");
    expect_http(&host, &second, "POST", "/repos/o/r/issues/8/comments", "{\"body\":\"c\"}");
    host_reply(&host, &second, 0, 201, "", "", "{}");
    /* The event "probe" has no text to reply to. */
    expect_log(&host, run, "-14|40102|-1");
    expect_result(&host, run, SNEK_E_NO_TARGET, NULL);
}

static void the_three_families_have_the_same_readers(void **state) {
    (void)state;
    static const char json[] =
        "{\"s\":\"a\",\"i\":-3,\"f\":1.5,\"t\":true,\"n\":null,\"l\":[1,[2,3],{}],"
        "\"o\":{\"a\":1,\"b\":[]}}";
    static const char read[] =
        "s=a,-9,0,a,1,0 i=(none),-3,0,-3,1,0 f=(none),-9,0,1.5,1,0 "
        "t=(none),-9,1,true,1,0 n=(none),-9,0,(none),0,0 l=(none),-9,0,[1,[2,3],{}],1,3 "
        "o=(none),-9,0,{\"a\":1,\"b\":[]},1,2 x=(none),-9,0,(none),0,0 ";
    char payload[400], list[400];
    AUTO_RECEIVED struct received received = {0}, page = {0};
    snprintf(payload, sizeof payload, "{\"do\":\"readers\",%s", json + 1);
    snprintf(list, sizeof list, "[%s]", json);
    probe(payload);
    expect_log(&host, run, read);
    expect_http(&host, &received, "GET", "/x", "");
    host_reply(&host, &received, 0, 200, "", "", json);
    expect_log(&host, run, read);
    expect_http(&host, &page, "GET", "/list?per_page=100", "");
    host_reply(&host, &page, 0, 200, "", "", list);
    expect_log(&host, run, read);
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_request_that_is_too_large_is_not_sent(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"large\",\"n\":4194305}");
    expect_result(&host, run, SNEK_E_TOO_LARGE, "the request's body is larger than 4194304 bytes");
    /* The body fits, but not together with its frame. */
    probe("{\"do\":\"large\",\"n\":4194293}");
    expect_result(&host, run, SNEK_E_TOO_LARGE, NULL);
    probe("{\"do\":\"large\",\"n\":4000000}");
    host_receive(&host, FRAME_HTTP_CALL, &received);
    host_reply(&host, &received, 0, 201, "", "", "{}");
    expect_result(&host, run, SNEK_DONE, "");
}

static void expect_question(struct received *received, int64_t question) {
    host_receive(&host, FRAME_APP_CALL, received);
    assert_int_equal(received_number(received), question);
    received_end(received);
}

static void the_host_says_which_permissions_are_granted(void **state) {
    (void)state;
    static const struct {
        const char *name, *access, *granted, *logged;
    } table[] = {{"checks", "write", "{\"issues\":\"read\",\"checks\":\"write\"}", "1|0|none"},
                 {"checks", "read", "{\"checks\":\"admin\"}", "1|0|none"},
                 {"checks", "write", "{\"checks\":\"read\"}", "0|0|none"},
                 {"checks", "write", "{\"checks\":true}", "0|0|none"},
                 {"issues", "read", "{}", "0|0|none"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[200];
        AUTO_RECEIVED struct received received = {0};
        snprintf(payload, sizeof payload,
                 "{\"do\":\"app\",\"permission\":\"%s\",\"access\":\"%s\"}", table[i].name,
                 table[i].access);
        probe(payload);
        expect_question(&received, FRAME_APP_PERMISSIONS);
        host_reply(&host, &received, 0, 200, "", "", table[i].granted);
        expect_log(&host, run, table[i].logged);
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_question_about_a_permission_is_checked(void **state) {
    (void)state;
    static const struct {
        const char *members, *sentence;
    } table[] = {
        {"\"permission\":\"pages\",\"access\":\"read\"",
         "the plugin does not declare the permission pages: add it to optional_permissions"},
        {"\"permission\":\"checks\",\"access\":\"all\"",
         "has_permission() needs the name of a permission and read, write or admin"},
        {"\"permission\":\"checks\"",
         "has_permission() needs the name of a permission and read, write or admin"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[200];
        snprintf(payload, sizeof payload, "{\"do\":\"app\",%s}", table[i].members);
        probe(payload);
        expect_log(&host, run, "-2|0|none");
        expect_result(&host, run, SNEK_E_INVALID, table[i].sentence);
    }
}

static void the_login_of_the_bot_is_its_slug_and_bot(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0}, again = {0};
    probe("{\"do\":\"app\"}");
    expect_question(&received, FRAME_APP_SLUG);
    host_reply(&host, &received, 0, 200, "", "", "sneks-bot");
    expect_log(&host, run, "-99|0|sneks-bot[bot]");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"app\"}");
    expect_question(&again, FRAME_APP_SLUG);
    host_reply(&host, &again, SNEK_E_NETWORK, 0, "no way to GitHub", "", "");
    expect_log(&host, run, "-99|-8|none");
    expect_result(&host, run, SNEK_E_NETWORK, "no way to GitHub");
}

static void a_request_carries_the_name_of_its_effect(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"send\",\"method\":\"PUT\",\"url\":\"/a\",\"deaf\":1,\"json\":{},"
          "\"once\":\"welcome\"}");
    host_receive(&host, FRAME_HTTP_CALL, &received);
    received_number(&received);
    for (int field = 0; field < 6; field++) {
        received_text(&received);
    }
    assert_string_equal(received_text(&received), "welcome");
    assert_string_equal(received_text(&received), "{}");
    received_end(&received);
    host_reply(&host, &received, 0, 200, "", "", "{}");
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_url_that_is_too_long_is_not_sent(void **state) {
    (void)state;
    char payload[FRAME_URL_MAX + 300];
    AUTO_RECEIVED struct received received = {0};
    for (int over = 0; over <= 1; over++) {
        int at = snprintf(payload, sizeof payload,
                          "{\"do\":\"send\",\"method\":\"GET\",\"deaf\":1,"
                          "\"url\":\"/");
        memset(payload + at, 'u', FRAME_URL_MAX - 1 + (size_t)over);
        snprintf(payload + at + FRAME_URL_MAX - 1 + over, 10, "\"}");
        probe(payload);
        if (over == 0) {
            host_receive(&host, FRAME_HTTP_CALL, &received);
            host_reply(&host, &received, 0, 200, "", "", "{}");
            expect_result(&host, run, SNEK_DONE, "");
        } else {
            expect_result(&host, run, SNEK_REJECTED, "the URL is longer than 8192 bytes");
        }
    }
}

/* ---- github: what comes back ---- */

static void a_response_shows_its_status_headers_and_body(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"send\",\"method\":\"GET\",\"url\":\"/user\"}");
    expect_http(&host, &received, "GET", "/user", "");
    host_reply(&host, &received, 0, 200, "", "link: <x>\netag: W/\"1\"\nx-a: b\n",
               "{\"login\":\"sn\\u0065k\"}");
    expect_log(&host, run, "0|200|snek|W/\"1\"|(none)|1");
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_failing_response_leaves_its_reason_and_is_shown_too(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"send\",\"method\":\"GET\",\"url\":\"/user\",\"forget\":1}");
    expect_http(&host, &received, "GET", "/user", "");
    host_reply(&host, &received, SNEK_E_FORBIDDEN, 403, "GET /user answered 403: go away", "",
               "{\"login\":\"x\"}");
    expect_log(&host, run, "-4|403|x|(none)|(none)|1");
    expect_result(&host, run, SNEK_E_FORBIDDEN, "GET /user answered 403: go away");
}

static void a_request_that_got_no_response_shows_none(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"send\",\"method\":\"GET\",\"url\":\"/user\"}");
    expect_http(&host, &received, "GET", "/user", "");
    host_reply(&host, &received, SNEK_E_NETWORK, 0, "no connection\xFF", "", "");
    expect_result(&host, run, SNEK_E_NETWORK, "no connection?");
}

static void a_failure_that_the_handler_handled_leaves_no_reason(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"recover\"}");
    expect_http(&host, &received, "GET", "/missing", "");
    host_reply(&host, &received, SNEK_E_NOT_FOUND, 404, "GET /missing answered 404", "", "");
    expect_result(&host, run, SNEK_DONE, "");
}

/* ---- store ---- */

static void each_store_call_is_sent_to_the_host(void **state) {
    (void)state;
    static const struct {
        const char *payload;
        int64_t operation, per_installation;
        const char *set, *name, *value;
        int64_t outcome;
        const char *answer, *log;
    } table[] = {
        {"\"op\":\"has\",\"set\":\"s\",\"name\":\"e\",\"scope\":1", FRAME_SET_HAS, 1, "s", "e", "",
         1, "", "1|(none)|0"},
        {"\"op\":\"add\",\"set\":\"s\",\"name\":\"\xC3\xA9\"", FRAME_SET_ADD, 0, "s", "\xC3\xA9",
         "", 0, "", "0|(none)|0"},
        {"\"op\":\"remove\",\"set\":\"s\",\"name\":\"e\"", FRAME_SET_REMOVE, 0, "s", "e", "", 1, "",
         "1|(none)|0"},
        {"\"op\":\"get\",\"name\":\"k\",\"scope\":1", FRAME_KEY_GET, 1, "", "k", "", 1, "value",
         "1|value|5"},
        {"\"op\":\"get\",\"name\":\"k\"", FRAME_KEY_GET, 0, "", "k", "", 0, "", "0|(none)|0"},
        {"\"op\":\"put\",\"name\":\"k\",\"value\":\"v\"", FRAME_KEY_PUT, 0, "", "k", "v", 1, "",
         "0|(none)|0"},
        {"\"op\":\"put\",\"name\":\"k\",\"value\":\"NULL\"", FRAME_KEY_PUT, 0, "", "k", "", 1, "",
         "0|(none)|0"},
        {"\"op\":\"delete\",\"name\":\"k\"", FRAME_KEY_DELETE, 0, "", "k", "", 0, "", "0|(none)|0"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[300];
        AUTO_RECEIVED struct received received = {0};
        snprintf(payload, sizeof payload, "{\"do\":\"store\",%s}", table[i].payload);
        probe(payload);
        host_receive(&host, FRAME_STORE_CALL, &received);
        assert_int_equal(received_number(&received), table[i].operation);
        assert_int_equal(received_number(&received), table[i].per_installation);
        assert_string_equal(received_text(&received), table[i].set);
        assert_string_equal(received_text(&received), table[i].name);
        assert_string_equal(received_text(&received), table[i].value);
        received_end(&received);
        host_store_reply(&host, &received, table[i].outcome, table[i].answer,
                         strlen(table[i].answer));
        expect_log(&host, run, table[i].log);
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_failing_store_leaves_its_reason(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"store\",\"op\":\"add\",\"set\":\"s\",\"name\":\"e\"}");
    host_receive(&host, FRAME_STORE_CALL, &received);
    host_store_reply(&host, &received, SNEK_E_STORE, "the disk is full", 16);
    expect_log(&host, run, "-15|(none)|0");
    expect_result(&host, run, SNEK_E_STORE, "the disk is full");
}

static void an_invalid_store_call_is_not_sent(void **state) {
    (void)state;
    static const char *const table[] = {
        "\"op\":\"has\",\"set\":\"\",\"name\":\"e\"",
        "\"op\":\"has\",\"set\":\"NULL\",\"name\":\"e\"",
        "\"op\":\"has\",\"set\":\"s\",\"name\":\"\"",
        "\"op\":\"add\",\"set\":\"s\",\"name\":\"e\",\"scope\":2",
        "\"op\":\"put\",\"name\":\"k\",\"value\":\"v\",\"n\":65537",
        "\"op\":\"put\",\"name\":\"k\",\"value\":\"NULL\",\"n\":1",
        "\"op\":\"get\",\"name\":\"NULL\"",
    };
    char payload[1000];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        snprintf(payload, sizeof payload, "{\"do\":\"store\",%s}", table[i]);
        probe(payload);
        expect_log(&host, run, "-2|(none)|0");
        expect_result(&host, run, SNEK_E_INVALID, NULL);
    }
    int at = snprintf(payload, sizeof payload, "{\"do\":\"store\",\"op\":\"get\",\"name\":\"");
    memset(payload + at, 'k', FRAME_STORE_ENTRY_MAX + 1);
    snprintf(payload + at + FRAME_STORE_ENTRY_MAX + 1, 10, "\"}");
    probe(payload);
    expect_log(&host, run, "-2|(none)|0");
    expect_result(&host, run, SNEK_E_INVALID, NULL);
}

static void a_value_with_nul_bytes_is_read_whole(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"store\",\"op\":\"get\",\"name\":\"k\"}");
    host_receive(&host, FRAME_STORE_CALL, &received);
    host_store_reply(&host, &received, 1, "a\0b", 3);
    expect_log(&host, run, "1|a|3");
    expect_result(&host, run, SNEK_DONE, "");
}

static void threads_of_a_handler_may_call_concurrently(void **state) {
    (void)state;
    struct received received[8] = {{.body = NULL}};
    probe("{\"do\":\"threads\"}");
    for (int i = 0; i < 8; i++) {
        host_receive(&host, FRAME_STORE_CALL, &received[i]);
    }
    for (int i = 7; i >= 0; i--) {
        host_store_reply(&host, &received[i], i < 3, "", 0);
        received_finish(&received[i]);
    }
    expect_log(&host, run, "3");
    expect_result(&host, run, SNEK_DONE, "");
}

/* ---- the rest ---- */

static void a_null_argument_is_an_error_not_a_crash(void **state) {
    (void)state;
    probe("{\"do\":\"misuse\"}");
    expect_log(&host, run, "111111 111111 1111 1111 11");
    expect_result(&host, run, SNEK_DONE, "");
}

static void the_output_of_a_plugin_is_harmless(void **state) {
    (void)state;
    probe("{\"do\":\"print\"}");
    expect_result(&host, run, SNEK_DONE, "");
}

/* A sanitizer's shadow memory is larger than any limit. */
#ifndef SNEK_SANITIZED
static void the_memory_of_a_worker_is_limited(void **state) {
    (void)state;
    probe("{\"do\":\"eat\",\"n\":100000000}");
    expect_log(&host, run, "got it");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"eat\",\"n\":300000000}");
    expect_log(&host, run, "rejected");
    expect_result(&host, run, SNEK_DONE, "");
}
#endif

/* A value that exceeds the run's memory is absent. The next run has its own memory. */
static void a_large_payload_can_be_searched_many_times(void **state) {
    (void)state;
    size_t bytes = 20u << 20;
    AUTO_FREE char *payload = malloc(bytes + 100);
    assert_non_null(payload);
    int at = snprintf(payload, 100, "{\"do\":\"find\",\"path\":\"tail\",\"long\":\"");
    memset(payload + at, 'l', bytes);
    snprintf(payload + at + bytes, 50, "\",\"tail\":7}");
    for (int i = 0; i < 8; i++) {
        probe(payload);
        expect_log(&host, run, "4|1|7|7|1");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_event_service_shows_the_delivery),
        cmocka_unit_test(a_path_finds_values_of_each_kind),
        cmocka_unit_test(a_text_with_a_nul_is_no_c_string),
        cmocka_unit_test(values_of_the_configuration_stay_valid),
        cmocka_unit_test(texts_and_arrays_grow_in_the_memory_of_the_run),
        cmocka_unit_test(a_text_that_cannot_be_built_fails_the_call_that_gets_it),
        cmocka_unit_test(a_request_expands_its_url_and_builds_its_body),
        cmocka_unit_test(an_invalid_request_is_not_sent),
        cmocka_unit_test(a_value_that_no_url_can_have_rejects_the_run),
        cmocka_unit_test(the_event_fills_the_names_of_its_repository_and_item),
        cmocka_unit_test(a_time_is_written_and_read_as_github_writes_it),
        cmocka_unit_test(a_comment_goes_to_a_number_and_gives_its_id),
        cmocka_unit_test(the_three_families_have_the_same_readers),
        cmocka_unit_test(a_request_that_is_too_large_is_not_sent),
        cmocka_unit_test(a_request_carries_the_name_of_its_effect),
        cmocka_unit_test(the_host_says_which_permissions_are_granted),
        cmocka_unit_test(a_question_about_a_permission_is_checked),
        cmocka_unit_test(the_login_of_the_bot_is_its_slug_and_bot),
        cmocka_unit_test(a_url_that_is_too_long_is_not_sent),
        cmocka_unit_test(a_response_shows_its_status_headers_and_body),
        cmocka_unit_test(a_failing_response_leaves_its_reason_and_is_shown_too),
        cmocka_unit_test(a_request_that_got_no_response_shows_none),
        cmocka_unit_test(a_failure_that_the_handler_handled_leaves_no_reason),
        cmocka_unit_test(each_store_call_is_sent_to_the_host),
        cmocka_unit_test(a_failing_store_leaves_its_reason),
        cmocka_unit_test(an_invalid_store_call_is_not_sent),
        cmocka_unit_test(a_value_with_nul_bytes_is_read_whole),
        cmocka_unit_test(threads_of_a_handler_may_call_concurrently),
        cmocka_unit_test(a_null_argument_is_an_error_not_a_crash),
        cmocka_unit_test(the_output_of_a_plugin_is_harmless),
#ifndef SNEK_SANITIZED
        cmocka_unit_test(the_memory_of_a_worker_is_limited),
#endif
        cmocka_unit_test(a_large_payload_can_be_searched_many_times),
    };
    if (worker_tests_setup(argc, argv) < 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, start, end);
    worker_tests_finish();
    return failed;
}
