/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How snekomatic-worker checks the roles of a command: the requests that it makes, the responses
 * that decide, and the denials that it sends and remembers. */
#include "worker_host.h"

#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#define NOW_MS 1700000000000
#define HOUR_MS 3600000
#define LEVEL_URL "/repos/sneks/terrarium/collaborators/mo%20na/permission"
#define MEMBER_URL "/orgs/sneks/members/mo%20na"
#define COMMENTS_URL "https://h/i/3/comments"
#define NO_LEVEL "{\"permission\":\"read\"}"

/* A comment with `words`, by the user 7 on issue 12 of the user 8. */
static const char *comment_by(int author, const char *words) {
    static char payload[1000];
    snprintf(
        payload, sizeof payload,
        "{\"repository\":{\"id\":5,\"name\":\"terrarium\",\"owner\":{\"login\":\"sneks\"}},"
        "\"organization\":{\"login\":\"sneks\"},\"issue\":{\"number\":12,\"user\":{\"login\":"
        "\"leo\",\"id\":8},\"comments_url\":\"" COMMENTS_URL "\"},\"comment\":{\"body\":\"%s\","
        "\"url\":\"https://h/c/9\",\"author_association\":\"OWNER\",\"user\":{\"login\":\"mo na\","
        "\"id\":%d}}}",
        words, author);
    return payload;
}

static void start(struct worker_host *host) {
    const struct worker_options options = {.quiet = true};
    host_start(host, "test-order", &options);
}

static void comment(struct worker_host *host, uint64_t run, const char *words) {
    host_run(host, run, "issue_comment", "created", comment_by(7, words));
}

/* Receives a read and responds to it. */
static void serve(struct worker_host *host, const char *url, int64_t outcome, uint64_t status,
                  const char *sentence, const char *body) {
    AUTO_RECEIVED struct received call = {0};
    expect_http(host, &call, "GET", url, "");
    host_reply(host, &call, outcome, status, sentence, "", body);
}

static void serve_change(struct worker_host *host, const char *url, const char *body,
                         int64_t outcome, uint64_t status) {
    AUTO_RECEIVED struct received call = {0};
    expect_http(host, &call, "POST", url, body);
    host_reply(host, &call, outcome, status, "GitHub rejects it", "", "{}");
}

/* The worker reads its key, and gets `value`, NULL for none. */
static void serve_denials(struct worker_host *host, const char *value) {
    AUTO_RECEIVED struct received call = {0};
    host_receive(host, FRAME_STORE_CALL, &call);
    assert_int_equal(received_number(&call), FRAME_KEY_GET);
    assert_int_equal(received_number(&call), 1); /* of the installation */
    assert_string_equal(received_text(&call), "");
    assert_string_equal(received_text(&call), "snekomatic.denials");
    host_store_reply(host, &call, value ? 1 : 0, value ? value : "", value ? strlen(value) : 0);
}

static void expect_denials(struct worker_host *host, const char *value) {
    AUTO_RECEIVED struct received call = {0};
    host_receive(host, FRAME_STORE_CALL, &call);
    assert_int_equal(received_number(&call), FRAME_KEY_PUT);
    received_number(&call);
    received_text(&call);
    assert_string_equal(received_text(&call), "snekomatic.denials");
    assert_string_equal(received_text(&call), value);
    host_store_reply(host, &call, 1, "", 0);
}

/* ---- requests ---- */

static void a_level_and_a_membership_are_asked_once_per_comment(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    comment(&host, 1, "/admins\\n/members\\n/admins\\n/members\\n/one");
    serve(&host, LEVEL_URL, 0, 200, "", NO_LEVEL);
    expect_log(&host, 1, "mo na may not use /admins");
    serve(&host, MEMBER_URL, 0, 204, "", "");
    expect_log(&host, 1, "members");
    expect_log(&host, 1, "mo na may not use /admins");
    expect_log(&host, 1, "members");
    expect_log(&host, 1, "one:[/one]");
    expect_result(&host, 1, SNEK_SKIPPED, "one:[/one] said so");
    /* The next run asks again. */
    comment(&host, 2, "/admins");
    serve(&host, LEVEL_URL, 0, 200, "", "{\"permission\":\"admin\"}");
    expect_log(&host, 2, "members");
    expect_result(&host, 2, SNEK_SKIPPED, NULL);
    host_end(&host);
}

static void only_the_redirect_of_a_membership_is_not_followed(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received level = {0};
    AUTO_RECEIVED struct received member = {0};
    start(&host);
    comment(&host, 1, "/admins\\n/members");
    expect_http_with(&host, &level, 0, "GET", LEVEL_URL, "", "", "", "", "");
    host_reply(&host, &level, SNEK_E_NOT_FOUND, 404, "not found", "", "{}");
    expect_log(&host, 1, "mo na may not use /admins");
    expect_http_with(&host, &member, FRAME_HTTP_NO_FOLLOW, "GET", MEMBER_URL, "", "", "", "", "");
    host_reply(&host, &member, 0, 204, "", "", "");
    expect_log(&host, 1, "members");
    expect_result(&host, 1, SNEK_SKIPPED, NULL);
    host_end(&host);
}

static void the_author_of_the_item_is_known_by_id(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    host_run(&host, 1, "issue_comment", "created", comment_by(8, "/members"));
    expect_log(&host, 1, "members");
    expect_result(&host, 1, SNEK_SKIPPED, NULL);
    host_end(&host);
}

static void a_deleted_account_may_use_only_commands_for_anybody(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    host_run(
        &host, 1, "issue_comment", "created",
        "{\"comment\":{\"body\":\"/members\\n/one\",\"user\":null},\"issue\":{\"user\":null}}");
    expect_log(&host, 1, "a deleted account may not use /members");
    expect_log(&host, 1, "one:[/one]");
    expect_result(&host, 1, SNEK_SKIPPED, NULL);
    host_end(&host);
}

static void an_owner_by_association_alone_is_denied(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    comment(&host, 1, "/admins");
    serve(&host, LEVEL_URL, SNEK_E_NOT_FOUND, 404, "not found", "{}");
    expect_log(&host, 1, "mo na may not use /admins");
    expect_result(&host, 1, SNEK_SKIPPED, "mo na may not use /admins");
    host_end(&host);
}

static void a_response_that_decides_nothing_is_the_runs_failure(void **state) {
    (void)state;
    static const struct {
        int64_t outcome;
        uint64_t status;
        const char *sentence;
    } table[] = {
        {SNEK_E_SERVER, 500, "GET it answered 500"},
        {SNEK_E_SERVER, 404, "GET it answered 404 with a page"},
        {SNEK_E_NOT_FOUND, 410, "GET it answered 410"},
        {SNEK_E_FORBIDDEN, 401, "GET it answered 401"},
        {SNEK_E_RATE_LIMITED, 403, "a rate limit"},
        {SNEK_E_REQUEUE, 0, "a rate limit"},
        {SNEK_E_NOT_GRANTED, 403, "it is suspended"},
        {SNEK_E_NETWORK, 0, "no route to host"},
    };
    struct worker_host host;
    start(&host);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        comment(&host, 2 * i + 1, "/one\\n/admins\\n/one");
        expect_log(&host, 2 * i + 1, "one:[/one]");
        serve(&host, LEVEL_URL, table[i].outcome, table[i].status, table[i].sentence, "{}");
        expect_result(&host, 2 * i + 1, table[i].outcome, table[i].sentence);
    }
    comment(&host, 100, "/members");
    serve(&host, MEMBER_URL, 0, 200, "", "<html>");
    expect_result(&host, 100, SNEK_E_SERVER, NULL);
    host_end(&host);
}

static void a_response_that_hides_the_fact_denies_and_is_logged(void **state) {
    (void)state;
    static const struct {
        const char *words, *url;
        int64_t outcome;
        uint64_t status;
        const char *log;
    } table[] = {
        {"/admins", LEVEL_URL, SNEK_E_FORBIDDEN, 403,
         "GitHub does not let this app know the permission of mo na, so it counts as none: it "
         "needs metadata=read"},
        {"/members", MEMBER_URL, SNEK_E_FORBIDDEN, 403,
         "GitHub does not let this app know the membership of mo na, so it counts as none: it "
         "needs metadata=read"},
        {"/members", MEMBER_URL, SNEK_E_SERVER, 302,
         "GitHub does not let this app know the membership of mo na, so it counts as none: it "
         "needs metadata=read"},
    };
    struct worker_host host;
    start(&host);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char denied[100];
        comment(&host, i + 1, table[i].words);
        serve(&host, table[i].url, table[i].outcome, table[i].status, "it needs metadata=read",
              "{}");
        expect_log(&host, i + 1, table[i].log);
        snprintf(denied, sizeof denied, "mo na may not use %s", table[i].words);
        expect_log(&host, i + 1, denied);
        if (strcmp(table[i].words, "/members") == 0) {
            /* Denied a moment ago. */
            serve_denials(&host, "5#12 7 1700000000000\n");
        }
        expect_result(&host, i + 1, SNEK_SKIPPED, denied);
    }
    host_end(&host);
}

/* ---- denials ---- */

static void a_denial_is_sent_once_per_comment_and_stored_first(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    comment(&host, 1, "/writers\\n/writers\\n/one");
    serve(&host, LEVEL_URL, 0, 200, "", NO_LEVEL);
    expect_log(&host, 1, "mo na may not use /writers");
    serve_denials(&host, NULL);
    expect_denials(&host, "5#12 7 1700000000000\n");
    serve_change(&host, COMMENTS_URL, "{\"body\":\"Not you.\"}", 0, 201);
    expect_log(&host, 1, "mo na may not use /writers");
    expect_log(&host, 1, "one:[/one]");
    expect_result(&host, 1, SNEK_SKIPPED, NULL);
    host_end(&host);
}

/* The time of an earlier denial, from the arrival of this comment. */
static void expect_repeated(struct worker_host *host, uint64_t run, int64_t ago_ms, bool repeated) {
    char before[100], after[200];
    snprintf(before, sizeof before, "5#12 7 %lld\n", (long long)(NOW_MS - ago_ms));
    host_run_at(host, run, "issue_comment", "created", comment_by(7, "/writers"), NOW_MS);
    serve(host, LEVEL_URL, 0, 200, "", NO_LEVEL);
    expect_log(host, run, "mo na may not use /writers");
    serve_denials(host, before);
    if (repeated) {
        snprintf(after, sizeof after, "5#12 7 %lld\n", (long long)NOW_MS);
        expect_denials(host, after);
        serve_change(host, COMMENTS_URL, "{\"body\":\"Not you.\"}", 0, 201);
    }
    expect_result(host, run, SNEK_SKIPPED, "mo na may not use /writers");
}

static void a_denial_is_repeated_after_an_hour_only(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    expect_repeated(&host, 1, 0, false);
    expect_repeated(&host, 2, HOUR_MS - 1, false);
    expect_repeated(&host, 3, HOUR_MS, true);
    /* The earlier denial belongs to a comment that arrived later. */
    expect_repeated(&host, 4, -1000, false);
    host_end(&host);
}

static void denials_of_others_stay_and_old_ones_go(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    comment(&host, 1, "/writers");
    serve(&host, LEVEL_URL, 0, 200, "", NO_LEVEL);
    expect_log(&host, 1, "mo na may not use /writers");
    serve_denials(&host, "5#12 77 1699999999000\n5#12 7 1600000000000\n5#1 7 1699999999000\n"
                         "nonsense\n15#12 7 1699999999000");
    expect_denials(&host, "5#12 77 1699999999000\n5#1 7 1699999999000\n15#12 7 1699999999000\n"
                          "5#12 7 1700000000000\n");
    serve_change(&host, COMMENTS_URL, "{\"body\":\"Not you.\"}", 0, 201);
    expect_result(&host, 1, SNEK_SKIPPED, NULL);
    host_end(&host);
}

static void denials_are_bounded_and_silent_beyond(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer many = BUFFER_INIT(65536);
    struct worker_host host;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(buffer_printf(&many, "5#%d 7 1699999999000\n", i + 1000), 0);
    }
    start(&host);
    comment(&host, 1, "/writers");
    serve(&host, LEVEL_URL, 0, 200, "", NO_LEVEL);
    expect_log(&host, 1, "mo na may not use /writers");
    serve_denials(&host, many.data);
    expect_log(&host, 1,
               "too many people were denied a command in the last hour: this one is ignored "
               "silently");
    expect_result(&host, 1, SNEK_SKIPPED, NULL);
    host_end(&host);
}

static void a_denial_that_github_rejects_costs_nothing(void **state) {
    (void)state;
    struct worker_host host;
    start(&host);
    comment(&host, 1, "/members");
    serve(&host, MEMBER_URL, SNEK_E_NOT_FOUND, 404, "no", "{}");
    expect_log(&host, 1, "mo na may not use /members");
    serve_denials(&host, NULL);
    expect_denials(&host, "5#12 7 1700000000000\n");
    serve_change(&host, "https://h/c/9/reactions", "{\"content\":\"-1\"}", SNEK_E_FORBIDDEN, 403);
    expect_log(&host, 1, "cannot respond to a denied command: GitHub rejects it");
    expect_result(&host, 1, SNEK_SKIPPED, "mo na may not use /members");
    /* A failure that may pass is the run's. */
    comment(&host, 2, "/members");
    serve(&host, MEMBER_URL, SNEK_E_NOT_FOUND, 404, "no", "{}");
    expect_log(&host, 2, "mo na may not use /members");
    serve_denials(&host, NULL);
    expect_denials(&host, "5#12 7 1700000000000\n");
    serve_change(&host, "https://h/c/9/reactions", "{\"content\":\"-1\"}", SNEK_E_SERVER, 502);
    expect_result(&host, 2, SNEK_E_SERVER, "GitHub rejects it");
    host_end(&host);
}

static void a_full_store_makes_denials_silent(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received put = {0};
    start(&host);
    comment(&host, 1, "/writers");
    serve(&host, LEVEL_URL, 0, 200, "", NO_LEVEL);
    expect_log(&host, 1, "mo na may not use /writers");
    serve_denials(&host, NULL);
    host_receive(&host, FRAME_STORE_CALL, &put);
    host_store_reply(&host, &put, SNEK_E_TOO_LARGE, "the store is full", 17);
    expect_log(&host, 1, "cannot respond to a denied command: the store is full");
    expect_result(&host, 1, SNEK_SKIPPED, "mo na may not use /writers");
    host_end(&host);
}

/* ---- discussions ---- */

static const char *in_discussion(const char *comment) {
    static char payload[600];
    snprintf(payload, sizeof payload,
             "{\"discussion\":{\"node_id\":\"D_1\",\"number\":31,\"body\":\"/answer\"}%s}",
             comment);
    return payload;
}

/* The handler of /answer replies and adds a heart. */
static void expect_answer(struct worker_host *host, const char *parent, const char *subject) {
    char body[500];
    snprintf(body, sizeof body,
             "{\"query\":\"mutation($discussion: ID!, $body: String!, $parent: ID) { "
             "addDiscussionComment(input: {discussionId: $discussion, body: $body, replyToId: "
             "$parent}) { comment { databaseId } } "
             "}\",\"variables\":{\"discussion\":\"D_1\",\"body\":\"pong "
             "\\\"!\\\"\\u000a\",\"parent\":%s}}",
             parent);
    serve_change(host, "/graphql", body, 0, 200);
    snprintf(
        body, sizeof body,
        "{\"query\":\"mutation($subject: ID!, $content: ReactionContent!) { "
        "addReaction(input: {subjectId: $subject, content: $content}) { reaction { content } } "
        "}\",\"variables\":{\"subject\":\"%s\",\"content\":\"HEART\"}}",
        subject);
    serve_change(host, "/graphql", body, 0, 200);
    expect_log(host, 1, "0 0 body -2");
    expect_result(host, 1, SNEK_DONE, NULL);
    host_end(host);
}

static void a_reply_in_a_discussion_goes_into_its_thread(void **state) {
    (void)state;
    struct worker_host host;
    AUTO_RECEIVED struct received query = {0};
    start(&host);
    host_run(&host, 1, "discussion", "created", in_discussion(""));
    expect_answer(&host, "null", "D_1");
    start(&host);
    host_run(&host, 1, "discussion_comment", "created",
             in_discussion(
                 ",\"comment\":{\"node_id\":\"DC_2\",\"parent_id\":null,\"body\":\"/answer\"}"));
    expect_answer(&host, "\"DC_2\"", "DC_2");
    start(&host);
    host_run(
        &host, 1, "discussion_comment", "created",
        in_discussion(",\"comment\":{\"node_id\":\"DC_3\",\"parent_id\":2,\"body\":\"/answer\"}"));
    expect_http(&host, &query, "POST", "/graphql",
                "{\"query\":\"query($id: ID!) { node(id: $id) { ... on DiscussionComment { replyTo "
                "{ id } } } }\",\"variables\":{\"id\":\"DC_3\"}}");
    host_reply(&host, &query, 0, 200, "", "",
               "{\"data\":{\"node\":{\"replyTo\":{\"id\":\"DC_2\"}}}}");
    expect_answer(&host, "\"DC_2\"", "DC_3");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_and_a_membership_are_asked_once_per_comment),
        cmocka_unit_test(only_the_redirect_of_a_membership_is_not_followed),
        cmocka_unit_test(the_author_of_the_item_is_known_by_id),
        cmocka_unit_test(a_deleted_account_may_use_only_commands_for_anybody),
        cmocka_unit_test(an_owner_by_association_alone_is_denied),
        cmocka_unit_test(a_response_that_decides_nothing_is_the_runs_failure),
        cmocka_unit_test(a_response_that_hides_the_fact_denies_and_is_logged),
        cmocka_unit_test(a_denial_is_sent_once_per_comment_and_stored_first),
        cmocka_unit_test(a_denial_is_repeated_after_an_hour_only),
        cmocka_unit_test(denials_of_others_stay_and_old_ones_go),
        cmocka_unit_test(denials_are_bounded_and_silent_beyond),
        cmocka_unit_test(a_denial_that_github_rejects_costs_nothing),
        cmocka_unit_test(a_full_store_makes_denials_silent),
        cmocka_unit_test(a_reply_in_a_discussion_goes_into_its_thread),
    };
    int result = 1;
    if (worker_tests_setup(argc, argv) == 0) {
        result = cmocka_run_group_tests(tests, NULL, NULL);
    }
    worker_tests_finish();
    return result;
}
