/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* telemetry: the counters, and the page that shows them. */
#include "unit.h"

#include "base/clock.h"
#include "metrics/counters.h"

#include <stdio.h>

static struct buffer page = BUFFER_INIT(METRICS_TEXT_MAX);

static const char *render(void) {
    buffer_finish(&page);
    assert_int_equal(metrics_render(&page), 0);
    return page.data;
}

static void assert_line(const char *line) {
    char whole[300];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(render(), whole)) {
        print_error("%s\nis no line of:\n%s", line, page.data);
        fail();
    }
}

static int empty(void **state) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    memset(&metrics, 0, sizeof metrics);
    metrics.limits_lock = lock;
    return 0;
}

static void a_delivery_is_counted_by_event_and_outcome(void **state) {
    metrics_delivery("push", METRICS_STORED, 900);
    metrics_delivery("push", METRICS_STORED, 3000);
    metrics_delivery("push", METRICS_DUPLICATE, 1000);
    assert_line("snekomatic_deliveries_total{event=\"push\",outcome=\"stored\"} 2");
    assert_line("snekomatic_deliveries_total{event=\"push\",outcome=\"duplicate\"} 1");
    assert_line("snekomatic_acknowledgement_seconds_bucket{le=\"0.001\"} 2");
    assert_line("snekomatic_acknowledgement_seconds_bucket{le=\"0.005\"} 3");
    assert_line("snekomatic_acknowledgement_seconds_bucket{le=\"+Inf\"} 3");
    assert_line("snekomatic_acknowledgement_seconds_sum 0.004900");
    assert_line("snekomatic_acknowledgement_seconds_count 3");
}

static void events_are_bounded_in_number_and_in_kind(void **state) {
    for (int i = 0; i < 1000; i++) {
        char name[] = "event_aa";
        name[6] = (char)('a' + i / 26 % 26);
        name[7] = (char)('a' + i % 26);
        metrics_delivery(name, METRICS_STORED, 1);
    }
    metrics_delivery("Robert\"}; 1", METRICS_STORED, 1);
    assert_line("snekomatic_deliveries_total{event=\"event_aa\",outcome=\"stored\"} 2");
    /* 1000 over 676 names: the first 64 have 2 each. */
    assert_line("snekomatic_deliveries_total{event=\"other\",outcome=\"stored\"} 873");
    assert_null(strstr(page.data, "Robert"));
    unsigned lines = 0;
    for (const char *at = page.data; (at = strstr(at, "outcome=\"stored\"")); at++) {
        lines++;
    }
    assert_int_equal(lines, METRICS_EVENTS_MAX + 1);
}

static void runs_are_measured_by_plugin_and_outcome(void **state) {
    struct metrics_plugin *plugin = metrics_plugin("invite");
    metrics_worker_state(plugin, "running", 0);
    metrics_run_started(plugin, 20);
    metrics_run_ended(plugin, "done", 300);
    metrics_run_ended(plugin, "dead", 5000000);
    metrics_worker_died(plugin);
    assert_ptr_equal(metrics_plugin("invite"), plugin);
    assert_line("snekomatic_worker_state{plugin=\"invite\",state=\"running\"} 1");
    assert_line("snekomatic_worker_deaths_total{plugin=\"invite\"} 1");
    assert_line("snekomatic_queue_wait_seconds_bucket{plugin=\"invite\",le=\"0.025\"} 1");
    assert_line("snekomatic_run_seconds_sum{plugin=\"invite\",outcome=\"done\"} 0.300000");
    assert_line("snekomatic_run_seconds_bucket{plugin=\"invite\",outcome=\"dead\",le=\"3600\"} 0");
    assert_line("snekomatic_run_seconds_bucket{plugin=\"invite\",outcome=\"dead\",le=\"+Inf\"} 1");
}

static void requests_are_counted_by_class_and_status(void **state) {
    metrics_request("GET", 200, 1000);
    metrics_request("PUT", 201, 1000);
    metrics_request("POST", 0, 1000);
    metrics_request("GET", 12345, 1000);
    assert_line("snekomatic_github_requests_total{class=\"read\",status=\"200\"} 1");
    assert_line("snekomatic_github_requests_total{class=\"write\",status=\"201\"} 1");
    assert_line("snekomatic_github_requests_total{class=\"write\",status=\"none\"} 1");
    assert_line("snekomatic_github_requests_total{class=\"read\",status=\"600\"} 1");
    assert_line("snekomatic_github_request_seconds_count{class=\"read\"} 2");
}

static void the_rate_limits_named_last_are_shown(void **state) {
    for (int i = 0; i < METRICS_LIMITS_MAX + 1; i++) {
        char installation[16];
        snprintf(installation, sizeof installation, "%d", 1000 + i);
        metrics_rate_limit(installation, "all", 5000, i, -1);
        metrics_rate_limit("1", "all", 15000, 14000 - i, 60000);
    }
    assert_line("snekomatic_github_rate_limit{installation=\"1\",resource=\"all\"} 15000");
    assert_line(
        "snekomatic_github_rate_limit_remaining{installation=\"1\",resource=\"all\"} 13900");
    assert_line(
        "snekomatic_github_rate_limit_remaining{installation=\"1100\",resource=\"all\"} 100");
    assert_null(strstr(page.data, "\"1000\""));
    assert_null(strstr(page.data, "\"1001\""));
}

static void what_is_kept_and_used_again_is_counted(void **state) {
    metrics_conditional(true);
    metrics_conditional(true);
    metrics_conditional(false);
    metrics_etag_cache(700);
    assert_line("snekomatic_github_conditional_requests_total{result=\"unchanged\"} 2");
    assert_line("snekomatic_github_conditional_requests_total{result=\"changed\"} 1");
    assert_line("snekomatic_github_etag_cache_bytes 700");
}

static void the_queues_age_is_that_of_the_oldest_that_is_due(void **state) {
    assert_null(strstr(render(), "snekomatic_queue_age_seconds"));
    struct metrics_store store = {.queued = 3, .dead = 1, .oldest_due_ms = clock_wall_ms() - 2500};
    metrics_store(&store);
    assert_line("snekomatic_runs{state=\"queued\"} 3");
    assert_line("snekomatic_queue_age_seconds 2.500");
    /* It waits for its retry. */
    store.oldest_due_ms += 60000;
    metrics_store(&store);
    assert_line("snekomatic_queue_age_seconds 0.000");
}

static void the_detail_is_members_of_a_json_object(void **state) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(1000);
    assert_int_equal(metrics_render_detail(&json), 0);
    assert_int_equal(json.bytes, 0);
    metrics_store(&(struct metrics_store){.queued = 2, .oldest_due_ms = INT64_MAX});
    metrics_request("GET", 404, 1000);
    assert_int_equal(metrics_render_detail(&json), 0);
    assert_string_equal(json.data, "\"queue\":{\"queued\":2,\"blocked\":0,\"running\":0,\"dead\":0,"
                                   "\"parked\":0,\"held\":0,\"waiting\":0,\"not_configured\":0,"
                                   "\"age_ms\":0},"
                                   "\"github\":{\"last_status\":404,\"ago_ms\":0},");
}

static void the_process_tells_what_it_takes(void **state) {
    static const char *const names[] = {
        "process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_open_fds", "process_start_time_seconds"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char start[64];
        int length = snprintf(start, sizeof start, "\n%s ", names[i]);
        const char *line = strstr(render(), start);
        assert_non_null(line);
        assert_true(strtod(line + length, NULL) > 0);
    }
}

int main(void) {
    clock_set_for_test(0, 1700000000123);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_delivery_is_counted_by_event_and_outcome, empty),
        cmocka_unit_test_setup(events_are_bounded_in_number_and_in_kind, empty),
        cmocka_unit_test_setup(runs_are_measured_by_plugin_and_outcome, empty),
        cmocka_unit_test_setup(requests_are_counted_by_class_and_status, empty),
        cmocka_unit_test_setup(the_rate_limits_named_last_are_shown, empty),
        cmocka_unit_test_setup(what_is_kept_and_used_again_is_counted, empty),
        cmocka_unit_test_setup(the_queues_age_is_that_of_the_oldest_that_is_due, empty),
        cmocka_unit_test_setup(the_detail_is_members_of_a_json_object, empty),
        cmocka_unit_test_setup(the_process_tells_what_it_takes, empty),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_finish(&page);
    return failed;
}
