/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the times of schedules, against tables of known answers. */
#include "unit.h"

#include "protocol/schedule.h"

#include <string.h>
#include <time.h>

/* "2024-02-29 12:30" in UTC. */
static int64_t at(const char *text) {
    struct tm tm = {0};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static void expect_time(int64_t time_ms, const char *wanted) {
    char text[32];
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
    assert_string_equal(text, wanted);
}

static void the_slots_of_cron_are_those_of_the_table(void **state) {
    (void)state;
    static const struct {
        const char *cron, *now, *last, *next;
    } cases[] = {
        {"0 4 * * *", "2026-11-30 03:59", "2026-11-29 04:00", "2026-11-30 04:00"},
        {"0 4 * * *", "2026-11-30 04:00", "2026-11-30 04:00", "2026-12-01 04:00"},
        {"*/7 * * * *", "2026-01-01 00:57", "2026-01-01 00:56", "2026-01-01 01:00"},
        {"5,35 8-10 * * *", "2026-01-01 10:40", "2026-01-01 10:35", "2026-01-02 08:05"},
        {"0-30/10 */6 * * *", "2026-01-01 06:25", "2026-01-01 06:20", "2026-01-01 06:30"},
        /* 2026-11-30 is a Monday. */
        {"30 9 * * 1-5", "2026-11-30 09:00", "2026-11-27 09:30", "2026-11-30 09:30"},
        {"30 9 * * MON-FRI", "2026-11-28 00:00", "2026-11-27 09:30", "2026-11-30 09:30"},
        {"0 0 * * 0", "2026-11-30 00:00", "2026-11-29 00:00", "2026-12-06 00:00"},
        {"0 0 * * 7", "2026-11-30 00:00", "2026-11-29 00:00", "2026-12-06 00:00"},
        {"0 0 * * 5-7", "2026-11-30 00:00", "2026-11-29 00:00", "2026-12-04 00:00"},
        {"0 0 29 2 *", "2025-06-01 00:00", "2024-02-29 00:00", "2028-02-29 00:00"},
        {"0 0 29 2 *", "2098-06-01 00:00", "2096-02-29 00:00", "2104-02-29 00:00"},
        {"0 0 31 * *", "2026-03-30 00:00", "2026-01-31 00:00", "2026-03-31 00:00"},
        {"0 0 1 jan,JUL *", "2026-03-30 00:00", "2026-01-01 00:00", "2026-07-01 00:00"},
        /* Both fields are given: either matches. */
        {"0 0 13 * 5", "2026-11-14 00:00", "2026-11-13 00:00", "2026-11-20 00:00"},
        {"0 0 15 * 5", "2026-11-14 00:00", "2026-11-13 00:00", "2026-11-15 00:00"},
        {"0 0 */10 * 5", "2026-11-14 00:00", "2026-09-11 00:00", "2026-12-11 00:00"},
        {"59 23 31 12 *", "2026-12-31 23:59", "2026-12-31 23:59", "2027-12-31 23:59"},
        {"  0   0  1 1 * ", "1970-01-01 00:00", "1970-01-01 00:00", "1971-01-01 00:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schedule_times times;
        struct error err;
        assert_int_equal(schedule_parse(0, cases[i].cron, &times, &err), 0);
        expect_time(schedule_last(&times, at(cases[i].now)), cases[i].last);
        expect_time(schedule_next(&times, at(cases[i].now)), cases[i].next);
    }
}

static void slots_of_a_period_are_its_multiples(void **state) {
    (void)state;
    struct schedule_times times;
    struct error err;
    assert_int_equal(schedule_parse(15, "", &times, &err), 0);
    expect_time(schedule_last(&times, at("2026-11-30 04:29")), "2026-11-30 04:15");
    expect_time(schedule_next(&times, at("2026-11-30 04:29")), "2026-11-30 04:30");
    expect_time(schedule_last(&times, at("2026-11-30 04:30")), "2026-11-30 04:30");
    expect_time(schedule_next(&times, at("2026-11-30 04:30")), "2026-11-30 04:45");
}

static void each_slot_is_the_last_before_the_next(void **state) {
    (void)state;
    static const char *const crons[] = {"*/7 3-5 */9 * *", "0 0 * 2 1", "11,22,33 * 1,15 * 6"};
    for (size_t i = 0; i < sizeof crons / sizeof *crons; i++) {
        struct schedule_times times;
        struct error err;
        assert_int_equal(schedule_parse(0, crons[i], &times, &err), 0);
        int64_t slot_ms = schedule_next(&times, at("2026-01-01 00:00"));
        for (int n = 0; n < 500; n++) {
            int64_t next_ms = schedule_next(&times, slot_ms);
            assert_true(next_ms > slot_ms);
            assert_int_equal(schedule_last(&times, next_ms - 1), slot_ms);
            assert_int_equal(schedule_last(&times, slot_ms), slot_ms);
            slot_ms = next_ms;
        }
    }
}

static void bad_schedules_are_rejected_with_the_problem(void **state) {
    (void)state;
    static const struct {
        uint32_t every_minutes;
        const char *cron, *problem;
    } cases[] = {
        {0, "", "either"},
        {10, "0 0 * * *", "either"},
        {4, "", "must be 5"},
        {527041, "", "must be 5"},
        {0, "0 0 * *", "five fields"},
        {0, "0 0 * * * *", "more than five"},
        {0, "60 0 * * *", "minute"},
        {0, "0 24 * * *", "hour"},
        {0, "0 0 0 * *", "day of the month"},
        {0, "0 0 32 * *", "day of the month"},
        {0, "0 0 * 13 *", "month"},
        {0, "0 0 * FOO *", "month"},
        {0, "0 0 * * 8", "day of the week"},
        {0, "0 0 5-1 * *", "day of the month"},
        {0, "0 0 1- * *", "day of the month"},
        {0, "0, 0 * * *", "minute"},
        {0, "0/5 0 * * *", "minute"},
        {0, "*/0 0 * * *", "minute"},
        {0, "*/61 0 * * *", "minute"},
        {0, "-1 0 * * *", "minute"},
        {0, "007 0 * * *", "minute"},
        {0, "@daily", "minute"},
        {0, "* 0 * * *", "less than 5 minutes"},
        {0, "*/4 0 * * *", "less than 5 minutes"},
        {0, "0 0 30 2 *", "does not exist"},
        {0, "0 0 31 4,6,9,11 *", "does not exist"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schedule_times times;
        struct error err = {.text = ""};
        assert_int_equal(schedule_parse(cases[i].every_minutes, cases[i].cron, &times, &err), -1);
        if (strcmp(cases[i].cron, "@daily") != 0) {
            assert_non_null(strstr(err.text, cases[i].problem));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slots_of_cron_are_those_of_the_table),
        cmocka_unit_test(slots_of_a_period_are_its_multiples),
        cmocka_unit_test(each_slot_is_the_last_before_the_next),
        cmocka_unit_test(bad_schedules_are_rejected_with_the_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
