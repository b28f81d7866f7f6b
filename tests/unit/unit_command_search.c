/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which commands a payload cannot have, in each way to write them in JSON. */
#include "unit.h"

#include "protocol/command_search.h"

#include <string.h>

static bool may_hold(const char *body, const char *name) {
    struct command_search search;
    command_search_init(&search, body, strlen(body));
    return command_search_may_hold(&search, name);
}

static void a_command_is_found_however_json_writes_it(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"body\":\"/ping\"}",
        "{\"body\":\"well:\\n/ping now\"}",
        "{\"body\":\"\\/ping\"}",
        "{\"body\":\"\\u002fping\"}",
        "{\"body\":\"\\u002Fping\"}",
        "{\"body\":\"/\\u0070ing\"}",
        "{\"body\":\"/p\\u0069ng\"}",
        "{\"body\":\"/pin\\u0067\"}",
        /* At the end of a body that is cut off. */
        "{\"body\":\"/ping",
        "{\"body\":\"/pin\\",
        /* After others. */
        "{\"url\":\"https://github.com/pings/pin\",\"body\":\"/pi /pinging\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        if (!may_hold(bodies[i], "ping")) {
            fail_msg("not in %s", bodies[i]);
        }
    }
}

static void a_payload_without_the_command_is_known(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "",
        "/",
        "/p",
        "/pin",
        "{\"body\":\"ping\"}",
        "{\"body\":\"/Ping /pong /p ing\"}",
        "{\"url\":\"https://api.github.com/repos/octo/cat/pulls/1\",\"body\":\"lgtm\"}",
        /* A control character ends a word. */
        "{\"body\":\"/\\nping /p\\ting /\\rping\"}",
        /* Not a slash. */
        "{\"body\":\"\\u002eping \\u0026ping\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        if (may_hold(bodies[i], "ping")) {
            fail_msg("in %s", bodies[i]);
        }
    }
}

static void names_of_one_character_and_of_other_alphabets_are_found(void **state) {
    (void)state;
    assert_true(may_hold("\"/a\"", "a"));
    assert_true(may_hold("\"/\\u0061\"", "a"));
    assert_false(may_hold("\"/b\"", "a"));
    assert_true(may_hold("\"/schl\xC3\xA4ngle\"", "schl\xC3\xA4ngle"));
    assert_true(may_hold("\"/schl\\u00e4ngle\"", "schl\xC3\xA4ngle"));
    assert_false(may_hold("\"/schlingel\"", "schl\xC3\xA4ngle"));
}

static void one_search_answers_for_many_commands(void **state) {
    (void)state;
    static const char body[] = "{\"a\":\"x/one\",\"b\":\"/two/three\"}";
    static const char *const there[] = {"one", "two", "three"}, *const absent[] = {"four", "on e"};
    struct command_search search;
    command_search_init(&search, body, sizeof body - 1);
    for (size_t i = 0; i < 3; i++) {
        assert_true(command_search_may_hold(&search, there[i]));
    }
    for (size_t i = 0; i < 2; i++) {
        assert_false(command_search_may_hold(&search, absent[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_found_however_json_writes_it),
        cmocka_unit_test(a_payload_without_the_command_is_known),
        cmocka_unit_test(names_of_one_character_and_of_other_alphabets_are_found),
        cmocka_unit_test(one_search_answers_for_many_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
