/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/backoff: the waits of design.md, each with jitter. */
#include "unit.h"

#include "dispatch/backoff.h"

#include <stdbool.h>
#include <stddef.h>

static void each_attempt_waits_as_the_design_says(void **state) {
    (void)state;
    static const int64_t seconds[] = {5, 30, 120, 600, 3600, 10800, 21600, 43200, 43200};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        for (int again = 0; again < 200; again++) {
            int64_t wait_ms = backoff_ms((int64_t)i + 1, 5000);
            assert_in_range(wait_ms, seconds[i] * 1000, seconds[i] * 1200);
        }
    }
}

static void a_longer_first_wait_makes_the_later_ones_longer_up_to_12_hours(void **state) {
    (void)state;
    static const int64_t seconds[] = {600, 3600, 14400, 43200, 43200};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        int64_t wait_ms = backoff_ms((int64_t)i + 1, 600000);
        assert_in_range(wait_ms, seconds[i] * 1000, seconds[i] * 1200);
    }
}

static void what_failed_together_does_not_come_back_together(void **state) {
    (void)state;
    int64_t first = backoff_ms(3, 5000);
    bool differs = false;
    for (int again = 0; again < 100; again++) {
        differs = differs || backoff_ms(3, 5000) != first;
    }
    assert_true(differs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attempt_waits_as_the_design_says),
        cmocka_unit_test(a_longer_first_wait_makes_the_later_ones_longer_up_to_12_hours),
        cmocka_unit_test(what_failed_together_does_not_come_back_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
