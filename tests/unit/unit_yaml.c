/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A repository's YAML file becomes JSON with places; a hostile one is rejected soon. */
#include "unit.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/json.h"
#include "worker/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void is_json(const char *yaml, const char *json) {
    AUTO_YAML struct yaml_document document = {.n_marks = 0};
    struct yaml_place wrong;
    struct error err = {.text = ""};
    if (yaml_read(&document, yaml, strlen(yaml), &wrong, &err) < 0) {
        fail_msg("%s: %s", yaml, err.text);
    }
    assert_string_equal(document.json.data, json);
}

static void is_rejected(const char *yaml, uint32_t line, uint32_t column, const char *why) {
    AUTO_YAML struct yaml_document document = {.n_marks = 0};
    struct yaml_place wrong;
    struct error err = {.text = ""};
    char expected[ERROR_TEXT_MAX];
    if (yaml_read(&document, yaml, strlen(yaml), &wrong, &err) == 0) {
        fail_msg("%s: accepted as %s", yaml, document.json.data);
    }
    snprintf(expected, sizeof expected, "line %u, column %u: %s", line, column, why);
    assert_string_equal(err.text, expected);
    assert_int_equal(wrong.line, line);
    assert_int_equal(wrong.column, column);
}

static void values_of_the_core_schema(void **state) {
    is_json("", "null");
    is_json("# nothing\n", "null");
    is_json("---\n", "null");
    is_json("[~, null, Null, NULL, ]", "[null,null,null,null]");
    is_json("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
    is_json("[yes, no, on, off, nUll, tRue]", "[\"yes\",\"no\",\"on\",\"off\",\"nUll\",\"tRue\"]");
    is_json("[0, 12, -7, +7, 007, -0, 9223372036854775808]",
            "[0,12,-7,7,7,-0,9223372036854775808]");
    is_json("[0x1F, 0o17, 0xffffffffffffffff, 0x, 0b1, 0xg, 0o8]",
            "[31,15,18446744073709551615,\"0x\",\"0b1\",\"0xg\",\"0o8\"]");
    is_json("[1.5, .5, 5., -.5, 1e3, 1E-3, +1.0e+2, 01.5]",
            "[1.5,0.5,5.0,-0.5,1e3,1e-3,1.0e2,1.5]");
    is_json("[., -, +, e1, 1e, 1.2.3, 1_000, 12:30]",
            "[\".\",\"-\",\"+\",\"e1\",\"1e\",\"1.2.3\",\"1_000\",\"12:30\"]");
    is_json("['1', \"true\", '']", "[\"1\",\"true\",\"\"]");
    is_json("text: |\n  a\n  b\n", "{\"text\":\"a\\u000ab\\u000a\"}");
    is_json("\"a\\\"b\\u0001\"", "\"a\\\"b\\u0001\"");
}

static void lists_and_mappings(void **state) {
    is_json(
        "days: 30\nlabels:\n  - bug\n  - {name: x, n: [1, 2]}\nnone: {}\nempty: []\n",
        "{\"days\":30,\"labels\":[\"bug\",{\"name\":\"x\",\"n\":[1,2]}],\"none\":{},\"empty\":[]}");
    /* Keys are texts, and equal texts in two mappings are two keys. */
    is_json("1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}");
    is_json("a: {x: 1}\nb: {x: 1}\n", "{\"a\":{\"x\":1},\"b\":{\"x\":1}}");
    is_json("a:\n  x: 1\n  y: {x: 2}\n  z: 3\nx: 4\n",
            "{\"a\":{\"x\":1,\"y\":{\"x\":2},\"z\":3},\"x\":4}");
    is_json("? a\n: 1\n", "{\"a\":1}");
    is_json("&anchor a: 1\n", "{\"a\":1}");
}

static void wrong_files_name_the_place(void **state) {
    is_rejected("a: 1\nb: *a\n", 2, 4,
                "aliases (\"*name\") are not supported: write the value again");
    is_rejected("a: !!str 1\n", 1, 4, "tags (\"!name\") are not supported: remove it");
    is_rejected("a: 1\nb: 2\n\"a\": 3\n", 3, 1, "the key \"a\" is there twice, first in line 1");
    is_rejected("x:\n  - {a: 1, b: 2, a: 3}\n", 2, 18,
                "the key \"a\" is there twice, first in line 2");
    is_rejected("[1]: 2\n", 1, 1, "a key must be a plain text, not a list or a mapping");
    is_rejected("a: .inf\n", 1, 4,
                "infinity, not a number, and numbers over 64 bits are not supported");
    is_rejected("a: 0x10000000000000000\n", 1, 4,
                "infinity, not a number, and numbers over 64 bits are not supported");
    is_rejected("a: 1\n---\nb: 2\n", 2, 1, "a second document starts here; a file must be one");
    is_rejected("a: 'b\n", 2, 1, "found unexpected end of stream while scanning a quoted scalar");
    is_rejected("a: 1\n\u00e9: \xff\n", 2, 4, "invalid leading UTF-8 octet");
}

static void values_have_places(void **state) {
    static const char yaml[] = "# a comment\ndays: 30\nlabels:\n  - \u00e9: 1\n    b: [x, y]\n";
    static const struct {
        const char *path;
        uint32_t line, column;
    } places[] = {{"", 2, 1},
                  {"days", 2, 7},
                  {"labels", 4, 3},
                  {"labels[0]", 4, 5},
                  {"labels[0].b", 5, 8},
                  {"labels[0].b[1]", 5, 12},
                  {"labels[0].\u00e9", 4, 8}};
    AUTO_YAML struct yaml_document document = {.n_marks = 0};
    struct yaml_place wrong;
    struct error err;
    assert_int_equal(yaml_read(&document, yaml, strlen(yaml), &wrong, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        struct json_value value;
        assert_true(json_find(document.json.data, document.json.bytes, places[i].path, &value));
        struct yaml_place place =
            yaml_place_at(&document, (size_t)(value.raw - document.json.data));
        assert_int_equal(place.line, places[i].line);
        assert_int_equal(place.column, places[i].column);
    }
    /* The key, and a byte where nothing starts. */
    assert_int_equal(yaml_place_at(&document, 1).column, 1);
    assert_int_equal(yaml_place_at(&document, 2).line, 0);
}

/* A text that repeats `unit` up to 64 KiB. */
static char *repeated(const char *begin, const char *unit, size_t *bytes) {
    char *text = malloc(YAML_BYTES_MAX + 1);
    assert_non_null(text);
    strcpy(text, begin);
    *bytes = strlen(begin);
    while (*bytes + strlen(unit) <= YAML_BYTES_MAX) {
        strcpy(text + *bytes, unit);
        *bytes += strlen(unit);
    }
    return text;
}

static double processor_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The promise is 10 ms; a shared and sanitized machine has ten times that. */
static void hostile_files_of_64_kib_are_rejected_soon(void **state) {
    static const struct {
        const char *begin, *unit;
        int result;
    } files[] = {{"", "[", -1},
                 {"", "{a: ", -1},
                 {"", "- ", -1},
                 {"", "? ", -1},
                 {"a: &a 1\nb:\n", "- *a\n", -1},
                 {"", "a: 1\n", -1},
                 {"", "a: 1234567890\n", -1},
                 {"[", "1,", -1},
                 {"", "k: {}\n", -1},
                 {"", "[\n", -1},
                 {"", "&a ", -1},
                 {"", "! ", -1},
                 {"", "\"\\x", -1},
                 {"", "|\n ", 0},
                 {"", "%TAG ! a\n", -1},
                 {"", "'a' ", -1},
                 {"{", "a,", -1},
                 {"[", "{},", -1},
                 {"", "#\n", 0},
                 {"", "\xef\xbb\xbf", 0},
                 {"", "--- a\n", -1}};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        AUTO_YAML struct yaml_document document = {.n_marks = 0};
        struct yaml_place wrong;
        struct error err = {.text = ""};
        size_t bytes;
        char *text = repeated(files[i].begin, files[i].unit, &bytes);
        double began = processor_ms();
        int result = yaml_read(&document, text, bytes, &wrong, &err);
        double took = processor_ms() - began;
        print_message("# file %zu: %.2f ms\n", i, took);
        free(text);
        assert_true(took < 100);
        assert_int_equal(result, files[i].result);
    }
}

static void the_limits_are_exact(void **state) {
    struct yaml_place wrong;
    struct error err;
    char text[400] = "";
    for (int depth = YAML_DEPTH_MAX; depth <= YAML_DEPTH_MAX + 1; depth++) {
        AUTO_YAML struct yaml_document document = {.n_marks = 0};
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        int result = yaml_read(&document, text, 2 * (size_t)depth, &wrong, &err);
        assert_int_equal(result, depth > YAML_DEPTH_MAX ? -1 : 0);
    }
    for (int items = YAML_NODES_MAX - 1; items <= YAML_NODES_MAX; items++) {
        AUTO_YAML struct yaml_document document = {.n_marks = 0};
        AUTO_BUFFER struct buffer list = BUFFER_INIT(YAML_BYTES_MAX);
        for (int i = 0; i < items; i++) {
            assert_int_equal(buffer_append_text(&list, i > 0 ? ",1" : "[1"), 0);
        }
        assert_int_equal(buffer_append_text(&list, "]"), 0);
        int result = yaml_read(&document, list.data, list.bytes, &wrong, &err);
        assert_int_equal(result, items < YAML_NODES_MAX ? 0 : -1);
    }
    for (int more = 0; more <= 1; more++) {
        AUTO_YAML struct yaml_document document = {.n_marks = 0};
        char *large = malloc(YAML_BYTES_MAX + 1);
        memset(large, 'x', YAML_BYTES_MAX + 1);
        int result = yaml_read(&document, large, YAML_BYTES_MAX + (size_t)more, &wrong, &err);
        free(large);
        assert_int_equal(result, -more);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_the_core_schema),
        cmocka_unit_test(lists_and_mappings),
        cmocka_unit_test(wrong_files_name_the_place),
        cmocka_unit_test(values_have_places),
        cmocka_unit_test(hostile_files_of_64_kib_are_rejected_soon),
        cmocka_unit_test(the_limits_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
