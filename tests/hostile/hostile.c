/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Answers that no server should give, each with the typed error that a plugin gets, in bounded
 * memory, and not a moment after the request's time. It prints the table. */
#include "broker_fixture.h"

#include "base/clock.h"
#include "base/io.h"
#include "protocol/frames.h"

#include <snekomatic/types.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT_MS 2000
/* Enough for a busy machine, or one that checks every access. */
#define SLACK_MS 5000
/* An answer of at most 8 MiB, while its buffer grows. */
#define MEMORY_MAX_KIB (64L << 10)

static struct fixture fixture;

static int start(void **state) {
    (void)state;
    fixture_start(&fixture, TIMEOUT_MS);
    return 0;
}

static int stop(void **state) {
    (void)state;
    fixture_stop(&fixture);
    free(fixture.log);
    return 0;
}

static const struct hostile {
    const char *target;
    int32_t outcome, status;
    const char *part;
} table[] = {
    {"/silent", SNEK_E_TIMEOUT, 0, "got no complete response"},
    {"/silent-after-head", SNEK_E_TIMEOUT, 0, "got no complete response"},
    {"/drip", SNEK_E_TIMEOUT, 0, "got no complete response"},
    {"/drip-headers", SNEK_E_TIMEOUT, 0, "got no complete response"},
    {"/endless", SNEK_E_TOO_LARGE, 200, "more than 8388608 bytes"},
    {"/hundred-megabytes", SNEK_E_TOO_LARGE, 200, "more than 8388608 bytes"},
    {"/announced", SNEK_E_TOO_LARGE, 200, "more than 8388608 bytes"},
    {"/headers", SNEK_E_TOO_LARGE, 200, "bytes of headers"},
    {"/long-header", SNEK_E_TOO_LARGE, 200, "bytes of headers"},
    {"/continue", SNEK_E_TOO_LARGE, 100, "bytes of headers"},
    {"/cut", SNEK_E_NETWORK, 0, "got no complete response"},
    {"/cut-chunk", SNEK_E_NETWORK, 0, "got no complete response"},
    {"/bad-chunk", SNEK_E_NETWORK, 0, "got no complete response"},
    {"/huge-chunk", SNEK_E_NETWORK, 0, "got no complete response"},
    {"/negative-length", SNEK_E_SERVER, 0, "got no complete response"},
    /* The rest is thrown away with the connection. */
    {"/longer-than-it-says", 0, 200, ""},
    /* Not asked for, so not unpacked: bytes that are no JSON. */
    {"/bomb", 0, 200, ""},
    /* Likewise; lists and GraphQL say so. */
    {"/html", 0, 200, ""},
    {"/html-502", SNEK_E_SERVER, 502, "answered 502"},
    {"/nothing", 0, 200, ""},
    {"/garbage", SNEK_E_SERVER, 0, "got no complete response"},
    {"/status-0", SNEK_E_SERVER, 0, ""},
    {"/elsewhere", SNEK_E_FOREIGN_ORIGIN, 302, "a redirect that is not followed"},
    {"/around", SNEK_E_SERVER, 302, "it is one of more than five"},
    {"/nowhere", SNEK_E_SERVER, 302, "it names no Location"},
    {"/reset", SNEK_E_NETWORK, 0, "got no complete response"},
    {"/reset-in-the-middle", SNEK_E_NETWORK, 0, "got no complete response"},
    {"/hang-up", SNEK_E_NETWORK, 0, "got no complete response"},
};

/* The most that was resident since the last call; -1 where the kernel does not tell. */
static long peak_kib(void) {
    AUTO_FILE FILE *status = fopen("/proc/self/status", "re");
    char line[200];
    long kib = -1;
    while (status && fgets(line, sizeof line, status)) {
        (void)sscanf(line, "VmHWM: %ld kB", &kib);
    }
    AUTO_CLOSE int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, "5", 1) == 1 ? kib : -1;
}

static void meet(const struct hostile *hostile) {
    struct asked asked;
    long before_kib = peak_kib();
    before_kib = peak_kib();
    int64_t began_ms = clock_monotonic_ms();
    fixture_ask(&fixture, &asked, "GET", hostile->target, NULL);
    int64_t took_ms = clock_monotonic_ms() - began_ms;
    long grown_kib = peak_kib() - before_kib;
    (void)fprintf(stderr, "# %-24s outcome %3d   status %3d   %5lld ms   %6ld KiB\n",
                  hostile->target, (int)asked.request.outcome, (int)asked.request.status,
                  (long long)took_ms, before_kib < 0 ? 0 : grown_kib);
    if (asked.request.outcome != hostile->outcome || asked.request.status != hostile->status ||
        !strstr(asked.request.error.text, hostile->part)) {
        fail_msg("%s: outcome %d, status %d: %s", hostile->target, asked.request.outcome,
                 asked.request.status, asked.request.error.text);
    }
    assert_true(took_ms < TIMEOUT_MS + SLACK_MS);
    assert_true(asked.request.response.bytes <= FRAME_REPLY_BODY_MAX);
#if !defined(__SANITIZE_ADDRESS__) && !defined(SNEK_SANITIZED)
    assert_true(before_kib < 0 || grown_kib < MEMORY_MAX_KIB);
#endif
    broker_request_finish(&asked.request);
    /* And whoever comes next finds a broker that is well. */
    fixture_ask(&fixture, &asked, "GET", "/ok", NULL);
    assert_int_equal(asked.request.outcome, 0);
    broker_request_finish(&asked.request);
}

static void each_hostile_answer_has_its_error_in_time_and_in_bounds(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        meet(&table[i]);
    }
}

static void hostile_answers_do_no_harm_to_others_at_the_same_time(void **state) {
    (void)state;
    enum { MANY = 4 };
    static struct asked bad[sizeof table / sizeof *table], good[MANY];
    size_t n = sizeof table / sizeof *table;
    for (size_t i = 0; i < n; i++) {
        fixture_fill(&fixture, &bad[i], "GET", table[i].target, NULL);
        broker_submit(fixture.broker, &bad[i].request);
    }
    for (size_t i = 0; i < MANY; i++) {
        fixture_fill(&fixture, &good[i], "GET", "/ok", NULL);
        broker_submit(fixture.broker, &good[i].request);
    }
    fixture_wait(&fixture, good, MANY);
    fixture_wait(&fixture, bad, n);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(good[i].request.outcome, 0);
        broker_request_finish(&good[i].request);
    }
    for (size_t i = 0; i < n; i++) {
        broker_request_finish(&bad[i].request);
    }
}

#define CROWD 160
/* They would have sent 1280 MiB. */
#define CROWD_MAX_KIB (640L << 10)

static void a_crowd_of_large_answers_takes_bounded_memory(void **state) {
    (void)state;
    static struct asked crowd[CROWD];
    static const char *const installations[] = {"1", "2"};
    long before_kib = peak_kib();
    before_kib = peak_kib();
    for (size_t i = 0; i < CROWD; i++) {
        fixture_fill(&fixture, &crowd[i], "GET", "/endless", NULL);
        crowd[i].request.installation = installations[i % 2];
        broker_submit(fixture.broker, &crowd[i].request);
    }
    for (size_t i = 0; i < CROWD; i++) {
        fixture_wait(&fixture, &crowd[i], 1);
        /* FAILED: the host's memory was short, because of the others. */
        assert_true(crowd[i].request.outcome == SNEK_E_TOO_LARGE ||
                    crowd[i].request.outcome == SNEK_E_FAILED ||
                    crowd[i].request.outcome == SNEK_E_TIMEOUT);
        broker_request_finish(&crowd[i].request);
    }
    long grown_kib = peak_kib() - before_kib;
    (void)fprintf(stderr, "# %d at once: %ld KiB\n", CROWD, before_kib < 0 ? 0 : grown_kib);
#if !defined(__SANITIZE_ADDRESS__) && !defined(SNEK_SANITIZED)
    assert_true(before_kib < 0 || grown_kib < CROWD_MAX_KIB);
#endif
    struct asked asked;
    fixture_ask(&fixture, &asked, "GET", "/ok", NULL);
    assert_int_equal(asked.request.outcome, 0);
    broker_request_finish(&asked.request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_hostile_answer_has_its_error_in_time_and_in_bounds,
                                        start, stop),
        cmocka_unit_test_setup_teardown(hostile_answers_do_no_harm_to_others_at_the_same_time,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_crowd_of_large_answers_takes_bounded_memory, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
