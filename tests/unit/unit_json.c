/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* base/json: what is JSON, what is not, and finding things in it. */
#include "unit.h"

#include "base/json.h"

static int check(const char *json) {
    const char *why;
    size_t at;
    return json_check(json, strlen(json), &why, &at);
}

static void well_formed_json_is_accepted(void **state) {
    static const char *const good[] = {"{}",
                                       "[]",
                                       " [ ] ",
                                       "\"\"",
                                       "0",
                                       "-0",
                                       "-1.5e+3",
                                       "1E9",
                                       "true",
                                       "false",
                                       "null",
                                       "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
                                       "[\"\\u0000\\ud83d\\ude00\\\"\\/\"]",
                                       "\"\xF0\x9F\x90\x8D\"",
                                       "\t[1 ,\r\n2]\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (check(good[i]) != 0) {
            fail_msg("rejected: %s", good[i]);
        }
    }
}

static void malformed_json_is_rejected(void **state) {
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "[1,]",
                                      "{,}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "[1 2]",
                                      "{\"a\":1 \"b\":2}",
                                      "01",
                                      "-",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "+1",
                                      "tru",
                                      "nul",
                                      "NaN",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12g4\"",
                                      "\"\n\"",
                                      "\"\x80\"",
                                      "\"\xC0\xAF\"",
                                      "\"\xED\xA0\x80\"",
                                      "[1]]",
                                      "{}{}",
                                      "[}",
                                      "{]",
                                      "'a'",
                                      "\"\\",
                                      "\"\\u12"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (check(bad[i]) == 0) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

/* The scanner looks at many bytes of a string at a time: each kind of byte, at each place, in
 * strings of each length up to four steps. The bytes behind the string's end must not matter. */
static void a_string_is_read_alike_at_each_place_and_length(void **state) {
    static const struct {
        const char *bytes;
        bool good;
    } kinds[] = {{"\\n", true},
                 {"\xC3\xA9", true},
                 {"\x7F", true},
                 {"~", true},
                 {"\xF0\x9F\x90\x8D", true},
                 {"\x1F", false},
                 {"\x01", false},
                 {"\x80", false},
                 {"\xFF", false},
                 {"\\x", false}};
    for (size_t length = 0; length <= 70; length++) {
        for (size_t at = 0; at <= length; at++) {
            for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
                char text[128];
                size_t special = strlen(kinds[kind].bytes);
                memset(text, 'a', sizeof text);
                text[0] = '"';
                memcpy(text + 1 + at, kinds[kind].bytes, special);
                size_t bytes = length + special + 2;
                text[bytes - 1] = '"';
                text[bytes] = (char)(kind % 2 ? '"' : 0);
                struct json_reader reader;
                json_init(&reader, text, bytes);
                enum json_token token = json_next(&reader);
                assert_int_equal(token, kinds[kind].good ? JSON_STRING : JSON_ERROR);
                if (kinds[kind].good) {
                    assert_int_equal(reader.text_bytes, length + special);
                } else {
                    assert_int_equal(reader.at - text, 1 + (ptrdiff_t)at);
                }
                /* Without its end the string is none. */
                json_init(&reader, text, bytes - 1);
                assert_int_equal(json_next(&reader), JSON_ERROR);
            }
        }
    }
}

static void nesting_has_a_limit(void **state) {
    char json[2 * (JSON_DEPTH_MAX + 1) + 1];
    for (int extra = 0; extra < 2; extra++) {
        size_t depth = JSON_DEPTH_MAX + (size_t)extra;
        memset(json, '[', depth);
        memset(json + depth, ']', depth);
        json[2 * depth] = '\0';
        assert_int_equal(check(json), extra ? -1 : 0);
    }
}

static const char sample[] =
    "{\"action\":\"closed\",\"n\":12,\"pull_request\":{\"merged\":true,"
    "\"labels\":[{\"name\":\"a\\nb\"},{\"name\":\"\\u00e9\"}],"
    "\"user\":null},\"action\":\"second\",\"a\\u002eb\":-9223372036854775808}";

static bool find(const char *path, struct json_value *value) {
    return json_find(sample, sizeof sample - 1, path, value);
}

static void a_path_leads_to_its_value(void **state) {
    struct json_value value;
    assert_true(find("action", &value));
    assert_int_equal(value.type, JSON_STRING);
    assert_memory_equal(value.raw, "\"closed\"", value.raw_bytes);
    assert_true(find("pull_request.merged", &value));
    assert_int_equal(value.type, JSON_TRUE);
    assert_true(find("pull_request.labels[1].name", &value));
    assert_memory_equal(value.raw, "\"\\u00e9\"", value.raw_bytes);
    assert_true(find("pull_request.user", &value));
    assert_int_equal(value.type, JSON_NULL);
    assert_true(find("pull_request.labels", &value));
    assert_int_equal(value.raw[value.raw_bytes - 1], ']');
    assert_true(find("", &value));
    assert_int_equal(value.raw_bytes, sizeof sample - 1);
}

static void a_path_that_leads_nowhere_finds_nothing(void **state) {
    static const char *const nowhere[] = {"nothing",
                                          "action.x",
                                          "pull_request.labels[2]",
                                          "pull_request.labels.name",
                                          "n[0]",
                                          "pull_request[0]",
                                          "pull_request.user.login",
                                          "pull_request.labels[x]",
                                          "pull_request.labels[+1]",
                                          "pull_request.labels[ 1]",
                                          "pull_request.labels[-0]",
                                          "pull_request.labels[1 ]",
                                          "pull_request.labels[]",
                                          "pull_request.labels[18446744073709551616]"};
    struct json_value value;
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        assert_false(find(nowhere[i], &value));
    }
}

static void times_are_githubs_or_nothing(void **state) {
    (void)state;
    static const struct {
        const char *json;
        int64_t time_ms;
    } cases[] = {{"\"2016-07-11T22:14:10Z\"", 1468275250000},
                 {"\"2016-07-11T22:14:10\"", -1},
                 {"\"2016-07-11T22:14:10.5Z\"", -1},
                 {"\"2016-13-11T22:14:10Z\"", -1},
                 {"\"\"", -1},
                 {"1468275250", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_value value;
        int64_t time_ms = 0;
        assert_true(json_find(cases[i].json, strlen(cases[i].json), "", &value));
        assert_int_equal(json_to_time(&value, &time_ms) ? time_ms : -1, cases[i].time_ms);
    }
}

static void integers_are_exact_or_nothing(void **state) {
    static const struct {
        const char *json;
        bool ok;
        int64_t number;
    } cases[] = {{"0", true, 0},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775807", true, INT64_MAX},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"1.0", false, 0},
                 {"1e3", false, 0},
                 {"\"1\"", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_value value;
        int64_t number = 0;
        assert_true(json_find(cases[i].json, strlen(cases[i].json), "", &value));
        assert_int_equal(json_to_integer(&value, &number), cases[i].ok);
        assert_true(number == cases[i].number);
    }
}

static void escapes_are_decoded(void **state) {
    const char raw[] = "a\\n\\u00e9\\ud83d\\udc0d\\ud800x\\u0000";
    char out[sizeof raw];
    size_t bytes = json_unescape(raw, sizeof raw - 1, out);
    const char want[] = "a\n\xC3\xA9\xF0\x9F\x90\x8D\xEF\xBF\xBDx";
    /* With the NUL that was escaped. */
    assert_int_equal(bytes, sizeof want);
    assert_memory_equal(out, want, sizeof want);
    assert_true(json_text_is(raw, sizeof raw - 1, want, sizeof want));
    assert_false(json_text_is(raw, sizeof raw - 1, want, sizeof want - 1));
    /* A line break is not the two characters that JSON writes it with. */
    assert_false(json_text_is("\\n", 2, "\\n", 2));
    assert_true(json_text_is("\\n", 2, "\n", 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_json_is_accepted),
        cmocka_unit_test(malformed_json_is_rejected),
        cmocka_unit_test(a_string_is_read_alike_at_each_place_and_length),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(a_path_leads_to_its_value),
        cmocka_unit_test(a_path_that_leads_nowhere_finds_nothing),
        cmocka_unit_test(times_are_githubs_or_nothing),
        cmocka_unit_test(integers_are_exact_or_nothing),
        cmocka_unit_test(escapes_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
