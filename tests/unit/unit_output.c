/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* worker_process/output: lines, their lengths, and a flood that stops the one who makes it. */
#include "unit.h"

#include "base/clock.h"
#include "worker_process/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct loop loop;
static struct output output;
static int theirs[OUTPUT_STREAMS];
static char lines[4096];
static uint64_t line_bytes, dropped_bytes;

static void on_line(void *context, enum output_stream stream, const char *text, size_t bytes) {
    (void)context;
    line_bytes += bytes;
    size_t used = strlen(lines);
    snprintf(lines + used, sizeof lines - used, "%d:%.*s|", (int)stream, (int)bytes, text);
}

static void on_dropped(void *context, uint64_t bytes) {
    (void)context;
    dropped_bytes += bytes;
}

static int start(void **state) {
    (void)state;
    static const struct output_handlers handlers = {on_line, on_dropped, NULL};
    int ours[OUTPUT_STREAMS];
    assert_int_equal(loop_init(&loop), 0);
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        int fds[2];
        assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        ours[i] = fds[0];
        theirs[i] = fds[1];
    }
    lines[0] = '\0';
    line_bytes = dropped_bytes = 0;
    assert_int_equal(output_init(&output, &loop, ours, &handlers), 0);
    return 0;
}

static int stop(void **state) {
    (void)state;
    output_finish(&output);
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        close(theirs[i]);
    }
    loop_finish(&loop);
    return 0;
}

static void print(enum output_stream stream, const char *text) {
    assert_int_equal(write(theirs[stream], text, strlen(text)), strlen(text));
    loop_step(&loop, 1000);
}

static void what_is_printed_comes_by_line_and_the_rest_at_the_end(void **state) {
    (void)state;
    print(OUTPUT_STDOUT, "one\ntw");
    assert_string_equal(lines, "0:one|");
    print(OUTPUT_STDERR, "error\n\n");
    print(OUTPUT_STDOUT, "o\nthree");
    assert_string_equal(lines, "0:one|1:error|0:two|");
    output_end(&output);
    assert_string_equal(lines, "0:one|1:error|0:two|0:three|");
    assert_int_equal(dropped_bytes, 0);
}

static void a_long_line_is_cut_and_what_is_cut_is_counted(void **state) {
    (void)state;
    char text[OUTPUT_LINE_MAX + 501];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    print(OUTPUT_STDOUT, text);
    print(OUTPUT_STDOUT, text);
    print(OUTPUT_STDOUT, "\nnext\n");
    output_end(&output);
    assert_int_equal(line_bytes, OUTPUT_LINE_MAX + 4);
    assert_int_equal(dropped_bytes, 2 * (sizeof text - 1) - OUTPUT_LINE_MAX);
}

static void a_flood_is_bounded_and_stops_its_writer_until_the_next_second(void **state) {
    (void)state;
    static char text[4096];
    uint64_t written = 0;
    memset(text, 'x', sizeof text);
    for (size_t i = 99; i < sizeof text; i += 100) {
        text[i] = '\n';
    }
    /* At the start of a second, so that all fits into it on a machine that is not too slow. */
    while (clock_monotonic_ms() % 1000 > 50) {
        usleep(1000);
    }
    int64_t first_second = clock_monotonic_ms() / 1000;
    while (!output.paused && written < 4 * OUTPUT_READ_BYTES) {
        ssize_t bytes = write(theirs[OUTPUT_STDOUT], text, sizeof text);
        written += bytes > 0 ? (uint64_t)bytes : 0;
        loop_step(&loop, 0);
    }
    if (written >= 4 * OUTPUT_READ_BYTES) {
        LEAVE_OUT("this machine writes less than a megabyte in a second");
    }
    uint64_t seconds = (uint64_t)(clock_monotonic_ms() / 1000 - first_second) + 1;
    assert_true(line_bytes <= seconds * OUTPUT_LINES_BYTES);
    uint64_t before = line_bytes;
    assert_true(output_next_ms(&output) <= clock_monotonic_ms() + 1000);
    (void)!write(theirs[OUTPUT_STDERR], "late\n", 5);
    loop_step(&loop, 0);
    assert_int_equal(line_bytes, before);
    output_tick(&output, output_next_ms(&output));
    assert_true(dropped_bytes > OUTPUT_READ_BYTES / 2);
    assert_false(output.paused);
    for (int i = 0; i < 100 && !strstr(lines, "1:late|"); i++) {
        lines[0] = '\0';
        loop_step(&loop, 100);
    }
    assert_non_null(strstr(lines, "1:late|"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_printed_comes_by_line_and_the_rest_at_the_end,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_what_is_cut_is_counted, start, stop),
        cmocka_unit_test_setup_teardown(
            a_flood_is_bounded_and_stops_its_writer_until_the_next_second, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
