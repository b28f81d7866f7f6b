/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plugin.repositories lets one read outside pass: the owner's configuration for all repositories.
 */
#include "unit.h"

#include "base/array.h"
#include "dispatch/scope.h"

#define API "https://api.github.com"
#define FILE_OF "/repos/acme/.github/contents/.github/"

static void only_the_configuration_of_the_owner_passes(void **state) {
    static const struct {
        const char *repository, *method, *url;
        bool passes;
    } reads[] = {
        {"acme/site", "GET", FILE_OF "stale.yml", true},
        {"acme/site", "GET", API FILE_OF "stale.yml", true},
        {"Acme/site", "GET", FILE_OF "my-bot_2.yml", true},
        {"acme/site", "PUT", FILE_OF "stale.yml", false},
        {"acme/site", "GET", "/repos/other/.github/contents/.github/stale.yml", false},
        {"acme/site", "GET", "/repos/acme/.github2/contents/.github/stale.yml", false},
        {"acme/site", "GET", "/repos/acme/.github/contents/secret.yml", false},
        {"acme/site", "GET", FILE_OF "workflows/ci.yml", false},
        {"acme/site", "GET", FILE_OF "../secret.yml", false},
        {"acme/site", "GET", FILE_OF "%2e%2e%2fsecret.yml", false},
        {"acme/site", "GET", FILE_OF "stale.yml?ref=x", false},
        {"acme/site", "GET", FILE_OF "stale.yml/x", false},
        {"acme/site", "GET", FILE_OF ".yml", false},
        {"acme/site", "GET", FILE_OF "stale.json", false},
        {"acme/site", "GET", "/repos/acme/.github", false},
        {"/site", "GET", "/repos//.github/contents/.github/stale.yml", false},
        {NULL, "GET", FILE_OF "stale.yml", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(reads); i++) {
        print_message("# %s %s\n", reads[i].method, reads[i].url);
        assert_int_equal(
            scope_is_owners_config(reads[i].repository, API, reads[i].method, reads[i].url),
            reads[i].passes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_configuration_of_the_owner_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
