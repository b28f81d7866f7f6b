/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broker/granted_cache: what an installation grants is known for ten minutes. */
#include "unit.h"

#include "base/clock.h"
#include "broker/granted_cache.h"

#include <string.h>

static void put(struct granted_cache *cache, const char *installation, const char *json) {
    const struct json_value value = {JSON_OBJECT_BEGIN, json, strlen(json)};
    granted_cache_put(cache, installation, &value);
}

static void the_permissions_are_known_for_ten_minutes(void **state) {
    (void)state;
    struct granted_cache cache;
    struct json_value found;
    int64_t until_ms = 0;
    clock_set_for_test(1000, 1800000000000);
    granted_cache_init(&cache);
    assert_false(granted_cache_get(&cache, "1", &found, &until_ms));
    put(&cache, "1", "{\"issues\":\"read\"}");
    put(&cache, "1", "{\"issues\":\"write\"}");
    put(&cache, "2", "{}");
    clock_set_for_test(1000 + GRANTED_FOR_MS - 1, 1800000000000);
    assert_true(granted_cache_get(&cache, "1", &found, &until_ms));
    assert_memory_equal(found.raw, "{\"issues\":\"write\"}", found.raw_bytes);
    assert_int_equal(until_ms, 1000 + GRANTED_FOR_MS);
    granted_cache_drop(&cache, "1");
    assert_false(granted_cache_get(&cache, "1", &found, &until_ms));
    assert_true(granted_cache_get(&cache, "2", &found, &until_ms));
    clock_set_for_test(1000 + GRANTED_FOR_MS, 1800000000000);
    assert_false(granted_cache_get(&cache, "2", &found, &until_ms));
    granted_cache_finish(&cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_permissions_are_known_for_ten_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
