/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github" through the real worker: the parts of a request, lists that are read
 * page by page, GraphQL. The plugin `probe` does what the payload says. */
#include "worker_host.h"

#include "base/cleanup.h"

#include <snekomatic/github.h>

#include <stdlib.h>

static struct worker_host host;
static uint64_t run;

static int start(void **state) {
    (void)state;
    const struct worker_options options = {.config = "{}", .quiet = true};
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

/* Receives a request of a list, and replies with a page. */
static void page(const char *url, const char *headers, const char *body) {
    AUTO_RECEIVED struct received received = {0};
    expect_http(&host, &received, "GET", url, "");
    host_reply(&host, &received, 0, 200, "", headers, body);
}

static void a_request_carries_its_query_headers_media_types_and_repository(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"send\",\"method\":\"PUT\",\"url\":\"/x?a={a}\",\"p\":[{\"name\":\"a\","
          "\"value\":\"1\"}],\"q\":[{\"name\":\"per page\",\"value\":\"a&b\"},{\"name\":\"none\"}],"
          "\"h\":{\"name\":\"X-Snake\",\"value\":\"sss s\"},\"accept\":\"application/diff\","
          "\"type\":\"text/plain\",\"body\":\"no JSON\",\"repository\":\"o/r\",\"flags\":1}");
    expect_http_with(&host, &received, FRAME_HTTP_REPEATABLE, "PUT", "/x?a=1&per%20page=a%26b",
                     "application/diff", "text/plain", "X-Snake: sss s\n", "o/r", "no JSON");
    host_reply(&host, &received, 0, 204, "", "", "");
    expect_log(&host, run, "0|204|(none)|(none)|(none)|1");
    expect_result(&host, run, SNEK_DONE, "");
}

static void the_templates_of_payloads_are_expanded(void **state) {
    (void)state;
    static const struct {
        const char *url, *parameters, *expanded;
    } table[] = {
        {"/issues{/number}", "", "/issues"},
        {"/issues{/number}", "{\"name\":\"number\",\"value\":\"1/2\"}", "/issues/1%2F2"},
        {"/x{?a,b}", "{\"name\":\"b\",\"value\":\"&\"}", "/x?b=%26"},
        {"/x{?a,b}", "{\"name\":\"b\",\"value\":\"\"},{\"name\":\"a\",\"value\":\"1\"}",
         "/x?a=1&b="},
        {"/x?y=1{&a}", "{\"name\":\"a\",\"value\":\"2\"}", "/x?y=1&a=2"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[300];
        AUTO_RECEIVED struct received received = {0};
        snprintf(payload, sizeof payload,
                 "{\"do\":\"send\",\"method\":\"HEAD\",\"deaf\":1,\"url\":\"%s\",\"p\":[%s]}",
                 table[i].url, table[i].parameters);
        probe(payload);
        expect_http(&host, &received, "HEAD", table[i].expanded, "");
        host_reply(&host, &received, 0, 200, "", "", "");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

/* All templates of tests/payloads, whose payloads are GitHub's. */
static void every_url_template_of_a_payload_is_expanded(void **state) {
    (void)state;
    static const struct {
        const char *url, *names, *expanded;
    } table[] = {
        {"/members{/member}", "member", "/members/v"},
        {"/public_members{/member}", "member", "/public_members/v"},
        {"/assignees{/user}", "user", "/assignees/v"},
        {"/branches{/branch}", "branch", "/branches/v"},
        {"/collaborators{/collaborator}", "collaborator", "/collaborators/v"},
        {"/comments{/number}", "number", "/comments/v"},
        {"/commits{/sha}", "sha", "/commits/v"},
        {"/compare/{base}...{head}", "base,head", "/compare/v...v"},
        {"/contents/{+path}", "path", "/contents/v/w"},
        {"/git/blobs{/sha}", "sha", "/git/blobs/v"},
        {"/git/commits{/sha}", "sha", "/git/commits/v"},
        {"/git/refs{/sha}", "sha", "/git/refs/v"},
        {"/git/tags{/sha}", "sha", "/git/tags/v"},
        {"/git/trees{/sha}", "sha", "/git/trees/v"},
        {"/issues/comments{/number}", "number", "/issues/comments/v"},
        {"/issues/events{/number}", "number", "/issues/events/v"},
        {"/issues{/number}", "number", "/issues/v"},
        {"/keys{/key_id}", "key_id", "/keys/v"},
        {"/labels{/name}", "name", "/labels/v"},
        {"/milestones{/number}", "number", "/milestones/v"},
        {"/notifications{?since,all,participating}", "since,all,participating",
         "/notifications?since=v&all=v&participating=v"},
        {"/pulls{/number}", "number", "/pulls/v"},
        {"/releases{/id}", "id", "/releases/v"},
        {"/statuses/{sha}", "sha", "/statuses/v"},
        {"/{archive_format}{/ref}", "archive_format,ref", "/v/v"},
        {"/issues/12/labels{/name}", "name", "/issues/12/labels/v"},
        {"/pulls/comments{/number}", "number", "/pulls/comments/v"},
        {"/events{/privacy}", "privacy", "/events/v"},
        {"/following{/other_user}", "other_user", "/following/v"},
        {"/gists{/gist_id}", "gist_id", "/gists/v"},
        {"/starred{/owner}{/repo}", "owner,repo", "/starred/v/v"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[600], list[400] = "", names[64], *rest = names, *name, expanded[100];
        AUTO_RECEIVED struct received received = {0};
        snprintf(names, sizeof names, "%s", table[i].names);
        while ((name = strsep(&rest, ","))) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s{\"name\":\"%s\",\"value\":\"%s\"}",
                     used > 0 ? "," : "", name, strcmp(name, "path") == 0 ? "v/w" : "v");
        }
        snprintf(
            payload, sizeof payload,
            "{\"do\":\"send\",\"method\":\"GET\",\"deaf\":1,\"url\":\"https://h/r%s\",\"p\":[%s]}",
            table[i].url, list);
        snprintf(expanded, sizeof expanded, "https://h/r%s", table[i].expanded);
        probe(payload);
        expect_http(&host, &received, "GET", expanded, "");
        host_reply(&host, &received, 0, 200, "", "", "{}");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_url_in_the_payload_is_marked_as_announced(void **state) {
    (void)state;
    static const struct {
        const char *url;
        int64_t flags;
    } table[] = {{"https://api.example/repos/o/r/issues/7?x=1", FRAME_HTTP_ANNOUNCED},
                 {"/repos/o/r/issues/7", FRAME_HTTP_ANNOUNCED},
                 {"/repos/o/r/issues/{n}", 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[300];
        AUTO_RECEIVED struct received received = {0};
        snprintf(payload, sizeof payload,
                 "{\"do\":\"send\",\"method\":\"GET\",\"deaf\":1,\"url\":\"%s\",\"p\":[{"
                 "\"name\":\"n\",\"value\":\"8\"}],\"issue\":"
                 "\"https://api.example/repos/o/r/issues/7\"}",
                 table[i].url);
        probe(payload);
        host_receive(&host, FRAME_HTTP_CALL, &received);
        assert_int_equal(received_number(&received), table[i].flags);
        host_reply(&host, &received, 0, 200, "", "", "");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_request_with_an_invalid_part_is_not_sent(void **state) {
    (void)state;
    static const struct {
        const char *payload, *sentence;
    } table[] = {
        {"\"h\":{\"name\":\"X Snake\",\"value\":\"s\"}",
         "header 0 of the request is none: a name of letters, digits and -, and a value of visible "
         "characters"},
        {"\"h\":{\"name\":\"X-Snake\",\"value\":\"s\\r\\nHost: evil\"}",
         "header 0 of the request is none: a name of letters, digits and -, and a value of visible "
         "characters"},
        {"\"accept\":\"a\\nb\"",
         "the request cannot be sent: a media type has a character that none "
         "has, or is longer than 200 bytes"},
        {"\"repository\":\"r\"", "the request cannot be sent: its repository is not owner/name"},
        {"\"repository\":\"o/r/x\"",
         "the request cannot be sent: its repository is not owner/name"},
        {"\"type\":\"text/plain\",\"json\":{}",
         "the request cannot be sent: a body needs a content_type, and a content_type a body: JSON "
         "goes into json"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[300];
        snprintf(payload, sizeof payload, "{\"do\":\"send\",\"method\":\"PUT\",\"url\":\"/x\",%s}",
                 table[i].payload);
        probe(payload);
        expect_result(&host, run, SNEK_E_INVALID, table[i].sentence);
    }
}

/* ---- lists ---- */

static void a_list_follows_its_links_page_by_page(void **state) {
    (void)state;
    probe("{\"do\":\"list\",\"url\":\"/orgs/x/repos?type=all\"}");
    page("/orgs/x/repos?type=all&per_page=100",
         "link: <https://api.example/2?page=2>; rel=\"next\", <https://api.example/9>; "
         "rel=\"last\"\n",
         "[{\"name\":\"a\"} ,\n {\"x\":[1,{\"name\":2}],\"name\":\"b\"}]");
    page("https://api.example/2?page=2",
         "link: <https://api.example/1>; rel=\"prev\", <https://api.example/3>; rel=\"next\"\n",
         "[]");
    page("https://api.example/3", "link: <https://api.example/1>; rel=\"first\"\n",
         "[{\"name\":\"c\"}]");
    expect_log(&host, run, "a,b,c,0|200");
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_list_inside_an_object_is_read_too(void **state) {
    (void)state;
    probe("{\"do\":\"list\",\"url\":\"/search/x?per_page=2&q=y\",\"forget\":1}");
    page("/search/x?per_page=2&q=y", "",
         "{\"total_count\":2,\"incomplete_results\":false,\"items\":[{\"name\":\"a\"},{\"name\":"
         "\"b\"}],\"more\":[{\"name\":\"c\"}]}");
    expect_log(&host, run, "a,b,0|200");
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_list_ends_with_the_error_of_its_page(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"list\",\"url\":\"/x\"}");
    page("/x?per_page=100", "link: <https://evil.example/>; rel=\"next\"\n", "[{\"name\":\"a\"}]");
    expect_http(&host, &received, "GET", "https://evil.example/", "");
    host_reply(&host, &received, SNEK_E_FOREIGN_ORIGIN, 0, "it leads away", "", "");
    expect_log(&host, run, "a,-11|0");
    expect_result(&host, run, SNEK_E_FOREIGN_ORIGIN, "it leads away");
}

static void a_response_without_a_list_is_an_error(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "<html>", "", "7", "{\"total_count\":0}", "{\"items\":[1", "{\"a\":{\"items\":[]}}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        probe("{\"do\":\"list\",\"url\":\"/x\"}");
        page("/x?per_page=100", "", bodies[i]);
        expect_log(&host, run, "-7|200");
        expect_result(&host, run, SNEK_E_SERVER,
                      "the response to GET /x?per_page=100 holds no list");
    }
}

static void an_object_with_several_arrays_is_a_list_only_with_a_key(void **state) {
    (void)state;
    static const char commit[] =
        "{\"sha\":\"c\",\"parents\":[{\"name\":\"p\"}],\"files\":[{\"name\":"
        "\"f\"},{\"name\":\"g\"}]}";
    static const struct {
        const char *list, *body, *log, *reason;
        int64_t result;
    } table[] = {
        {"", commit, "-2|200",
         "the response to GET /x?per_page=100 is an object with several arrays: set list to one of "
         "their keys: parents, files",
         SNEK_E_INVALID},
        {",\"list\":\"files\"", commit, "f,g,0|200", "", SNEK_DONE},
        {",\"list\":\"sha\"", commit, "-2|200",
         "the response to GET /x?per_page=100 has no array sha: set list to one of its keys: "
         "parents, "
         "files",
         SNEK_E_INVALID},
        {"", "{\"items\":[{\"name\":\"a\"}],\"next\":null}", "a,0|200", "", SNEK_DONE},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char payload[200];
        snprintf(payload, sizeof payload, "{\"do\":\"list\",\"url\":\"/x\"%s}", table[i].list);
        probe(payload);
        page("/x?per_page=100", "", table[i].body);
        expect_log(&host, run, table[i].log);
        expect_result(&host, run, table[i].result, table[i].reason);
    }
}

static void no_content_is_an_empty_list(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"list\",\"url\":\"/contributors\"}");
    expect_http(&host, &received, "GET", "/contributors?per_page=100", "");
    host_reply(&host, &received, 0, 204, "", "", "");
    expect_log(&host, run, "0|204");
    expect_result(&host, run, SNEK_DONE, "");
}

static void a_page_that_links_to_itself_is_an_error(void **state) {
    (void)state;
    probe("{\"do\":\"list\",\"url\":\"/x?per_page=1\"}");
    page("/x?per_page=1", "link: </x?per_page=1>; rel=\"next\"\n", "[{\"name\":\"a\"}]");
    expect_log(&host, run, "a,-7|200");
    expect_result(&host, run, SNEK_E_SERVER,
                  "GitHub's Link header of /x?per_page=1 names that page as the next one");
}

static void a_list_ends_after_its_last_page(void **state) {
    (void)state;
    probe("{\"do\":\"list\",\"url\":\"/0?per_page=1\"}");
    for (int i = 0; i < SNEK_PAGES_MAX; i++) {
        char url[32], link[64];
        snprintf(url, sizeof url, "/%d?per_page=1", i);
        snprintf(link, sizeof link, "link: </%d?per_page=1>; rel=\"next\"\n", i + 1);
        page(url, link, "[]");
    }
    expect_log(&host, run, "-10|200");
    expect_result(&host, run, SNEK_E_TOO_LARGE, "the list has more than 1000 pages");
}

/* ---- GraphQL ---- */

static void a_query_is_sent_with_its_variables(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0}, errors = {0};
    probe("{\"do\":\"graphql\",\"query\":\"{ \\\"a\\\" }\",\"variables\":{\"n\":7},\"flags\":1}");
    expect_http_with(&host, &received, FRAME_HTTP_REPEATABLE, "POST", "/graphql", "", "", "", "",
                     "{\"query\":\"{ \\\"a\\\" }\",\"variables\":{\"n\":7}}");
    host_reply(&host, &received, 0, 200, "", "", "{\"data\":{\"login\":\"snek\"}}");
    expect_log(&host, run, "0|snek");
    expect_result(&host, run, SNEK_DONE, "");
    probe("{\"do\":\"graphql\",\"query\":\"{}\"}");
    expect_http(&host, &errors, "POST", "/graphql", "{\"query\":\"{}\",\"variables\":{}}");
    host_reply(&host, &errors, SNEK_E_NOT_FOUND, 200, "no such user", "",
               "{\"data\":{\"login\":\"half\"},\"errors\":[{}]}");
    expect_log(&host, run, "-3|half");
    expect_result(&host, run, SNEK_E_NOT_FOUND, "no such user");
}

static void a_connection_follows_its_cursors(void **state) {
    (void)state;
    static const struct {
        const char *cursor, *answer;
    } pages[] = {{"null", "{\"data\":{\"x\":{\"nodes\":[{\"name\":\"a\"}],\"pageInfo\":{"
                          "\"hasNextPage\":true,\"endCursor\":\"Y\\\"3\"}}}}"},
                 {"\"Y\\\"3\"", "{\"data\":{\"x\":{\"nodes\":[],\"pageInfo\":{\"hasNextPage\":true,"
                                "\"endCursor\":\"Z\"}}}}"},
                 {"\"Z\"", "{\"data\":{\"x\":{\"nodes\":[{\"name\":\"b\"}],\"pageInfo\":{"
                           "\"hasNextPage\":false,\"endCursor\":null}}}}"}};
    for (int variable = 0; variable < 2; variable++) {
        probe(variable ? "{\"do\":\"graphql\",\"query\":\"q\",\"path\":\"data.x\",\"variables\":{"
                         "\"n\":7 }}"
                       : "{\"do\":\"graphql\",\"query\":\"q\",\"path\":\"data.x\"}");
        for (size_t i = 0; i < 3; i++) {
            char body[200];
            AUTO_RECEIVED struct received received = {0};
            snprintf(body, sizeof body, "{\"query\":\"q\",\"variables\":{%s\"after\":%s}}",
                     variable ? "\"n\":7," : "", pages[i].cursor);
            expect_http(&host, &received, "POST", "/graphql", body);
            host_reply(&host, &received, 0, 200, "", "", pages[i].answer);
        }
        expect_log(&host, run, "a,b,0|200");
        expect_result(&host, run, SNEK_DONE, "");
    }
}

static void a_connection_without_page_info_is_an_error(void **state) {
    (void)state;
    AUTO_RECEIVED struct received received = {0};
    probe("{\"do\":\"graphql\",\"query\":\"q\",\"path\":\"data.x\"}");
    host_receive(&host, FRAME_HTTP_CALL, &received);
    host_reply(&host, &received, 0, 200, "", "",
               "{\"data\":{\"x\":{\"nodes\":[{\"name\":\"a\"}]}}}");
    expect_log(&host, run, "a,-2|200");
    expect_result(
        &host, run, SNEK_E_INVALID,
        "data.x has no pageInfo: ask for pageInfo { hasNextPage endCursor } in the query");
}

static void a_change_that_can_never_succeed_is_rejected(void **state) {
    (void)state;
    static const struct {
        const char *method;
        int64_t code;
        uint64_t status;
        const char *body;
        int64_t result;
    } table[] = {
        {"POST", SNEK_E_FORBIDDEN, 403,
         "{\"message\":\"Unable to create comment because issue is locked.\"}", SNEK_REJECTED},
        {"PATCH", SNEK_E_FORBIDDEN, 403,
         "{\"message\":\"Repository was archived so is read-only.\"}", SNEK_REJECTED},
        {"POST", SNEK_E_NOT_FOUND, 410, "{\"message\":\"This issue was deleted\"}", SNEK_REJECTED},
        {"POST", SNEK_E_VALIDATION, 451, "{}", SNEK_REJECTED},
        {"POST", SNEK_E_VALIDATION, 422,
         "{\"message\":\"Validation Failed\",\"errors\":[{\"code\":\"custom\"},{\"message\":\"User "
         "is blocked\"}]}",
         SNEK_REJECTED},
        {"POST", SNEK_E_VALIDATION, 422,
         "{\"message\":\"Validation Failed\",\"errors\":[\"body is too long (maximum is 65536 "
         "characters)\"]}",
         SNEK_REJECTED},
        {"POST", SNEK_E_FORBIDDEN, 403, "{\"message\":\"Resource not accessible by integration\"}",
         SNEK_E_FORBIDDEN},
        {"POST", SNEK_E_VALIDATION, 200,
         "{\"data\":null,\"errors\":[{\"message\":\"Body is too long (maximum is 65536 "
         "characters)\"}]}",
         SNEK_REJECTED},
        {"POST", SNEK_E_VALIDATION, 422, "{\"message\":\"Validation Failed\"}", SNEK_E_VALIDATION},
        {"PUT", SNEK_E_VALIDATION, 422, "{\"message\":\"Merging is blocked until checks pass\"}",
         SNEK_E_VALIDATION},
        {"POST", SNEK_E_VALIDATION, 422,
         "{\"message\":\"Reference update failed: cannot lock ref\"}", SNEK_E_VALIDATION},
        {"POST", SNEK_E_NOT_FOUND, 404, "{\"message\":\"Not Found, perhaps archived\"}",
         SNEK_E_NOT_FOUND},
        {"GET", SNEK_E_NOT_FOUND, 410, "{\"message\":\"This issue was deleted\"}",
         SNEK_E_NOT_FOUND},
        {"POST", SNEK_E_SERVER, 502, "<html>locked</html>", SNEK_E_SERVER},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        AUTO_RECEIVED struct received received = {0};
        char payload[100];
        snprintf(payload, sizeof payload,
                 "{\"do\":\"send\",\"method\":\"%s\",\"url\":\"/x\",\"deaf\":1}", table[i].method);
        probe(payload);
        expect_http(&host, &received, table[i].method, "/x", "");
        host_reply(&host, &received, table[i].code, table[i].status, "GitHub said no", "",
                   table[i].body);
        expect_result(&host, run, table[i].result, "GitHub said no");
    }
}

static void a_reply_over_65536_characters_is_rejected_at_once(void **state) {
    (void)state;
    probe("{\"do\":\"reply\",\"n\":65537}");
    expect_result(
        &host, run, SNEK_REJECTED,
        "the comment is longer than 65536 characters, GitHub's limit: shorten or split it, or "
        "let snek_cut() cut it");
    /* Its length is right; the event of these tests has no target. */
    probe("{\"do\":\"reply\",\"n\":65536}");
    expect_result(&host, run, SNEK_E_NO_TARGET, NULL);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_carries_its_query_headers_media_types_and_repository),
        cmocka_unit_test(the_templates_of_payloads_are_expanded),
        cmocka_unit_test(every_url_template_of_a_payload_is_expanded),
        cmocka_unit_test(a_url_in_the_payload_is_marked_as_announced),
        cmocka_unit_test(a_request_with_an_invalid_part_is_not_sent),
        cmocka_unit_test(a_list_follows_its_links_page_by_page),
        cmocka_unit_test(a_list_inside_an_object_is_read_too),
        cmocka_unit_test(a_list_ends_with_the_error_of_its_page),
        cmocka_unit_test(a_response_without_a_list_is_an_error),
        cmocka_unit_test(an_object_with_several_arrays_is_a_list_only_with_a_key),
        cmocka_unit_test(no_content_is_an_empty_list),
        cmocka_unit_test(a_page_that_links_to_itself_is_an_error),
        cmocka_unit_test(a_list_ends_after_its_last_page),
        cmocka_unit_test(a_query_is_sent_with_its_variables),
        cmocka_unit_test(a_connection_follows_its_cursors),
        cmocka_unit_test(a_connection_without_page_info_is_an_error),
        cmocka_unit_test(a_change_that_can_never_succeed_is_rejected),
        cmocka_unit_test(a_reply_over_65536_characters_is_rejected_at_once),
    };
    if (worker_tests_setup(argc, argv) < 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, start, end);
    worker_tests_finish();
    return failed;
}
