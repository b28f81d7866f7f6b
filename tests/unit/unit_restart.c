/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/restart: the backoff of a dead worker, and five deaths in a minute. */
#include "unit.h"

#include "dispatch/restart.h"

#include <stddef.h>

static void the_wait_doubles_from_a_tenth_of_a_second_to_a_minute(void **state) {
    (void)state;
    static const int64_t waits_ms[] = {100,  200,   400,   800,   1600,  3200,
                                       6400, 12800, 25600, 51200, 60000, 60000};
    struct restart restart = {0};
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        assert_int_equal(restart_note_death(&restart, (int64_t)i * 100000), waits_ms[i]);
    }
    restart_reset(&restart);
    assert_int_equal(restart_note_death(&restart, 2000000), 100);
}

static void five_deaths_in_a_minute_quarantine(void **state) {
    (void)state;
    struct restart restart = {0};
    for (int i = 0; i < 4; i++) {
        restart_note_death(&restart, 1000 + 15000 * i);
        assert_false(restart_quarantines(&restart));
    }
    restart_note_death(&restart, 61000);
    assert_true(restart_quarantines(&restart));
}

static void five_deaths_in_more_than_a_minute_do_not(void **state) {
    (void)state;
    struct restart restart = {0};
    for (int i = 0; i < 20; i++) {
        restart_note_death(&restart, 15001 * i);
        assert_false(restart_quarantines(&restart));
    }
    /* The latest five count, whenever the first ones were. */
    for (int i = 0; i < 4; i++) {
        restart_note_death(&restart, 15001 * 20 + i);
    }
    assert_true(restart_quarantines(&restart));
}

static void a_finished_run_and_a_long_life_start_the_count_anew(void **state) {
    (void)state;
    struct restart restart = {0};
    for (int i = 0; i < 4; i++) {
        restart_note_death(&restart, i);
    }
    restart_reset(&restart);
    assert_int_equal(restart_note_death(&restart, 5), 100);
    assert_false(restart_quarantines(&restart));
    restart_note_death(&restart, 6);
    assert_int_equal(restart_note_death(&restart, 6 + RESTART_FORGET_MS + 1), 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_doubles_from_a_tenth_of_a_second_to_a_minute),
        cmocka_unit_test(five_deaths_in_a_minute_quarantine),
        cmocka_unit_test(five_deaths_in_more_than_a_minute_do_not),
        cmocka_unit_test(a_finished_run_and_a_long_life_start_the_count_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
