/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispatch/usage_watch: threads, processor time, and a worker that burns a processor; and
 * worker_process/usage: the kernel's numbers of this process. */
#include "unit.h"

#include "base/cleanup.h"
#include "dispatch/usage_watch.h"
#include "worker_process/kernel_status.h"
#include "worker_process/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct usage_limits limits = {.cpu_seconds = 60, .concurrency = 32};
static char why[256];

static enum usage_verdict look(struct usage_watch *watch, int64_t now_ms, int64_t cpu_ms,
                               unsigned threads, bool has_runs) {
    const struct usage usage = {.cpu_ms = cpu_ms, .threads = threads, .has_runs = has_runs};
    return usage_watch_look(watch, &limits, &usage, now_ms, why, sizeof why);
}

static void a_thread_more_than_concurrency_and_64_ends_the_worker(void **state) {
    (void)state;
    struct usage_watch watch;
    usage_watch_start(&watch, 0);
    assert_int_equal(look(&watch, 250, 0, 96, true), USAGE_FINE);
    assert_int_equal(look(&watch, 500, 0, 97, true), USAGE_KILL);
    assert_string_equal(why, "was ended: it has 97 threads, and may have 96 (plugin.concurrency, "
                             "32, and 64): start fewer threads, or raise plugin.concurrency");
}

static void the_processor_time_has_a_limit_and_half_of_it_replaces_an_idle_worker(void **state) {
    (void)state;
    struct usage_watch watch;
    usage_watch_start(&watch, 0);
    assert_int_equal(look(&watch, 100000, 30000, 2, false), USAGE_FINE);
    assert_int_equal(look(&watch, 200000, 30001, 2, false), USAGE_REPLACE);
    assert_int_equal(look(&watch, 300000, 60000, 2, true), USAGE_FINE);
    assert_int_equal(look(&watch, 400000, 60001, 2, true), USAGE_KILL);
    assert_non_null(strstr(why, "60 s of processor time, and plugin.cpu_seconds is 60"));
}

static void no_limit_is_no_limit(void **state) {
    (void)state;
    struct usage_watch watch;
    const struct usage_limits none = {.concurrency = 1};
    const struct usage usage = {.cpu_ms = INT64_C(1) << 40, .threads = 1};
    usage_watch_start(&watch, 0);
    assert_int_equal(usage_watch_look(&watch, &none, &usage, INT64_C(1) << 42, why, sizeof why),
                     USAGE_FINE);
}

static void ten_seconds_of_a_whole_processor_without_a_result_slow_a_worker_down(void **state) {
    (void)state;
    struct usage_watch watch;
    usage_watch_start(&watch, 0);
    for (int64_t now_ms = 250; now_ms < 10250; now_ms += 250) {
        assert_int_equal(look(&watch, now_ms, now_ms, 2, true), USAGE_FINE);
    }
    assert_int_equal(look(&watch, 10250, 10250, 2, true), USAGE_SLOW_DOWN);
    /* Once is enough. */
    assert_int_equal(look(&watch, 10500, 10500, 2, true), USAGE_FINE);
}

static void a_result_or_a_rest_begins_the_ten_seconds_anew(void **state) {
    (void)state;
    struct usage_watch watch;
    int64_t cpu_ms = 0;
    usage_watch_start(&watch, 0);
    for (int64_t now_ms = 250; now_ms < 15000; now_ms += 250) {
        cpu_ms += 250;
        if (now_ms == 7500) {
            usage_watch_note_result(&watch);
        }
        assert_int_equal(look(&watch, now_ms, cpu_ms, 2, true), USAGE_FINE);
    }
    usage_watch_start(&watch, 0);
    for (int64_t now_ms = 250; now_ms < 30000; now_ms += 250) {
        /* Half of a processor. */
        assert_int_equal(look(&watch, now_ms, now_ms / 2, 2, true), USAGE_FINE);
    }
}

static void a_worker_that_does_nothing_is_looked_at_rarely(void **state) {
    (void)state;
    struct usage_watch watch;
    usage_watch_start(&watch, 0);
    look(&watch, 250, 5, 2, true);
    assert_int_equal(watch.next_ms, 250 + USAGE_RUNS_MS);
    look(&watch, 500, 10, 2, false);
    assert_int_equal(watch.next_ms, 500 + USAGE_ACTIVE_MS);
    look(&watch, 1500, 10, 2, false);
    assert_int_equal(watch.next_ms, 1500 + USAGE_IDLE_MS);
    usage_watch_hasten(&watch, 2000);
    usage_watch_hasten(&watch, 2100);
    assert_int_equal(watch.next_ms, 2000 + USAGE_RUNS_MS);
}

static void *wait_for_lock(void *lock) {
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

static void the_kernel_counts_threads_and_processor_time(void **state) {
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    AUTO_CLOSE int status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    unsigned before = kernel_status_threads(status_fd);
    assert_true(before >= 1);
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &lock), 0);
    assert_int_equal(kernel_status_threads(status_fd), before + 1);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    int64_t cpu_ms = usage_cpu_ms(getpid());
    assert_true(cpu_ms >= 0);
    while (usage_cpu_ms(getpid()) < cpu_ms + 20) {}
}

/* A process group of its own with two threads. */
static _Noreturn void be_a_group(int ready_fd) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    setpgid(0, 0);
    pthread_mutex_lock(&lock);
    if (pthread_create(&thread, NULL, wait_for_lock, &lock) == 0 && write(ready_fd, "r", 1) == 1) {
        pause();
    }
    _exit(1);
}

static void slowing_down_reaches_every_thread(void **state) {
    (void)state;
    int ready[2];
    char byte, path[64];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        be_a_group(ready[1]);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(usage_slow_down(pid), 0);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    assert_non_null(threads);
    int found = 0;
    const struct dirent *entry;
    while ((entry = readdir(threads))) {
        if (entry->d_name[0] != '.') {
            assert_int_equal(getpriority(PRIO_PROCESS, (id_t)atoi(entry->d_name)), 19);
            found++;
        }
    }
    closedir(threads);
    assert_true(found >= 2);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_more_than_concurrency_and_64_ends_the_worker),
        cmocka_unit_test(the_processor_time_has_a_limit_and_half_of_it_replaces_an_idle_worker),
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(ten_seconds_of_a_whole_processor_without_a_result_slow_a_worker_down),
        cmocka_unit_test(a_result_or_a_rest_begins_the_ten_seconds_anew),
        cmocka_unit_test(a_worker_that_does_nothing_is_looked_at_rarely),
        cmocka_unit_test(slowing_down_reaches_every_thread),
        cmocka_unit_test(the_kernel_counts_threads_and_processor_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
