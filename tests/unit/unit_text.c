/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* base: the cleaner of texts from strangers. */
#include "unit.h"

#include "base/text.h"

#define ESCAPE "\x1b"
#define C1_CSI "\xC2\x9B"
#define OVERRIDE "\u202E"
#define E_ACUTE "\xC3\xA9"

static void a_strangers_text_is_cleaned_and_cut(void **state) {
    static const struct {
        size_t room;
        const char *text, *want;
    } cases[] = {
        {20, "hiss", "hiss"},
        {20, "a\nb\x1b[2J", "a b?[2J"},
        {20,
         "a\xFF"
         "b",
         "a?b"},
        {20,
         "a\xC2\x9B"
         "b",
         "a?b"},
        {7, "123456", "123456"},
        {7, "1234567", "123..."},
        {8,
         "12\xC3\xA9\xC3\xA9"
         "67",
         "12\xC3\xA9..."},
        {7,
         "12\xC3\xA9\xC3\xA9"
         "67",
         "12..."},
        {4, "1234", "..."},
        {20, "a" OVERRIDE "b\u2028c\x7F", "a?b?c?"},
        {20, "tab\there\r\n", "tab here  "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[20];
        text_clean(out, cases[i].room, cases[i].text, strlen(cases[i].text));
        assert_string_equal(out, cases[i].want);
    }
}

static void a_text_with_nul_is_cleaned_to_its_end(void **state) {
    char out[20];
    text_clean(out, sizeof out, "a\0b", 3);
    assert_string_equal(out, "a?b");
}

static void control_characters_do_not_reach_a_terminal(void **state) {
    char text[] = "caf" E_ACUTE " " ESCAPE "]0;x\x07 " C1_CSI "2J " OVERRIDE "\xFF\n";
    text_clean_in_place(text);
    assert_string_equal(text, "caf" E_ACUTE " ?]0;x? ?2J ?? ");
}

static void only_ascii_letters_become_lower_case(void **state) {
    char text[] = "Ann/Repo-Z#1 \xC3\x89";
    text_to_lower(text);
    assert_string_equal(text, "ann/repo-z#1 \xC3\x89");
}

static void a_repaired_text_keeps_its_lines_and_is_utf8(void **state) {
    static const struct {
        size_t room;
        const char *text;
        size_t bytes;
        const char *want;
    } cases[] = {
        {20, "two\nlines", 9, "two\nlines"},
        {20,
         "a\0b\xFF"
         "c",
         5, "a?b?c"},
        {4, "ab" E_ACUTE, 4, "ab"},
        {5, "ab" E_ACUTE, 4, "ab" E_ACUTE},
        {1, "a", 1, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[20];
        text_repair(out, cases[i].room, cases[i].text, cases[i].bytes);
        assert_string_equal(out, cases[i].want);
    }
}

static void a_line_is_short_and_holds_no_unsafe_character(void **state) {
    assert_true(text_is_line("caf" E_ACUTE, 5));
    static const char *const wrong[] = {NULL,    "",     "too long", "a\nb",
                                        "a\x7F", C1_CSI, "\xFF",     OVERRIDE};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(text_is_line(wrong[i], 5));
    }
}

static void an_unsafe_character_is_known_by_its_code(void **state) {
    static const struct {
        const char *text;
        uint32_t code;
    } cases[] = {
        {"a", 0},      {"\n", '\n'},       {ESCAPE, 0x1B},     {"\x7F", 0x7F},
        {E_ACUTE, 0},  {C1_CSI, 0x9B},     {"\u2027", 0},      {"\u2028", 0x2028},
        {"\u202F", 0}, {OVERRIDE, 0x202E}, {"\u2069", 0x2069}, {"\U0001F40D", 0},
        {"", 0xFFFD},  {"\xFF", 0xFFFD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = strlen(cases[i].text);
        assert_int_equal(text_unsafe(cases[i].text, bytes > 0 ? bytes : 1), cases[i].code);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_strangers_text_is_cleaned_and_cut),
        cmocka_unit_test(a_text_with_nul_is_cleaned_to_its_end),
        cmocka_unit_test(control_characters_do_not_reach_a_terminal),
        cmocka_unit_test(only_ascii_letters_become_lower_case),
        cmocka_unit_test(a_repaired_text_keeps_its_lines_and_is_utf8),
        cmocka_unit_test(a_line_is_short_and_holds_no_unsafe_character),
        cmocka_unit_test(an_unsafe_character_is_known_by_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
