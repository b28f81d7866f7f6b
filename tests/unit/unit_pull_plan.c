/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* maintenance/pull_plan: how far back a reading goes, what is fetched, and when again. */
#include "unit.h"

#include "base/array.h"
#include "maintenance/hook_watch.h"
#include "maintenance/pull.h"
#include "maintenance/pull_plan.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOW INT64_C(1700000000000)
#define MINUTE_MS 60000
#define HOUR_MS 3600000
#define DAY_MS INT64_C(86400000)

static void a_reading_goes_back_behind_the_place_but_not_before_the_first_start(void **state) {
    (void)state;
    static const struct {
        struct inbox_pull_place place;
        int64_t since_ms;
    } cases[] = {
        {{.oldest_ms = NOW, .place_ms = 0}, NOW},
        {{.oldest_ms = 0, .place_ms = 0}, 0},
        {{.oldest_ms = NOW, .place_ms = NOW + MINUTE_MS}, NOW},
        {{.oldest_ms = NOW, .place_ms = NOW + HOUR_MS}, NOW + HOUR_MS - PULL_OVERLAP_MS},
        {{.oldest_ms = 0, .place_ms = NOW}, NOW - PULL_OVERLAP_MS},
        /* A clock that is wrong. */
        {{.oldest_ms = 5, .place_ms = NOW + DAY_MS}, 5},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(pull_since_ms(&cases[i].place, NOW), cases[i].since_ms);
    }
}

static void a_reading_ends_only_where_the_last_entries_are_all_old(void **state) {
    (void)state;
    struct delivery_log_entry entries[100];
    char next[] = "https://a/2";
    struct delivery_log_page page = {.entries = entries, .next_url = next};
    for (size_t i = 0; i < 100; i++) {
        entries[i].delivered_ms = NOW - (int64_t)i * MINUTE_MS;
    }
    page.n_entries = 100;
    assert_true(pull_reads_on(&page, NOW - 99 * MINUTE_MS));
    assert_true(pull_reads_on(&page, NOW - 91 * MINUTE_MS));
    assert_false(pull_reads_on(&page, NOW - 89 * MINUTE_MS));
    /* One is out of order. */
    entries[95].delivered_ms = NOW;
    assert_true(pull_reads_on(&page, NOW - MINUTE_MS));
    /* All had GUIDs that no inbox takes. */
    page.n_entries = 0;
    assert_true(pull_reads_on(&page, NOW));
    page.next_url = NULL;
    assert_false(pull_reads_on(&page, 0));
}

static void the_newest_entry_is_the_place_and_no_time_is_after_githubs_clock(void **state) {
    (void)state;
    struct delivery_log_entry entries[] = {{.delivered_ms = NOW - HOUR_MS},
                                           {.delivered_ms = NOW - MINUTE_MS}};
    struct delivery_log_page page = {.entries = entries, .n_entries = 2, .now_ms = NOW};
    assert_int_equal(pull_newest_ms(&page, 0), NOW - MINUTE_MS);
    assert_int_equal(pull_newest_ms(&page, NOW - 1), NOW - 1);
    entries[0].delivered_ms = NOW + DAY_MS;
    assert_int_equal(pull_newest_ms(&page, 0), NOW);
}

static void entries_are_wanted_by_plugins_and_by_the_inbox(void **state) {
    (void)state;
    const struct inbox_pull_place place = {.started_ms = NOW, .oldest_ms = NOW - HOUR_MS};
    static const struct {
        const char *event;
        int64_t age_ms;
        bool redelivery, plugin_wants, wanted, once;
    } cases[] = {
        {"issues", 0, false, true, true, true},
        {"issues", 0, false, false, false, true},
        {"issues", 0, true, true, true, false},
        {"installation", 0, false, false, true, true},
        /* Before the first start: the inbox may have it from a webhook. */
        {"issues", MINUTE_MS, true, true, true, true},
        {"issues", 2 * HOUR_MS, false, true, false, true},
        {"installation", 2 * HOUR_MS, false, false, false, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct delivery_log_entry listed = {.id = 7,
                                            .guid = "g",
                                            .event = cases[i].event,
                                            .action = "",
                                            .redelivery = cases[i].redelivery,
                                            .delivered_ms = NOW - cases[i].age_ms};
        struct inbox_pull_entry entry = pull_entry(&place, &listed, cases[i].plugin_wants);
        assert_int_equal(entry.id, 7);
        assert_int_equal(entry.wanted, cases[i].wanted);
        assert_int_equal(entry.once, cases[i].once);
    }
}

static void a_pause_doubles_up_to_a_minute_or_the_interval(void **state) {
    (void)state;
    assert_int_equal(pull_pause_ms(1000, 0, 10000), 1000);
    assert_int_equal(pull_pause_ms(1000, 3, 10000), 8000);
    assert_int_equal(pull_pause_ms(1000, 6, 10000), 60000);
    assert_int_equal(pull_pause_ms(1000, 4000000000U, 10000), 60000);
    assert_int_equal(pull_pause_ms(300000, 2, 300000), 300000);
}

static void a_missing_payload_is_asked_for_again_for_a_quarter_of_an_hour(void **state) {
    (void)state;
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 0, 0, 3 * DAY_MS), 10000);
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 1, MINUTE_MS, 3 * DAY_MS), MINUTE_MS);
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 3, 14 * MINUTE_MS, 3 * DAY_MS), 10 * MINUTE_MS);
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 4, 16 * MINUTE_MS, 3 * DAY_MS), 0);
    /* The host was off: the payload gets three attempts all the same. */
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 0, HOUR_MS, 3 * DAY_MS), 10000);
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 1, HOUR_MS, 3 * DAY_MS), MINUTE_MS);
    assert_int_equal(pull_retry_ms(PULL_NO_PAYLOAD, 2, HOUR_MS, 3 * DAY_MS), 0);
}

static void an_error_is_retried_as_long_as_github_keeps_the_entry(void **state) {
    (void)state;
    assert_int_equal(pull_retry_ms(PULL_ERROR, 0, 0, 3 * DAY_MS), 10000);
    assert_int_equal(pull_retry_ms(PULL_ERROR, 400, 3 * DAY_MS - 1, 3 * DAY_MS), 10 * MINUTE_MS);
    assert_int_equal(pull_retry_ms(PULL_ERROR, 400, 3 * DAY_MS, 3 * DAY_MS), 0);
    assert_int_equal(pull_retry_ms(PULL_UNUSABLE, 0, 0, 3 * DAY_MS), 0);
}

static void the_quota_lasts_until_its_reset_and_a_tenth_is_for_tokens(void **state) {
    (void)state;
    static const struct {
        uint64_t requests;
        struct rate_quota quota;
        int64_t wait_ms;
        bool left;
    } cases[] = {
        {1, {0, 0, 0}, 10000, true}, /* not known */
        {1, {5000, 4000, NOW + HOUR_MS}, 10000, true},
        {1, {5000, 600, NOW + HOUR_MS}, 36000, true},
        {9, {5000, 1400, NOW + HOUR_MS}, 36000, true},
        {1, {5000, 500, NOW + HOUR_MS}, HOUR_MS, false},
        {1, {5000, 0, NOW + 2000}, 10000, false},
        {900, {5000, 600, NOW + HOUR_MS}, HOUR_MS, true},
        {1, {5000, 0, NOW}, 10000, true}, /* it was reset */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(pull_wait_ms(10000, cases[i].requests, &cases[i].quota, NOW),
                         cases[i].wait_ms);
        assert_int_equal(pull_quota_is_left(&cases[i].quota, NOW), cases[i].left);
    }
}

/* Sixteen payloads are under way at once, and each response has the count of its own moment. */
static void the_lowest_count_until_the_reset_is_the_latest(void **state) {
    (void)state;
    static const struct {
        struct rate_quota known, seen;
        int64_t remaining;
    } cases[] = {
        {{0, 0, 0}, {100, 60, NOW + HOUR_MS}, 60},
        {{100, 60, NOW + HOUR_MS}, {100, 58, NOW + HOUR_MS}, 58},
        {{100, 58, NOW + HOUR_MS}, {100, 60, NOW + HOUR_MS}, 58},
        {{100, 58, NOW + HOUR_MS}, {100, 60, NOW + HOUR_MS - 1000}, 58},
        {{100, 10, NOW}, {100, 99, NOW + HOUR_MS}, 99},
        {{100, 10, NOW + HOUR_MS}, {5000, 4999, NOW + HOUR_MS}, 4999},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rate_quota quota = cases[i].known;
        rate_quota_learn(&quota, &cases[i].seen);
        assert_int_equal(quota.limit, cases[i].seen.limit);
        assert_int_equal(quota.remaining, cases[i].remaining);
        assert_int_equal(quota.reset_ms, cases[i].seen.reset_ms);
    }
}

static void an_installation_of_the_last_days_should_have_an_entry(void **state) {
    (void)state;
    /* 2023-11-14T22:13:20Z is NOW. */
    static const struct {
        const char *body;
        bool expects;
    } cases[] = {
        {"[{\"created_at\": \"2023-11-14T22:00:00Z\"}]", true},
        {"[{\"created_at\": \"2023-11-14T22:13:00Z\"}]", false}, /* just now */
        {"[{\"created_at\": \"2023-11-01T00:00:00Z\"}]", false}, /* forgotten since */
        {"[{\"created_at\": \"2023-11-01T00:00:00Z\"}, {\"created_at\":"
         " \"2023-11-13T00:00:00Z\"}]",
         true},
        {"[]", false},
        {"[{}]", false},
        {"nonsense", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        AUTO_BUFFER struct buffer body = BUFFER_INIT(1000);
        assert_int_equal(buffer_append_text(&body, cases[i].body), 0);
        assert_int_equal(hook_watch_expects_event(&body, 3 * DAY_MS, NOW), cases[i].expects);
    }
}

static void a_date_that_no_jwt_could_have_is_not_githubs_clock(void **state) {
    (void)state;
    assert_int_equal(pull_clock_ms(NOW + HOUR_MS, NOW), NOW + HOUR_MS);
    assert_int_equal(pull_clock_ms(NOW - HOUR_MS, NOW), NOW - HOUR_MS);
    assert_int_equal(pull_clock_ms(NOW + 2 * HOUR_MS, NOW), NOW);
    assert_int_equal(pull_clock_ms(0, NOW), NOW);
    assert_int_equal(pull_clock_ms(INT64_C(253402300799000), NOW), NOW);
}

static void the_whole_list_is_read_once_a_day_and_after_a_wrong_clock(void **state) {
    (void)state;
    struct inbox_pull_place place = {.place_ms = NOW, .full_ms = NOW - DAY_MS};
    assert_true(pull_reads_all(&place, true, NOW));
    assert_false(pull_reads_all(&place, true, NOW - 1));
    assert_false(pull_reads_all(&place, false, NOW));
    place.full_ms = NOW + DAY_MS;
    assert_true(pull_reads_all(&place, false, NOW));
    place = (struct inbox_pull_place){.place_ms = NOW + DAY_MS, .full_ms = NOW};
    assert_true(pull_reads_all(&place, false, NOW));
}

static void github_com_gets_no_more_requests_in_a_minute_than_it_allows(void **state) {
    (void)state;
    assert_int_equal(pull_requests_per_minute("https://api.github.com"), 800);
    assert_int_equal(pull_requests_per_minute("https://API.github.com:443/"), 800);
    assert_int_equal(pull_requests_per_minute("https://api.snek.ghe.com"), 800);
    assert_int_equal(pull_requests_per_minute("https://github.snek.example/api/v3"), 0);
    assert_int_equal(pull_requests_per_minute("http://127.0.0.1:8080/ghe.com"), 0);
    assert_int_equal(pull_requests_per_minute("https://notapi.github.com"), 0);
}

static void the_requests_of_any_minute_are_limited(void **state) {
    (void)state;
    struct pull_rate rate = {0};
    int64_t now_ms = 500;
    unsigned sent = 0;
    assert_int_equal(pull_rate_ms(&rate, 100, now_ms), 0);
    for (; pull_rate_ms(&rate, 100, now_ms) <= now_ms; now_ms += 100) {
        pull_rate_count(&rate, now_ms);
        sent++;
    }
    assert_int_equal(sent, 100);
    int64_t at_ms = pull_rate_ms(&rate, 100, now_ms);
    /* A minute after the first ones. */
    assert_in_range(at_ms, 60500, 61500);
    assert_int_equal(pull_rate_ms(&rate, 100, at_ms - 1), at_ms);
    assert_int_equal(pull_rate_ms(&rate, 100, at_ms), 0);
    assert_int_equal(pull_rate_ms(&rate, 0, now_ms), 0);
    assert_int_equal(pull_rate_ms(&rate, 100, now_ms + HOUR_MS), 0);
}

/* The pages of a zeroed allocation take memory once they are touched. */
static size_t resident_pages(void *memory, size_t bytes) {
    static unsigned char pages[1024];
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    assert_true(bytes <= sizeof pages * page_bytes);
    assert_int_equal(mincore(memory, bytes, pages), 0);
    for (size_t i = 0; i < (bytes + page_bytes - 1) / page_bytes; i++) {
        count += pages[i] & 1;
    }
    return count;
}

static void webhook_mode_needs_no_memory_for_the_fetcher(void **state) {
    (void)state;
    static const struct {
        int64_t interval_ms;
        bool touched;
    } cases[] = {{0, false}, {60000, true}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pull *pull =
            mmap(NULL, sizeof *pull, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(pull, MAP_FAILED);
        struct pull_options options = {.interval_ms = cases[i].interval_ms, .retention_ms = DAY_MS};
        pull_init(pull, &options);
        pull_close(pull);
        pull_finish(pull);
        size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
        size_t fetcher_pages = sizeof pull->fetcher / page_bytes;
        size_t others = (sizeof *pull - sizeof pull->fetcher) / page_bytes + 3;
        size_t resident = resident_pages(pull, sizeof *pull);
        assert_int_equal(resident > others, cases[i].touched);
        assert_true(resident < fetcher_pages);
        assert_int_equal(munmap(pull, sizeof *pull), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webhook_mode_needs_no_memory_for_the_fetcher),
        cmocka_unit_test(a_pause_doubles_up_to_a_minute_or_the_interval),
        cmocka_unit_test(a_reading_goes_back_behind_the_place_but_not_before_the_first_start),
        cmocka_unit_test(a_reading_ends_only_where_the_last_entries_are_all_old),
        cmocka_unit_test(the_newest_entry_is_the_place_and_no_time_is_after_githubs_clock),
        cmocka_unit_test(entries_are_wanted_by_plugins_and_by_the_inbox),
        cmocka_unit_test(a_missing_payload_is_asked_for_again_for_a_quarter_of_an_hour),
        cmocka_unit_test(an_error_is_retried_as_long_as_github_keeps_the_entry),
        cmocka_unit_test(an_installation_of_the_last_days_should_have_an_entry),
        cmocka_unit_test(a_date_that_no_jwt_could_have_is_not_githubs_clock),
        cmocka_unit_test(the_whole_list_is_read_once_a_day_and_after_a_wrong_clock),
        cmocka_unit_test(github_com_gets_no_more_requests_in_a_minute_than_it_allows),
        cmocka_unit_test(the_requests_of_any_minute_are_limited),
        cmocka_unit_test(the_quota_lasts_until_its_reset_and_a_tenth_is_for_tokens),
        cmocka_unit_test(the_lowest_count_until_the_reset_is_the_latest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
