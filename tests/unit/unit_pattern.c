/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* worker/pattern: texts and JSON from a pattern, called as the SDK's inline functions call it. */
#include "unit.h"

#include "base/json.h"
#include "worker/pattern.h"

#include <snekomatic/compose.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

static struct error err;

static const char *build(bool is_json, struct buffer *out, const char *pattern, va_list values) {
    struct snek_argument arguments[SNEK_ARGUMENTS_MAX];
    uint32_t count = snek_read_arguments(pattern, values, arguments);
    err.text[0] = '\0';
    int result = is_json ? pattern_json(out, pattern, arguments, count, &err)
                         : pattern_print(out, pattern, arguments, count, &err);
    return result == 0 ? out->data : NULL;
}

/* The result is valid until the next call. NULL, and the sentence is in `err`. */
static const char *json(const char *pattern, ...) {
    static struct buffer out = BUFFER_INIT(100000);
    va_list values;
    buffer_finish(&out);
    va_start(values, pattern);
    const char *built = build(true, &out, pattern, values);
    va_end(values);
    return built;
}

static const char *print(const char *format, ...) {
    static struct buffer out = BUFFER_INIT(100000);
    va_list values;
    buffer_finish(&out);
    va_start(values, format);
    const char *built = build(false, &out, format, values);
    va_end(values);
    return built;
}

#define EXPECT_TEXT(wanted, built)                                                                 \
    do {                                                                                           \
        const char *got = (built);                                                                 \
        if (!got) {                                                                                \
            fail_msg("rejected: %s", err.text);                                                    \
        }                                                                                          \
        assert_string_equal(got, wanted);                                                          \
    } while (0)

#define EXPECT_REJECTED(sentence, built)                                                           \
    do {                                                                                           \
        assert_null(built);                                                                        \
        if (!strstr(err.text, sentence)) {                                                         \
            fail_msg("\"%s\" does not contain \"%s\"", err.text, sentence);                        \
        }                                                                                          \
    } while (0)

static void values_in_quotes_are_escaped(void **state) {
    (void)state;
    EXPECT_TEXT("{\"title\":\"a \\\"b\\\" \\\\ ',\\u000a}\"}",
                json("{'title':'%s'}", "a \"b\" \\ ',\n}"));
    EXPECT_TEXT("[\"#7: x\",\"100%\",\"\"]", json("['#%d: %s','100%%','%s']", 7, "x", ""));
    EXPECT_TEXT("{\"a\\\"b\":1}", json("{'%s':%d}", "a\"b", 1));
    EXPECT_TEXT("\"don't \\\\ \\\"quote\\\"\"", json("'don\\'t \\\\ \"quote\"'"));
    EXPECT_TEXT("\"\xEF\xBF\xBD\"", json("'%s'", "\xFF"));
    EXPECT_TEXT("\"ab|ab|  ab|ab  \"",
                json("'%.2s|%.*s|%4.2s|%-4.2s'", "abc", 2, "abcd", "abc", "abc"));
    EXPECT_TEXT("\"\xC3\xA9\"", json("'\xC3%c'", 0xA9 - 256));
}

static void numbers_of_each_width_are_written(void **state) {
    (void)state;
    EXPECT_TEXT("[-7,4294967295,-9223372036854775808,18446744073709551615]",
                json("[%d,%u,%" PRId64 ",%" PRIu64 "]", -7, UINT32_MAX, INT64_MIN, UINT64_MAX));
    EXPECT_TEXT("[1,2,3,4,5,6]", json("[%ld,%lld,%zu,%jd,%td,%i]", 1L, 2LL, (size_t)3, (intmax_t)4,
                                      (ptrdiff_t)5, 6));
    EXPECT_TEXT("[1.500000,0.3,1e+20]", json("[%f,%.1f,%g]", 1.5, 0.25 + 0.05, 1e20));
    EXPECT_TEXT("[\"2026-01-05\",\"ff FF 10\"]",
                json("['%04d-%02d-%02d','%x %X %o']", 2026, 1, 5, 255, 255, 8));
}

static void raw_json_is_one_whole_value(void **state) {
    (void)state;
    EXPECT_TEXT("{\"labels\":[\"a\"],\"n\":null}", json("{'labels':%s,'n':%s}", "[\"a\"]", "null"));
    EXPECT_TEXT(" [ {\"a\":1} ] ", json(" [ %s ] ", "{\"a\":1}"));
    EXPECT_REJECTED("value 1 of the pattern is not JSON", json("{'a':%s}", "1,\"admin\":true"));
    EXPECT_REJECTED("a text goes into quotes: '%s'", json("{'a':%s}", "bug"));
    EXPECT_REJECTED("value 1 of the pattern is not JSON", json("[%s]", ""));
    EXPECT_REJECTED("touches other text", json("[1%s]", "2"));
    EXPECT_REJECTED("touches other text", json("[%s%s]", "1", "2"));
    EXPECT_REJECTED("touches other text", json("[%d5]", 1));
}

static void malformed_patterns_are_rejected(void **state) {
    (void)state;
    EXPECT_REJECTED("double quote at byte 1", json("{\"title\":\"%s\"}", "x"));
    EXPECT_REJECTED("ends within quotes", json("{'a:1}"));
    EXPECT_REJECTED("makes no JSON", json("{'a':}"));
    EXPECT_REJECTED("makes no JSON", json("{'a':1"));
    EXPECT_REJECTED("makes no JSON", json(""));
    EXPECT_REJECTED("makes no JSON", json("[1] [2]"));
    EXPECT_REJECTED("makes no JSON", json("[%02d]", 5));
    EXPECT_REJECTED("backslash at byte 2", json("'a\\n'"));
    EXPECT_REJECTED("backslash at byte 0", json("\\"));
    EXPECT_REJECTED("%p at byte 1 of the pattern is not known", json("[%p]", (void *)"x"));
    EXPECT_REJECTED("%h at byte 0", print("%hd", 1));
    EXPECT_REJECTED("%* at byte 0", print("%*d", 1, 1));
    EXPECT_REJECTED("% at byte 0", print("%"));
    EXPECT_REJECTED("%999d at byte 0", print("%999d", 1));
}

static void values_that_json_lacks_are_rejected(void **state) {
    (void)state;
    EXPECT_REJECTED("value 2 of the pattern \"['%s','%s']\" is NULL",
                    json("['%s','%s']", "a", (const char *)NULL));
    EXPECT_REJECTED("value 1 of the pattern \"[%s]\" is NULL", json("[%s]", (const char *)NULL));
    EXPECT_REJECTED("value 1 of the pattern \"Hi @%s\" is NULL",
                    print("Hi @%s", (const char *)NULL));
    EXPECT_REJECTED("not finite", json("[%g]", (double)INFINITY));
    EXPECT_REJECTED("not finite", json("[%f]", (double)NAN));
}

static void texts_are_printed_as_by_printf(void **state) {
    (void)state;
    char expected[200];
    const char format[] = "%5d|%-5d|%+d|%05d|%s|%10s|%-10s|%.2s|%c|%g|%e|%8.3f|%zu|%%|%#x|'\"\\";
#define VALUES                                                                                     \
    42, 42, 42, 42, "abc", "abc", "abc", "abc", 'x', 0.5, 12345.678, 3.14159, (size_t)9, 255
    snprintf(expected, sizeof expected, format, VALUES);
    EXPECT_TEXT(expected, print(format, VALUES));
    EXPECT_TEXT("10%", print("%d%%", 10));
}

static void wrong_arguments_of_a_plugin_are_rejected(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT(1000);
    struct snek_argument arguments[2] = {{.integer = 1, .kind = SNEK_ARGUMENT_SIGNED},
                                         {.integer = 1, .kind = 9}};
    assert_int_equal(pattern_json(&out, "'%s'", arguments, 1, &err), -1);
    assert_non_null(strstr(err.text, "value 1 of the pattern is not what its %s needs"));
    out.bytes = 0;
    assert_int_equal(pattern_json(&out, "[%d,%d]", arguments, 2, &err), -1);
    out.bytes = 0;
    assert_int_equal(pattern_json(&out, "[%d,%d]", arguments, 1, &err), -1);
    assert_non_null(strstr(err.text, "more than 1 values"));
    out.bytes = 0;
    assert_int_equal(pattern_json(&out, "[%d]", arguments, 2, &err), -1);
    assert_non_null(strstr(err.text, "has 2 values and uses 1"));
    assert_int_equal(pattern_json(&out, "[%d]", NULL, 1, &err), -1);
    assert_int_equal(pattern_json(&out, NULL, NULL, 0, &err), -1);
    assert_int_equal(pattern_json(&out, "[]", arguments, SNEK_ARGUMENTS_MAX + 1, &err), -1);
}

static void a_large_result_is_rejected(void **state) {
    (void)state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT(100);
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const struct snek_argument argument = {.text = text, .text_bytes_max = -1};
    assert_int_equal(pattern_json(&out, "'%s'", &argument, 1, &err), -1);
    assert_non_null(strstr(err.text, "larger than 100 bytes"));
}

static unsigned random_below(unsigned *seed, unsigned max) {
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % max;
}

/* Whatever the pattern and its values are, an accepted result is one JSON value, and the text of a
 * string comes back as it was. */
static void random_patterns_make_json_or_are_rejected(void **state) {
    (void)state;
    static const char pieces[] = "{}[]:,'\\\"%sd.*0 1lzgcxu-truefalsn\n";
    unsigned seed = 1, accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char pattern[24];
        char text[9];
        struct snek_argument arguments[SNEK_ARGUMENTS_MAX];
        unsigned length = random_below(&seed, sizeof pattern), count = random_below(&seed, 4);
        for (unsigned i = 0; i < length; i++) {
            pattern[i] = pieces[random_below(&seed, sizeof pieces - 1)];
        }
        pattern[length] = '\0';
        unsigned text_length = random_below(&seed, sizeof text);
        for (unsigned i = 0; i < text_length; i++) {
            text[i] = (char)(1 + random_below(&seed, 255));
        }
        text[text_length] = '\0';
        for (unsigned i = 0; i < count; i++) {
            arguments[i] =
                (struct snek_argument){.text = random_below(&seed, 9) ? text : NULL,
                                       .integer = (int)random_below(&seed, 9) - 4,
                                       .number = 0.5,
                                       .kind = random_below(&seed, 4),
                                       .text_bytes_max = (int)random_below(&seed, 6) - 1};
        }
        AUTO_BUFFER struct buffer out = BUFFER_INIT(1000);
        const char *why;
        size_t at;
        if (pattern_json(&out, pattern, arguments, count, &err) == 0) {
            assert_int_equal(json_check(out.data, out.bytes, &why, &at), 0);
            accepted++;
        } else {
            assert_true(err.text[0]);
        }
    }
    assert_true(accepted > 50);
}

static void any_text_comes_back_from_its_string(void **state) {
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        char text[40], back[400];
        unsigned length = random_below(&seed, sizeof text);
        for (unsigned i = 0; i < length; i++) {
            text[i] = (char)(1 + random_below(&seed, 127));
        }
        text[length] = '\0';
        const char *built = json("{'a':'<%s>','b':[%d]}", text, round);
        struct json_value value;
        assert_non_null(built);
        assert_true(json_find(built, strlen(built), "a", &value));
        size_t bytes = json_unescape(value.raw + 1, value.raw_bytes - 2, back);
        assert_int_equal(bytes, length + 2);
        assert_memory_equal(back + 1, text, length);
        assert_true(json_find(built, strlen(built), "b[0]", &value));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_quotes_are_escaped),
        cmocka_unit_test(numbers_of_each_width_are_written),
        cmocka_unit_test(raw_json_is_one_whole_value),
        cmocka_unit_test(malformed_patterns_are_rejected),
        cmocka_unit_test(values_that_json_lacks_are_rejected),
        cmocka_unit_test(texts_are_printed_as_by_printf),
        cmocka_unit_test(wrong_arguments_of_a_plugin_are_rejected),
        cmocka_unit_test(a_large_result_is_rejected),
        cmocka_unit_test(random_patterns_make_json_or_are_rejected),
        cmocka_unit_test(any_text_comes_back_from_its_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
