/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* telemetry: when it counts the store's runs. The test is the inbox. */
#include "unit.h"

#include "base/clock.h"
#include "inbox/stats.h"
#include "telemetry/telemetry.h"

static struct inbox_operation *submitted;

void inbox_submit(struct inbox *inbox, struct inbox_operation *operation) {
    assert_null(submitted);
    submitted = operation;
}

static void finish_count(int result) {
    struct inbox_operation *operation = submitted;
    submitted = NULL;
    operation->result = result;
    operation->on_result(operation);
}

/* The pause after a count that took `took_ms`. */
static int64_t pause_after(int64_t took_ms, int result) {
    static const int64_t start_ms = 1000000;
    struct loop loop;
    struct error err;
    struct telemetry *telemetry = NULL;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(telemetry_new(&loop, NULL, NULL, &telemetry, &err), 0);
    clock_set_for_test(start_ms, 0);
    telemetry_tick(telemetry);
    assert_non_null(submitted);
    clock_set_for_test(start_ms + took_ms, 0);
    finish_count(result);
    int64_t pause_ms = telemetry_tick(telemetry);
    assert_null(submitted);
    clock_set_for_test(start_ms + took_ms + pause_ms, 0);
    telemetry_tick(telemetry);
    assert_non_null(submitted);
    finish_count(0);
    telemetry_free(telemetry);
    loop_finish(&loop);
    return pause_ms;
}

static void a_quick_count_is_repeated_after_five_seconds(void **state) {
    assert_int_equal(pause_after(0, 0), 5000);
    assert_int_equal(pause_after(100, 0), 5000);
}

static void a_slow_count_is_repeated_later_but_not_much(void **state) {
    assert_int_equal(pause_after(200, 0), 10000);
    assert_int_equal(pause_after(9000, 0), 15000);
}

static void a_failed_count_is_repeated_after_five_seconds(void **state) {
    assert_int_equal(pause_after(9000, -1), 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_count_is_repeated_after_five_seconds),
        cmocka_unit_test(a_slow_count_is_repeated_later_but_not_much),
        cmocka_unit_test(a_failed_count_is_repeated_after_five_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
