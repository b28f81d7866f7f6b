/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the permissions that a token is requested with. */
#include "unit.h"

#include "broker/permission_set.h"

#include <stdlib.h>
#include <string.h>

static const char optional[] = "{\"checks\":\"write\",\"pages\":\"read\"}";

static const struct {
    const char *required, *optional, *granted, *merged;
} cases[] = {
    {"{\"issues\":\"write\"}", "", NULL, "{\"issues\":\"write\"}"},
    {"{\"issues\":\"write\"}", optional, NULL,
     "{\"issues\":\"write\",\"checks\":\"write\",\"pages\":\"read\"}"},
    {"{\"issues\":\"write\"}", optional, "{\"issues\":\"write\"}", "{\"issues\":\"write\"}"},
    {"{\"issues\":\"write\"}", optional, "{}", "{\"issues\":\"write\"}"},
    {"{\"issues\":\"write\"}", optional, "{\"checks\":\"read\",\"pages\":\"write\"}",
     "{\"issues\":\"write\",\"pages\":\"read\"}"},
    {"{\"issues\":\"write\"}", optional, "{\"x\":{\"checks\":\"write\"},\"checks\":\"write\"}",
     "{\"issues\":\"write\",\"checks\":\"write\"}"},
    {"{\"issues\":\"write\"}", optional, "{\"checks\":true,\"pages\":\"none\"}",
     "{\"issues\":\"write\"}"},
    {"{}", optional, "{\"checks\":\"admin\"}", "{\"checks\":\"write\"}"},
    /* All that are granted. */
    {"", optional, NULL, ""},
};

static void a_token_has_the_required_permissions_and_the_granted_optional_ones(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_value granted = {.type = JSON_OBJECT_BEGIN, .raw = cases[i].granted};
        granted.raw_bytes = cases[i].granted ? strlen(cases[i].granted) : 0;
        char *merged = permission_set_merge(cases[i].required, cases[i].optional,
                                            cases[i].granted ? &granted : NULL);
        assert_non_null(merged);
        assert_string_equal(merged, cases[i].merged);
        free(merged);
    }
}

static void the_permissions_that_an_installation_lacks_are_named(void **state) {
    static const char required[] = "{\"issues\":\"write\",\"members\":\"read\"}";
    static const struct {
        const char *required, *granted, *lacking;
    } all[] = {
        {required, "{\"issues\":\"write\",\"members\":\"read\"}", ""},
        {required, "{\"issues\":\"admin\",\"members\":\"write\"}", ""},
        {required, "{\"issues\":\"read\",\"members\":\"read\"}", "issues: write"},
        {required, "{\"issues\":\"write\",\"x\":{\"members\":\"read\"}}", "members: read"},
        {required, "{}", "issues: write, members: read"},
        {"{}", "{}", ""},
        {"", "{}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct json_value granted = {.type = JSON_OBJECT_BEGIN, .raw = all[i].granted};
        granted.raw_bytes = strlen(all[i].granted);
        char *lacking = permission_set_lacking(all[i].required, &granted);
        assert_non_null(lacking);
        assert_string_equal(lacking, all[i].lacking);
        free(lacking);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_the_required_permissions_and_the_granted_optional_ones),
        cmocka_unit_test(the_permissions_that_an_installation_lacks_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
