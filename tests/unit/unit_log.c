/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* base/log with its queue: each test is a process of its own, whose standard output is a pipe that
 * the test reads when it wants to, or a file. */
#include "unit.h"

#include "base/io.h"
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES 4096
#define THREADS 8

struct child {
    pid_t pid;
    /* Its standard output, to read. */
    int out;
    /* To agree on what is when. */
    int said, tell;
};

static int said, told; /* the child's ends */

/* Forks; `run` is what the child does. */
static struct child start(void (*run)(void), int out_flags) {
    int out[2], to_test[2], to_child[2];
    assert_int_equal(pipe2(out, out_flags), 0);
    assert_int_equal(pipe(to_test), 0);
    assert_int_equal(pipe(to_child), 0);
    fcntl(out[1], F_SETPIPE_SZ, PIPE_BYTES);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        said = to_test[1];
        told = to_child[0];
        /* One that stands still fails its test. */
        (void)alarm(20);
        run();
        _exit(0);
    }
    close(out[1]);
    close(to_test[1]);
    close(to_child[0]);
    return (struct child){pid, out[0], to_test[0], to_child[1]};
}

static void say(int fd) {
    (void)io_write_full(fd, "", 1);
}

static void wait_for(int fd) {
    char byte;
    (void)!read(fd, &byte, 1);
}

/* In the child: its own failure is told by its status. */
static void need(bool right) {
    if (!right) {
        _exit(99);
    }
}

static void start_queue(void) {
    struct error err;
    log_setup(SNEK_LEVEL_INFO, LOG_LOGFMT);
    need(log_start(&err) == 0);
}

static int end(struct child *child) {
    int status;
    close(child->tell);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->out);
    close(child->said);
    return status;
}

/* Reads up to the line with this message, or to the end. */
static void read_until(struct child *child, const char *message, struct buffer *text) {
    char chunk[65536];
    for (;;) {
        struct pollfd wait = {.fd = child->out, .events = POLLIN};
        poll(&wait, 1, -1);
        ssize_t got = read(child->out, chunk, sizeof chunk);
        if (got <= 0) {
            assert_null(message);
            return;
        }
        size_t before = text->bytes < LOG_LINE_MAX ? 0 : text->bytes - LOG_LINE_MAX;
        assert_int_equal(buffer_append(text, chunk, (size_t)got), 0);
        if (message && strstr(text->data + before, message)) {
            return;
        }
    }
}

/* The number after `key` in the line at `line`; -1: the line has none. */
static long number_in(const char *line, const char *key) {
    const char *at = memmem(line, (size_t)(strchr(line, '\n') - line), key, strlen(key));
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

struct seen {
    long lines, missing, gaps;
};

/* Numbered lines come in order. At the first missing number at the latest, a line says how many are
 * missing: also those of a later gap, if the queue filled again before it was written. */
static struct seen check_numbers(const char *text) {
    struct seen seen = {0};
    long last = -1;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        assert_non_null(strchr(line, '\n'));
        long missing = number_in(line, "level=warning msg=log_lines_dropped count=");
        long n = number_in(line, " n=");
        if (missing >= 0) {
            seen.missing += missing;
            seen.gaps++;
        } else {
            seen.lines++;
            assert_true(n > last && n < seen.lines + seen.missing);
            last = n;
        }
    }
    return seen;
}

/* ---- */

#define FLOOD 20000

static void flood(void) {
    start_queue();
    for (int i = 0; i < FLOOD; i++) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", i), LOG_TEXT("text", "some more of it"));
    }
    need(log_dropped() > 0);
    /* Here we come although nobody reads. */
    say(said);
    wait_for(told);
    /* The queue may be full again, if its thread began in the middle of the flood. */
    uint64_t dropped;
    int n = FLOOD;
    do {
        dropped = log_dropped();
        log_event(SNEK_LEVEL_INFO, "last", LOG_NUMBER("n", n++));
    } while (log_dropped() > dropped);
    wait_for(told);
    log_finish();
}

static void a_reader_that_stands_still_stops_nobody_and_is_told_what_is_missing(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(flood, 0);
    wait_for(child.said);
    read_until(&child, "log_lines_dropped", &text);
    say(child.tell);
    read_until(&child, "msg=last", &text);
    struct seen seen = check_numbers(text.data);
    assert_true(seen.gaps >= 1);
    assert_true(seen.lines + seen.missing > FLOOD);
    assert_true(text.bytes > LOG_QUEUE_BYTES - LOG_QUEUE_RESERVE - LOG_LINE_MAX);
    say(child.tell);
    assert_int_equal(end(&child), 0);
}

static void warn_in_a_flood(void) {
    start_queue();
    for (int i = 0; i < FLOOD; i++) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("i", i), LOG_TEXT("text", "some more of it"));
    }
    for (int i = 0; i < 100; i++) {
        log_event(SNEK_LEVEL_WARNING, "warning", LOG_NUMBER("i", i));
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("i", i));
    }
    log_event(SNEK_LEVEL_ERROR, "last");
    say(said);
    wait_for(told);
    log_finish();
}

static void warnings_find_room_where_other_lines_find_none(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(warn_in_a_flood, 0);
    wait_for(child.said);
    read_until(&child, "msg=last", &text);
    for (int i = 0; i < 100; i++) {
        char want[64];
        snprintf(want, sizeof want, "msg=warning i=%d\n", i);
        assert_non_null(strstr(text.data, want));
    }
    say(child.tell);
    assert_int_equal(end(&child), 0);
}

static void flood_until_the_end(void) {
    struct timespec before, after;
    start_queue();
    for (int i = 0; i < FLOOD; i++) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", i));
    }
    clock_gettime(CLOCK_MONOTONIC, &before);
    log_finish();
    clock_gettime(CLOCK_MONOTONIC, &after);
    need((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >=
         LOG_FLUSH_MS - 1);
}

static void the_end_waits_for_a_reader_that_stands_still_but_not_for_ever(void **state) {
    struct child child = start(flood_until_the_end, 0);
    int status;
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid); /* nothing was read */
    assert_int_equal(status, 0);
}

static void say_little(void) {
    start_queue();
    for (int i = 0; i < 1000; i++) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", i));
    }
    log_finish();
    need(log_dropped() == 0);
}

static void what_is_queued_is_written_at_the_end(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(say_little, 0);
    read_until(&child, NULL, &text);
    assert_int_equal(check_numbers(text.data).lines, 1000);
    assert_int_equal(end(&child), 0);
}

static void a_pipe_that_somebody_made_non_blocking_loses_nothing(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(say_little, O_NONBLOCK);
    read_until(&child, NULL, &text);
    assert_int_equal(check_numbers(text.data).lines, 1000);
    assert_int_equal(end(&child), 0);
}

static void crash(void) {
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    start_queue();
    for (int i = 0; i < 100; i++) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", i),
                  LOG_TEXT("text", "more than a pipe takes"));
    }
    say(said);
    abort();
}

static void what_was_logged_before_a_crash_is_written(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(crash, 0);
    wait_for(child.said);
    read_until(&child, NULL, &text);
    assert_true(text.bytes > 2 * PIPE_BYTES);
    assert_int_equal(check_numbers(text.data).lines, 100);
    int status = end(&child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void log_in_a_fork(void) {
    start_queue();
    log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", 0));
    wait_for(told); /* it was read */
    pid_t pid = fork();
    if (pid == 0) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", 1));
        _exit(0);
    }
    int status;
    need(waitpid(pid, &status, 0) == pid && status == 0);
    log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", 2));
    log_finish();
}

static void a_forked_child_writes_its_lines_itself(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(log_in_a_fork, 0);
    read_until(&child, "n=0\n", &text);
    say(child.tell);
    read_until(&child, NULL, &text);
    assert_int_equal(check_numbers(text.data).lines, 3);
    assert_int_equal(end(&child), 0);
}

/* ---- a file that cannot grow ---- */

static char file[] = "/tmp/snek-log-XXXXXX";

#define FILE_BYTES 1000
#define LINE_BYTES (sizeof "time=2026-11-25T03:00:00.000Z level=info msg=line n=100\n" - 1)
#define LOST (100 - FILE_BYTES / LINE_BYTES)

_Static_assert(FILE_BYTES % LINE_BYTES != 0, "a line is torn");

static void log_to_a_full_disk(void) {
    struct rlimit limit;
    int fd = mkstemp(file);
    need(fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    signal(SIGXFSZ, SIG_IGN);
    need(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    need(setrlimit(RLIMIT_FSIZE, &(struct rlimit){FILE_BYTES, limit.rlim_max}) == 0);
    start_queue();
    for (int i = 100; i < 200; i++) { /* all of one length */
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", i));
    }
    while (log_dropped() < LOST) { /* until all were tried */
        poll(NULL, 0, 1);
    }
    need(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    log_event(SNEK_LEVEL_INFO, "space");
    log_finish();

    AUTO_BUFFER struct buffer text = BUFFER_INIT(65536);
    need(lseek(fd, 0, SEEK_SET) == 0 && io_read_rest(fd, "the file", &text, NULL) == 0);
    unlink(file);
    static const char start[] = "\ntime=";
    const char *next = text.data + FILE_BYTES;
    need(text.bytes > FILE_BYTES && strncmp(next, start, sizeof start - 1) == 0);
    need(number_in(strstr(next, "msg=log_lines_dropped"), "count=") == LOST);
    need(log_dropped() == LOST && strstr(next, "msg=space\n"));
}

static void lines_that_cannot_be_written_are_counted_and_none_is_glued_to_a_torn_one(void **state) {
    struct child child = start(log_to_a_full_disk, 0);
    assert_int_equal(end(&child), 0);
}

static void log_without_a_reader(void) {
    signal(SIGPIPE, SIG_IGN);
    start_queue();
    wait_for(told); /* its end is closed */
    for (int i = 0; i < 100; i++) {
        log_event(SNEK_LEVEL_INFO, "line", LOG_NUMBER("n", i));
    }
    log_finish();
    need(log_dropped() == 100);
}

static void a_reader_that_is_gone_costs_the_lines_only(void **state) {
    struct child child = start(log_without_a_reader, 0);
    close(child.out);
    say(child.tell);
    child.out = -1;
    assert_int_equal(end(&child), 0);
}

/* ---- threads ---- */

static void *log_much(void *context) {
    int64_t which = *(int *)context;
    for (int i = 0; i < FLOOD / THREADS; i++) {
        log_event(i % 10 == 0 ? SNEK_LEVEL_WARNING : SNEK_LEVEL_INFO, "line",
                  LOG_NUMBER("thread", which), LOG_NUMBER("i", i));
    }
    return NULL;
}

static void log_in_threads(void) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    start_queue();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        need(pthread_create(&threads[i], NULL, log_much, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    log_event(SNEK_LEVEL_ERROR, "last");
    wait_for(told);
    log_finish();
}

static void each_thread_finds_its_lines_in_order_and_all_are_accounted_for(void **state) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct child child = start(log_in_threads, 0);
    read_until(&child, "msg=last", &text);
    say(child.tell);
    read_until(&child, NULL, &text);
    long next[THREADS] = {0}, lines = 0, missing = 0;
    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        long thread = number_in(line, "msg=line thread="), i = number_in(line, " i=");
        long count = number_in(line, "msg=log_lines_dropped count=");
        missing += count >= 0 ? count : 0;
        if (thread >= 0) {
            assert_true(thread < THREADS && i >= next[thread]);
            next[thread] = i + 1;
            lines++;
        }
    }
    assert_int_equal(lines + missing, FLOOD / THREADS * THREADS);
    assert_int_equal(end(&child), 0);
}

static void the_report_and_the_log_go_to_different_places(void **state) {
    (void)state;
    struct stat log, errors;
    assert_int_equal(fstat(STDOUT_FILENO, &log), 0);
    assert_int_equal(fstat(STDERR_FILENO, &errors), 0);
    assert_int_not_equal(fileno(stdout), STDOUT_FILENO);
    assert_true(log.st_dev == errors.st_dev && log.st_ino == errors.st_ino);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_and_the_log_go_to_different_places),
        cmocka_unit_test(a_reader_that_stands_still_stops_nobody_and_is_told_what_is_missing),
        cmocka_unit_test(warnings_find_room_where_other_lines_find_none),
        cmocka_unit_test(the_end_waits_for_a_reader_that_stands_still_but_not_for_ever),
        cmocka_unit_test(what_is_queued_is_written_at_the_end),
        cmocka_unit_test(a_pipe_that_somebody_made_non_blocking_loses_nothing),
        cmocka_unit_test(what_was_logged_before_a_crash_is_written),
        cmocka_unit_test(a_forked_child_writes_its_lines_itself),
        cmocka_unit_test(lines_that_cannot_be_written_are_counted_and_none_is_glued_to_a_torn_one),
        cmocka_unit_test(a_reader_that_is_gone_costs_the_lines_only),
        cmocka_unit_test(each_thread_finds_its_lines_in_order_and_all_are_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
