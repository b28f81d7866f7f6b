/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* telemetry: Sentry's events and rate limits. */
#include "unit.h"

#include "base/clock.h"
#include "telemetry/event.h"

static void errors_and_failed_attempts_are_wanted_and_nothing_else(void **state) {
    assert_true(event_wanted(SNEK_LEVEL_ERROR, "worker_died"));
    assert_true(event_wanted(SNEK_LEVEL_WARNING, "retry"));
    assert_true(event_wanted(SNEK_LEVEL_WARNING, "dead"));
    assert_false(event_wanted(SNEK_LEVEL_WARNING, "rejected"));
    assert_false(event_wanted(SNEK_LEVEL_ERROR, "plugin"));
    assert_false(event_wanted(SNEK_LEVEL_WARNING, "completion_stale"));
}

static void an_event_has_what_is_known_and_no_other_field(void **state) {
    clock_set_for_test(0, 1700000000123);
    AUTO_BUFFER struct buffer envelope = BUFFER_INIT(EVENT_BYTES_MAX);
    const struct log_field fields[] = {
        LOG_TEXT("delivery", "guid-1"), LOG_TEXT("plugin", "invite"),
        LOG_TEXT("action", NULL),       LOG_BYTES("installation", "60001 and more", 5),
        LOG_NUMBER("attempt", 3),       LOG_TEXT("reason", "it \"broke\""),
        LOG_TEXT("body", "private"),    {0}};
    assert_int_equal(event_write(&envelope, "tests", SNEK_LEVEL_WARNING, "dead", fields), 0);
    assert_non_null(strstr(envelope.data,
                           "\"platform\":\"native\",\"logger\":\"snekomatic\",\"level\":\"error\","
                           "\"release\":\"snekomatic@" SNEK_VERSION "\",\"environment\":\"tests\","
                           "\"message\":{\"formatted\":\"dead: it \\\"broke\\\"\"},"
                           "\"tags\":{\"plugin\":\"invite\",\"installation\":\"60001\","
                           "\"attempt\":\"3\"},\"extra\":{\"delivery\":\"guid-1\"}}\n"));
    assert_non_null(strstr(envelope.data, "\"timestamp\":1700000000.123,"));
    assert_null(strstr(envelope.data, "private"));
}

static void its_rate_limits_are_understood(void **state) {
    static const struct {
        const char *line;
        int64_t seconds;
    } cases[] = {
        {"Retry-After: 30\r\n", 30},
        {"retry-after: soon\r\n", -1},
        {"Retry-After: -1\r\n", -1},
        {"X-Sentry-Rate-Limits: 60::organization\r\n", 60},
        {"X-Sentry-Rate-Limits: 60:transaction:key\r\n", -1},
        {"X-Sentry-Rate-Limits: 60:transaction;error:key, 2700:session:organization\r\n", 60},
        {"x-sentry-rate-limits: 60:transaction:key, 2700:default;x:organization:quota\r\n", 2700},
        {"x-sentry-rate-limits: 5:error:key,7:error:key\r\n", 7},
        {"x-sentry-rate-limits: ,,:,\r\n", -1},
        {"Content-Type: application/json\r\n", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(event_limit_s(cases[i].line), cases[i].seconds);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_and_failed_attempts_are_wanted_and_nothing_else),
        cmocka_unit_test(an_event_has_what_is_known_and_no_other_field),
        cmocka_unit_test(its_rate_limits_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
