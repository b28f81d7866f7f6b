/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ingest/body: what routing finds in a delivery, and what is no delivery. */
#include "unit.h"

#include "ingest/body.h"

#include <stdio.h>

static int read_text(const char *json, struct body_routing *routing, struct error *err) {
    return body_read(json, strlen(json), routing, err);
}

static void routing_finds_its_fields(void **state) {
    (void)state;
    static const struct {
        const char *json, *action, *installation, *repository, *sender;
    } cases[] = {
        {"{}", "", "", "", ""},
        {"{\"action\":\"closed\",\"installation\":{\"id\":12345,\"node_id\":\"x\"},"
         "\"repository\":{\"owner\":{\"full_name\":\"no\"},\"full_name\":\"o/r\"},"
         "\"sender\":{\"id\":1,\"login\":\"me\"}}",
         "closed", "12345", "o/r", "me"},
        {"{\"installation\":{\"id\":\"xyzzy\"}}", "", "xyzzy", "", ""},
        {"{\"installation\":{\"id\":123456789012345678901234567890}}", "",
         "123456789012345678901234567890", "", ""},
        {"{\"acti\\u006fn\":\"a\\u002Fb\\\"\"}", "a/b\"", "", "", ""},
        {"{\"action\":\"\\u00e9\\ud83d\\udc0d\"}", "\xC3\xA9\xF0\x9F\x90\x8D", "", "", ""},
        /* what is not of the right type is as if it were absent */
        {"{\"action\":1,\"installation\":null,\"repository\":\"o/r\",\"sender\":[{\"login\":1}]}",
         "", "", "", ""},
        {"{\"action\":null,\"installation\":{\"id\":null},\"repository\":{\"full_name\":{}},"
         "\"sender\":{\"login\":7}}",
         "", "", "", ""},
        {"{\"installation\":{\"id\":{\"id\":5}},\"sender\":{}}", "", "", "", ""},
        {"{\"installation\":{\"id\":true}}", "", "", "", ""},
        /* the first of equal keys counts, as it does for the plugin */
        {"{\"action\":\"a\",\"action\":\"b\"}", "a", "", "", ""},
        {"{\"action\":null,\"action\":\"b\"}", "", "", "", ""},
        {"{\"installation\":{},\"installation\":{\"id\":1}}", "", "", "", ""},
        {"{\"installation\":{\"id\":1,\"id\":2}}", "", "1", "", ""},
        /* only at the top, and only there */
        {"{\"x\":{\"action\":\"a\",\"installation\":{\"id\":1}},\"id\":2,\"login\":\"l\"}", "", "",
         "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body_routing routing;
        struct error err;
        if (read_text(cases[i].json, &routing, &err) < 0) {
            fail_msg("%s: %s", cases[i].json, err.text);
        }
        assert_string_equal(routing.action, cases[i].action);
        assert_string_equal(routing.installation, cases[i].installation);
        assert_string_equal(routing.repository, cases[i].repository);
        assert_string_equal(routing.sender, cases[i].sender);
    }
}

static void an_item_is_the_repositorys_id_and_its_number(void **state) {
    (void)state;
    static const struct {
        const char *json, *repository_id, *item;
    } cases[] = {
        {"{\"repository\":{\"id\":7},\"issue\":{\"number\":12}}", "7", "7#12"},
        {"{\"pull_request\":{\"id\":1,\"number\":12},\"repository\":{\"id\":7}}", "7", "7#12"},
        {"{\"discussion\":{\"number\":3},\"repository\":{\"full_name\":\"o/r\",\"id\":7}}", "7",
         "7#3"},
        {"{\"repository\":{\"id\":18446744073709551615},"
         "\"issue\":{\"number\":18446744073709551615}}",
         "18446744073709551615", "18446744073709551615#18446744073709551615"},
        /* a comment on a pull request: GitHub calls it an issue */
        {"{\"repository\":{\"id\":7},\"issue\":{\"pull_request\":{\"number\":9},\"number\":12}}",
         "7", "7#12"},
        /* without a repository there is no item, and numbers of other things are none */
        {"{\"issue\":{\"number\":12}}", "", ""},
        {"{\"repository\":{\"id\":7},\"milestone\":{\"number\":12},\"number\":12}", "7", ""},
        {"{\"repository\":{\"id\":7,\"issue\":{\"number\":12}}}", "7", ""},
        /* what is no natural number is as if it were absent */
        {"{\"repository\":{\"id\":\"7\"},\"issue\":{\"number\":12}}", "", ""},
        {"{\"repository\":{\"id\":7},\"issue\":{\"number\":-12}}", "7", ""},
        {"{\"repository\":{\"id\":7},\"issue\":{\"number\":1.2}}", "7", ""},
        {"{\"repository\":{\"id\":7},\"issue\":{\"number\":1e2}}", "7", ""},
        {"{\"repository\":{\"id\":7},\"issue\":{\"number\":\"12\"}}", "7", ""},
        {"{\"repository\":{\"id\":7},\"issue\":{\"number\":123456789012345678901}}", "7", ""},
        {"{\"repository\":{\"id\":7},\"issue\":null,\"pull_request\":{\"number\":12}}", "7",
         "7#12"},
        /* the first of equal keys counts */
        {"{\"repository\":{\"id\":7,\"id\":8},\"issue\":{\"number\":1,\"number\":2},"
         "\"issue\":{\"number\":3}}",
         "7", "7#1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body_routing routing;
        struct error err;
        if (read_text(cases[i].json, &routing, &err) < 0) {
            fail_msg("%s: %s", cases[i].json, err.text);
        }
        assert_string_equal(routing.repository_id, cases[i].repository_id);
        assert_string_equal(routing.item, cases[i].item);
    }
}

static void a_malformed_body_is_rejected_with_its_position(void **state) {
    (void)state;
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"", "body is not JSON: ends too early at byte 0"},
        {"{", "body is not JSON: ends too early at byte 1"},
        {"[]", "body is not a JSON object"},
        {"null", "body is not a JSON object"},
        {"payload=%7B%7D", "body is not JSON: bad number at byte 0"},
        {"{\"action\":\"closed\" \"x\":1}", "body is not JSON: ',' or '}' expected at byte 19"},
        {"{\"action\" 1}", "body is not JSON: ':' expected at byte 10"},
        {"{\"action\":}", "body is not JSON: bad number at byte 10"},
        {"{\"installation\":{\"id\":1 2}}", "body is not JSON: ',' or '}' expected at byte 24"},
        {"{\"installation\":{\"id\":[1 2]}}", "body is not JSON: ',' or ']' expected at byte 25"},
        {"{\"installation\":{\"x\":[1 2]}}", "body is not JSON: ',' or ']' expected at byte 24"},
        {"{\"installation\":{\"id\"", "body is not JSON: ends too early at byte 21"},
        {"{\"installation\":[", "body is not JSON: ends too early at byte 17"},
        {"{\"installation\":{1:2}}", "body is not JSON: a key expected at byte 17"},
        {"{\"x\":[1,{\"y\":tru}]}", "body is not JSON: not a JSON value at byte 13"},
        {"{}{}", "body is not JSON: more than one value at byte 2"},
        {"{\"a\":\"\x80\"}", "body is not JSON: not UTF-8 at byte 6"},
        {"{\"action\":\"a\\u0000b\"}", "action holds a control character"},
        {"{\"installation\":{\"id\":\"\\n\"}}", "installation.id holds a control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body_routing routing;
        struct error err;
        if (read_text(cases[i].json, &routing, &err) == 0) {
            fail_msg("taken: %s", cases[i].json);
        }
        assert_string_equal(err.text, cases[i].error);
    }
}

/* {"KEY": or {"KEY":{"INNER": a value of `bytes` digits */
static int read_long(const char *before, size_t bytes, const char *after, const char *unit) {
    char json[8192];
    size_t at = (size_t)snprintf(json, sizeof json, "%s", before);
    for (size_t i = 0; i < bytes; i++) {
        at += (size_t)snprintf(json + at, sizeof json - at, "%s", unit);
    }
    snprintf(json + at, sizeof json - at, "%s", after);
    struct body_routing routing;
    struct error err;
    return read_text(json, &routing, &err);
}

static void over_long_fields_are_rejected(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
        size_t max;
    } cases[] = {
        {"{\"action\":\"", "\"}", INBOX_NAME_MAX},
        {"{\"installation\":{\"id\":\"", "\"}}", INBOX_NAME_MAX},
        {"{\"installation\":{\"id\":", "}}", INBOX_NAME_MAX},
        {"{\"repository\":{\"full_name\":\"", "\"}}", BODY_REPOSITORY_MAX},
        {"{\"sender\":{\"login\":\"", "\"}}", BODY_SENDER_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_long(cases[i].before, cases[i].max, cases[i].after, "1"), 0);
        assert_int_equal(read_long(cases[i].before, cases[i].max + 1, cases[i].after, "1"), -1);
        assert_int_equal(read_long(cases[i].before, 5000, cases[i].after, "1"), -1);
    }
    /* it is what they stand for that counts */
    assert_int_equal(read_long("{\"action\":\"", 100, "\"}", "\\u0061"), 0);
    assert_int_equal(read_long("{\"action\":\"", 101, "\"}", "\\u0061"), -1);
    assert_int_equal(read_long("{\"repository\":{\"full_name\":\"", 200, "\"}}", "\\u0061"), 0);
    assert_int_equal(read_long("{\"repository\":{\"full_name\":\"", 201, "\"}}", "\\u0061"), -1);
}

static void a_nul_does_not_end_a_form(void **state) {
    (void)state;
    char form[] = "payload=%00%26", *json;
    size_t json_bytes;
    struct error err;
    assert_int_equal(body_decode_form(form, sizeof form - 1, &json, &json_bytes, &err), 0);
    assert_int_equal(json_bytes, 2);
    assert_memory_equal(json, "\0&", 2);
}

static void a_failure_leaves_the_output_alone(void **state) {
    (void)state;
    struct body_routing routing = {.action = "before"};
    struct error err;
    assert_int_equal(read_text("{\"action\":\"after\"", &routing, &err), -1);
    assert_string_equal(routing.action, "before");
}

static void the_payload_of_a_form_is_decoded(void **state) {
    (void)state;
    static const struct {
        const char *form, *json; /* NULL: rejected */
    } cases[] = {
        {"payload=%7B%22a%22%3A+1%7d", "{\"a\": 1}"},
        {"payload={}", "{}"},
        {"a=b&payload=%7B%7D&c", "{}"},
        {"p%61yload=1%2B1=2", "1+1=2"},
        {"payload=", ""},
        {"payload", ""},
        {"&&payload=x&&", "x"},
        {"", NULL},
        {"a=b", NULL},
        {"payloads=1", NULL},
        {"payload=1&payload=1", NULL},
        {"payload=1&pay%6coad=2", NULL},
        {"payload=%", NULL},
        {"payload=%4", NULL},
        {"payload=%4g", NULL},
        {"payload=%4&x=1", NULL},
        {"%zz=1&payload=1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char form[128], *json = NULL;
        size_t json_bytes = 0;
        struct error err;
        snprintf(form, sizeof form, "%s", cases[i].form);
        int result = body_decode_form(form, strlen(form), &json, &json_bytes, &err);
        if (cases[i].json) {
            assert_int_equal(result, 0);
            assert_int_equal(json_bytes, strlen(cases[i].json));
            assert_memory_equal(json, cases[i].json, json_bytes);
        } else if (result == 0) {
            fail_msg("taken: %s", cases[i].form);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routing_finds_its_fields),
        cmocka_unit_test(an_item_is_the_repositorys_id_and_its_number),
        cmocka_unit_test(a_malformed_body_is_rejected_with_its_position),
        cmocka_unit_test(over_long_fields_are_rejected),
        cmocka_unit_test(a_failure_leaves_the_output_alone),
        cmocka_unit_test(a_nul_does_not_end_a_form),
        cmocka_unit_test(the_payload_of_a_form_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
