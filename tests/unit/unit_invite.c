/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plugins/invite against a host that remembers what it was asked: the order, the record, and the
 * words. What the real host and GitHub make of it is in tests/system/test_invite.py. */
#include "fake_host.h"

#include "../../plugins/invite/invite.c"

#define PAYLOAD(merged, user, organization)                                                        \
    "{\"pull_request\":{\"merged\":" merged ",\"user\":" user                                      \
    ",\"comments_url\":\"https://api.example/comments\"}," organization                            \
    "\"repository\":{\"name\":\"trio.py\"}}"
#define NJS "{\"login\":\"NJ-Smith\",\"id\":609,\"type\":\"User\"}"
#define TRIO "\"organization\":{\"login\":\"Python-Trio\"},"
#define FIRST_MERGE PAYLOAD("true", NJS, TRIO)
#define MEMBERSHIP_OF_NJS "/orgs/Python-Trio/memberships/NJ-Smith"
#define ASKED "has invited python-trio/609\nhas sent_invitation NJ-Smith\n"

static const struct fake_answer all_well[] = {{"GET " MEMBERSHIP_OF_NJS, 404, "{}"},
                                              {"PUT " MEMBERSHIP_OF_NJS, 200, "{}"},
                                              {"POST https://api.example/comments", 201, "{}"},
                                              {NULL, 0, NULL}};

static int reset(void **state) {
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.payload = FIRST_MERGE;
    fake.config = "{\"message\":\"Hi @{user}\"}";
    fake.answers = all_well;
    return 0;
}

/* create(), the handler of pull_request/closed, destroy(). */
static int32_t handle(void) {
    const struct snek_plugin *plugin = snek_plugin_entry();
    struct snek_run run = {&fake_host, NULL};
    assert_int_equal(plugin->create(&fake_host, &run.state), 0);
    fake.did[0] = '\0';
    assert_int_equal(plugin->subscriptions_count, 1);
    assert_string_equal(plugin->subscriptions[0].event, "pull_request");
    assert_string_equal(plugin->subscriptions[0].action, "closed");
    int32_t result = plugin->subscriptions[0].handler(&run);
    plugin->destroy(run.state);
    return result;
}

static int32_t create_with(const char *config) {
    void *made = NULL;
    fake.config = config;
    int32_t result = snek_plugin_entry()->create(&fake_host, &made);
    snek_plugin_entry()->destroy(made);
    return result;
}

/* The comment that a first merge brings, with this configuration. */
static const char *comment_with(const char *config) {
    fake.config = config;
    assert_int_equal(handle(), SNEK_DONE);
    const char *body = strstr(fake.did, "body=");
    assert_non_null(body);
    return body + strlen("body=");
}

static void it_asks_invites_records_and_welcomes_in_this_order(void **state) {
    (void)state;
    assert_int_equal(handle(), SNEK_DONE);
    assert_string_equal(fake.did, ASKED "GET " MEMBERSHIP_OF_NJS " \n"
                                        "PUT " MEMBERSHIP_OF_NJS " role=member\n"
                                        "add invited python-trio/609\n"
                                        "POST https://api.example/comments body=Hi @NJ-Smith\n");
}

static void what_is_no_persons_merge_into_an_organisation_is_skipped_untouched(void **state) {
    (void)state;
    static const char *const payloads[] = {
        PAYLOAD("false", NJS, TRIO),
        PAYLOAD("null", NJS, TRIO),
        PAYLOAD("true", "null", TRIO),
        PAYLOAD("true", "{\"login\":\"b\",\"id\":1,\"type\":\"Bot\"}", TRIO),
        PAYLOAD("true", "{\"login\":\"b\",\"id\":1,\"type\":\"bOT\"}", TRIO),
        PAYLOAD("true", NJS, ""),
        PAYLOAD("true", NJS, "\"organization\":null,"),
    };
    for (size_t i = 0; i < COUNT(payloads); i++) {
        fake.payload = payloads[i];
        fake.reason[0] = '\0';
        assert_int_equal(handle(), SNEK_SKIPPED);
        assert_string_equal(fake.did, "");
        assert_true(strlen(fake.reason) > 0);
    }
}

static void a_payload_that_lacks_something_is_rejected_untouched(void **state) {
    (void)state;
    static const char *const payloads[] = {
        PAYLOAD("true", "{\"id\":1}", TRIO),
        PAYLOAD("true", "{\"login\":\"a\"}", TRIO),
        PAYLOAD("true", "{\"login\":\"\",\"id\":1}", TRIO),
        PAYLOAD("true", NJS, "\"organization\":{},"),
        "{\"pull_request\":{\"merged\":true,\"user\":" NJS "}," TRIO
        "\"repository\":{\"name\":\"x\"}}",
        "{\"pull_request\":{\"merged\":true,\"user\":" NJS ",\"comments_url\":\"x\"}," TRIO
        "\"repository\":{}}",
    };
    for (size_t i = 0; i < COUNT(payloads); i++) {
        fake.payload = payloads[i];
        assert_int_equal(handle(), SNEK_REJECTED);
        assert_string_equal(fake.did, "");
    }
}

static void a_name_cannot_bring_markdown_or_a_mention(void **state) {
    (void)state;
    static const char *const payloads[] = {
        PAYLOAD("true", "{\"login\":\"a](http://x)\",\"id\":1}", TRIO),
        PAYLOAD("true", "{\"login\":\"a @b\",\"id\":1}", TRIO),
        PAYLOAD("true", "{\"login\":\"a\\nb\",\"id\":1}", TRIO),
        PAYLOAD("true", "{\"login\":\"{guide_url}\",\"id\":1}", TRIO),
        PAYLOAD("true", "{\"login\":\"\xC3\xA9\",\"id\":1}", TRIO),
        PAYLOAD("true", NJS, "\"organization\":{\"login\":\"a/b\"},"),
        "{\"pull_request\":{\"merged\":true,\"user\":" NJS ",\"comments_url\":\"x\"}," TRIO
        "\"repository\":{\"name\":\"a)b\"}}",
    };
    for (size_t i = 0; i < COUNT(payloads); i++) {
        fake.payload = payloads[i];
        assert_int_equal(handle(), SNEK_REJECTED);
        assert_string_equal(fake.did, "");
    }
    fake.payload = PAYLOAD("true", "{\"login\":\"mona_corp\",\"id\":1}", TRIO); /* a managed user */
    assert_int_equal(handle(), SNEK_E_NETWORK);
}

static void who_was_invited_before_costs_no_request(void **state) {
    (void)state;
    fake.entries[0] = "invited python-trio/609";
    assert_int_equal(handle(), SNEK_SKIPPED);
    assert_string_equal(fake.did, "has invited python-trio/609\n");
    fake.entries[0] = "sent_invitation NJ-Smith";
    assert_int_equal(handle(), SNEK_SKIPPED);
    assert_string_equal(fake.did, ASKED);
}

static void a_store_that_fails_ends_it_before_any_request(void **state) {
    (void)state;
    fake.failing_set = "invited";
    assert_int_equal(handle(), SNEK_E_STORE);
    assert_string_equal(fake.did, "has invited python-trio/609\n");
    fake.failing_set = "sent_invitation";
    assert_int_equal(handle(), SNEK_E_STORE);
    assert_string_equal(fake.did, ASKED);
}

static void a_member_or_somebody_invited_is_recorded_and_left_alone(void **state) {
    (void)state;
    static const char *const states[] = {"{\"state\":\"active\"}", "{\"state\":\"pending\"}"};
    for (size_t i = 0; i < COUNT(states); i++) {
        const struct fake_answer answers[] = {{"GET " MEMBERSHIP_OF_NJS, 200, states[i]},
                                              {NULL, 0, NULL}};
        fake.answers = answers;
        assert_int_equal(handle(), SNEK_SKIPPED);
        assert_string_equal(fake.did,
                            ASKED "GET " MEMBERSHIP_OF_NJS " \nadd invited python-trio/609\n");
    }
}

static void any_other_answer_about_the_membership_is_an_error(void **state) {
    (void)state;
    static const struct fake_answer others[] = {
        {"GET " MEMBERSHIP_OF_NJS, 500, "{}"},
        {"GET " MEMBERSHIP_OF_NJS, 410, "{}"},
        {"GET " MEMBERSHIP_OF_NJS, 0, "{}"},
        {"GET " MEMBERSHIP_OF_NJS, 200, "{}"},
        {"GET " MEMBERSHIP_OF_NJS, 200, "{\"state\":\"else\"}"}};
    for (size_t i = 0; i < COUNT(others); i++) {
        const struct fake_answer answers[] = {others[i], {NULL, 0, NULL}};
        fake.answers = answers;
        assert_true(handle() < 0);
        assert_string_equal(fake.did, ASKED "GET " MEMBERSHIP_OF_NJS " \n");
    }
}

static void a_failed_invitation_is_neither_recorded_nor_announced(void **state) {
    (void)state;
    const struct fake_answer answers[] = {
        all_well[0], {"PUT " MEMBERSHIP_OF_NJS, 422, "{}"}, all_well[2], {NULL, 0, NULL}};
    fake.answers = answers;
    assert_true(handle() < 0);
    assert_null(strstr(fake.did, "add "));
    assert_null(strstr(fake.did, "POST "));
}

static void a_failed_record_is_an_error_and_no_welcome(void **state) {
    (void)state;
    fake.failing_add = true;
    assert_int_equal(handle(), SNEK_E_STORE);
    assert_non_null(strstr(fake.did, "PUT "));
    assert_null(strstr(fake.did, "POST "));
    const struct fake_answer answers[] = {{"GET " MEMBERSHIP_OF_NJS, 200, "{\"state\":\"active\"}"},
                                          {NULL, 0, NULL}};
    fake.answers = answers;
    assert_int_equal(handle(), SNEK_E_STORE);
}

static void a_failed_welcome_is_an_error_after_the_record(void **state) {
    (void)state;
    const struct fake_answer answers[] = {all_well[0], all_well[1], {NULL, 0, NULL}};
    fake.answers = answers;
    assert_int_equal(handle(), SNEK_E_NETWORK);
    assert_non_null(strstr(fake.did, "add invited python-trio/609\nPOST "));
}

static void the_default_message_has_all_that_it_should(void **state) {
    (void)state;
    static const char *const parts[] = {
        "@NJ-Smith",
        "first pull request",
        "Thank you",
        "\xF0\x9F\x8E\x89",
        "\xF0\x9F\x90\x8D",
        "invitation to join Python-Trio",
        "notify",
        "triage",
        "review and merge",
        "badge",
        "](https://github.com/Python-Trio/trio.py/blob/HEAD/CONTRIBUTING.md)",
        "decline",
        "only a bot",
        "](https://github.com/python-trio/snekomatic)",
        "please ask in a comment right here",
        "\n\n",
    };
    const char *comment = comment_with("{}");
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!strstr(comment, parts[i])) {
            fail_msg("no \"%s\" in:\n%s", parts[i], comment);
        }
    }
    assert_null(strchr(comment, '{'));
}

static void parts_of_the_message_are_configured(void **state) {
    (void)state;
    const char *comment =
        comment_with("{\"guide_url\":\"https://g.example/{repository}\","
                     "\"code_url\":\"https://c.example\",\"ask\":\"in the\\nchat\"}");
    assert_non_null(strstr(comment, "](https://g.example/trio.py)"));
    assert_non_null(strstr(comment, "](https://c.example)"));
    assert_non_null(strstr(comment, "please ask in the chat."));
}

static void lines_join_and_blank_lines_stay(void **state) {
    (void)state;
    static const struct {
        const char *config, *comment;
    } cases[] = {
        {"{\"message\":\"a\\nb  c\"}", "a b  c\n"},
        {"{\"message\":\"\\n a \\n  b\\r\\nc\\n\\n\\n \\nd\\n\"}", "a b c\n\nd\n"},
        {"{\"message\":\"a\\n\\nb\\n\\nc\"}", "a\n\nb\n\nc\n"},
        {"{\"message\":\"a {ask} b\",\"ask\":\"c\\n\\nd\"}", "a c\n\nd b\n"},
        {"{\"message\":\"{organization}/{repository}: { {} {1} }\"}",
         "Python-Trio/trio.py: { {} {1} }\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(comment_with(cases[i].config), cases[i].comment);
    }
}

static void a_configuration_that_cannot_be_meant_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *config, *reason;
    } cases[] = {
        {"{\"unknown\":1}", "unknown key"},
        {"{\"message\":1}", "plugin.config.message must be a text"},
        {"{\"guide_url\":true}", "plugin.config.guide_url must be a text"},
        {"{\"message\":\"\"}", "message is empty"},
        {"{\"message\":\" \\n\\n\"}", "message is empty"},
        {"{\"message\":\"Hi @{usr}\"}", "nothing fills {usr};"},
        {"{\"ask\":\"{guide_url}\"}", "nothing fills {guide_url};"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(create_with(cases[i].config), SNEK_E_INVALID);
        assert_non_null(strstr(fake.reason, cases[i].reason));
    }
    fake.did[0] = '\0';
    assert_int_equal(create_with("{}"), 0);
    assert_string_equal(fake.did, "allow message\nallow guide_url\nallow code_url\nallow ask\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_asks_invites_records_and_welcomes_in_this_order, reset),
        cmocka_unit_test_setup(what_is_no_persons_merge_into_an_organisation_is_skipped_untouched,
                               reset),
        cmocka_unit_test_setup(a_payload_that_lacks_something_is_rejected_untouched, reset),
        cmocka_unit_test_setup(a_name_cannot_bring_markdown_or_a_mention, reset),
        cmocka_unit_test_setup(who_was_invited_before_costs_no_request, reset),
        cmocka_unit_test_setup(a_store_that_fails_ends_it_before_any_request, reset),
        cmocka_unit_test_setup(a_member_or_somebody_invited_is_recorded_and_left_alone, reset),
        cmocka_unit_test_setup(any_other_answer_about_the_membership_is_an_error, reset),
        cmocka_unit_test_setup(a_failed_invitation_is_neither_recorded_nor_announced, reset),
        cmocka_unit_test_setup(a_failed_record_is_an_error_and_no_welcome, reset),
        cmocka_unit_test_setup(a_failed_welcome_is_an_error_after_the_record, reset),
        cmocka_unit_test_setup(the_default_message_has_all_that_it_should, reset),
        cmocka_unit_test_setup(parts_of_the_message_are_configured, reset),
        cmocka_unit_test_setup(lines_join_and_blank_lines_stay, reset),
        cmocka_unit_test_setup(a_configuration_that_cannot_be_meant_is_refused, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
