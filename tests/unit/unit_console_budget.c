/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* console: the budget of pages beside webhooks, the turns of the tasks that wait for it, and the
 * inbox's measure of how busy webhooks keep it. All with times of the test. */
#include "unit.h"

#include "console/budget.h"
#include "console/waiting.h"
#include "inbox/common/load.h"

#define NOW_US INT64_C(5000000000)
#define SECOND_US INT64_C(1000000)

/* Pages that take `page_us` each, one after the other as soon as the budget lets them, from
 * `*now_us` for `long_us`. Returns the time that they took. */
static int64_t load_pages(struct console_budget *budget, int64_t *now_us, int64_t page_us,
                          int64_t long_us) {
    int64_t taken_us = 0, end_us = *now_us + long_us;
    for (;;) {
        *now_us += console_budget_wait_us(budget, *now_us);
        if (*now_us + page_us > end_us) {
            *now_us = end_us;
            return taken_us;
        }
        *now_us += page_us;
        taken_us += page_us;
        console_budget_spend(budget, page_us, *now_us);
    }
}

static void pages_without_a_pause_get_the_burst_and_their_share(void **state) {
    static const int64_t pages_us[] = {200, 1000, 7000, 30000, 60000};
    for (size_t i = 0; i < sizeof pages_us / sizeof *pages_us; i++) {
        struct console_budget budget = {0};
        int64_t now_us = NOW_US;
        int64_t first_us = load_pages(&budget, &now_us, pages_us[i], SECOND_US);
        assert_true(first_us >= CONSOLE_BURST_US);
        assert_true(first_us <= CONSOLE_BURST_US + SECOND_US / CONSOLE_PARTS_OF_TIME + pages_us[i]);
        int64_t then_us = load_pages(&budget, &now_us, pages_us[i], 100 * SECOND_US);
        assert_true(then_us <= 100 * SECOND_US / CONSOLE_PARTS_OF_TIME + pages_us[i]);
        assert_true(then_us >= 99 * SECOND_US / CONSOLE_PARTS_OF_TIME - pages_us[i]);
    }
}

static void a_person_who_clicks_once_a_second_does_not_wait(void **state) {
    struct console_budget budget = {0};
    for (int64_t second = 0; second < 600; second++) {
        int64_t now_us = NOW_US + second * SECOND_US;
        assert_int_equal(console_budget_wait_us(&budget, now_us), 0);
        console_budget_spend(&budget, 30000, now_us + 30000);
    }
}

static void no_page_makes_the_next_one_wait_longer_than_the_maximum(void **state) {
    static const int64_t pages_us[] = {100000, SECOND_US, 3600 * SECOND_US};
    for (size_t i = 0; i < sizeof pages_us / sizeof *pages_us; i++) {
        struct console_budget budget = {0};
        for (int page = 0; page < 3; page++) {
            console_budget_spend(&budget, pages_us[i], NOW_US);
        }
        assert_int_equal(console_budget_wait_us(&budget, NOW_US), CONSOLE_WAIT_MAX_US);
        assert_int_equal(console_budget_wait_us(&budget, NOW_US + CONSOLE_WAIT_MAX_US), 0);
    }
}

static void the_burst_comes_back_after_a_pause(void **state) {
    struct console_budget budget = {0};
    int64_t now_us = NOW_US;
    load_pages(&budget, &now_us, 1000, SECOND_US);
    assert_true(console_budget_wait_us(&budget, now_us) > 0);
    now_us += CONSOLE_BURST_US * CONSOLE_PARTS_OF_TIME + SECOND_US;
    assert_true(load_pages(&budget, &now_us, 1000, CONSOLE_BURST_US) >= CONSOLE_BURST_US - 1000);
}

/* ---- turns ---- */

static void add(struct console_waiting *waiting, struct console_task *task, const char *session) {
    *task = (struct console_task){0};
    snprintf(task->form, sizeof task->form, "%s", session);
    console_waiting_add(waiting, task);
}

static void a_session_with_many_tasks_does_not_delay_another(void **state) {
    struct console_waiting waiting;
    struct console_task many[20], other, third;
    console_waiting_init(&waiting);
    for (size_t i = 0; i < 20; i++) {
        add(&waiting, &many[i], "a");
    }
    assert_ptr_equal(console_waiting_take(&waiting), &many[0]);
    add(&waiting, &other, "b");
    assert_ptr_equal(console_waiting_take(&waiting), &many[1]);
    assert_ptr_equal(console_waiting_take(&waiting), &other);
    add(&waiting, &other, "b");
    add(&waiting, &third, "");
    assert_ptr_equal(console_waiting_take(&waiting), &many[2]);
    assert_ptr_equal(console_waiting_take(&waiting), &other);
    assert_ptr_equal(console_waiting_take(&waiting), &third);
    for (size_t i = 3; i < 20; i++) {
        assert_ptr_equal(console_waiting_take(&waiting), &many[i]);
    }
    assert_true(console_waiting_is_empty(&waiting));
}

static void a_session_that_was_away_gets_one_turn_at_a_time(void **state) {
    struct console_waiting waiting;
    struct console_task a, b[3];
    console_waiting_init(&waiting);
    for (int i = 0; i < 10; i++) {
        add(&waiting, &a, "a");
        assert_ptr_equal(console_waiting_take(&waiting), &a);
    }
    for (size_t i = 0; i < 3; i++) {
        add(&waiting, &b[i], "b");
    }
    add(&waiting, &a, "a");
    assert_ptr_equal(console_waiting_take(&waiting), &b[0]);
    assert_ptr_equal(console_waiting_take(&waiting), &a);
    assert_ptr_equal(console_waiting_take(&waiting), &b[1]);
    assert_ptr_equal(console_waiting_take(&waiting), &b[2]);
}

/* ---- load ---- */

static void the_load_is_the_busy_part_of_the_last_second(void **state) {
    struct load load = {0};
    assert_int_equal(load_percent(&load, NOW_US), 0);
    for (int i = 1; i <= 300; i++) {
        int64_t began_us = NOW_US + i * 10000;
        load_begin(&load, began_us);
        load_end(&load, began_us + 4000);
        if (i > 200) {
            assert_in_range(load_percent(&load, began_us + 4000), 39, 41);
        }
    }
    int64_t end_us = NOW_US + 3010000;
    assert_in_range(load_percent(&load, end_us + SECOND_US / 2), 15, 25);
    assert_int_equal(load_percent(&load, end_us + 2 * SECOND_US), 0);
    assert_int_equal(load_percent(&load, end_us + 50 * SECOND_US), 0);
}

static void a_long_group_counts_before_it_ends(void **state) {
    struct load load = {0};
    load_begin(&load, NOW_US);
    assert_int_equal(load_percent(&load, NOW_US), 0);
    assert_int_equal(load_percent(&load, NOW_US + 300000), 30);
    for (int64_t after_us = SECOND_US; after_us < 20 * SECOND_US; after_us += 700000) {
        assert_in_range(load_percent(&load, NOW_US + after_us), 99, 100);
    }
    load_end(&load, NOW_US + 30 * SECOND_US);
    assert_int_equal(load_percent(&load, NOW_US + 32 * SECOND_US), 0);
}

static void one_delivery_in_a_quiet_second_is_no_load(void **state) {
    struct load load = {0};
    load_begin(&load, NOW_US);
    load_end(&load, NOW_US + 20000);
    assert_int_equal(load_percent(&load, NOW_US + 20000), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_without_a_pause_get_the_burst_and_their_share),
        cmocka_unit_test(a_person_who_clicks_once_a_second_does_not_wait),
        cmocka_unit_test(no_page_makes_the_next_one_wait_longer_than_the_maximum),
        cmocka_unit_test(the_burst_comes_back_after_a_pause),
        cmocka_unit_test(a_session_with_many_tasks_does_not_delay_another),
        cmocka_unit_test(a_session_that_was_away_gets_one_turn_at_a_time),
        cmocka_unit_test(the_load_is_the_busy_part_of_the_last_second),
        cmocka_unit_test(a_long_group_counts_before_it_ends),
        cmocka_unit_test(one_delivery_in_a_quiet_second_is_no_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
