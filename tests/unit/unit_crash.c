/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* worker_process/crash: the sentences of a death, and reports that a worker forged. */
#include "unit.h"

#include "worker_process/crash.h"

#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static struct crash crash;
static int theirs;

static int start(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    crash_init(&crash, fds[0], "/plugins/hello.so", 64);
    crash_set_file(&crash, "copy");
    theirs = fds[1];
    return 0;
}

static int stop(void **state) {
    (void)state;
    crash_finish(&crash);
    close(theirs);
    return 0;
}

static void explain(int code, int status, const char *why, struct worker_death *death) {
    const siginfo_t info = {.si_code = code, .si_status = status};
    crash_explain(&crash, &info, why, death);
}

static struct crash_report report_of(int sig) {
    struct crash_report report = {.magic = CRASH_MAGIC,
                                  .signal = sig,
                                  .code = 1,
                                  .address = UINT64_C(0x7f0000000000),
                                  .n_frames = 3,
                                  .n_modules = 2};
    report.frames[0] = (struct crash_frame){.offset = 0x1139, .module = 0};
    report.frames[1] = (struct crash_frame){.offset = 0x2724a, .module = 1};
    report.frames[2] = (struct crash_frame){.offset = 0x1200, .module = 0};
    strcpy(report.modules[0].path, "/run/copy.so");
    memcpy(report.modules[0].build_id, "\x5a\x7c", 2);
    report.modules[0].build_id_bytes = 2;
    strcpy(report.modules[1].path, "/lib/libc.so.6");
    return report;
}

static void put(const struct crash_report *report) {
    assert_int_equal(write(theirs, report, sizeof *report), sizeof *report);
}

static void an_exit_and_a_kill_by_the_host_have_their_sentences(void **state) {
    (void)state;
    struct worker_death death;
    explain(CLD_EXITED, 3, "", &death);
    assert_string_equal(death.how, "exited with status 3");
    explain(CLD_EXITED, EX_IOERR, "", &death);
    assert_string_equal(death.how, "exited with status 74: the plugin closed the worker's socket");
    explain(CLD_KILLED, SIGKILL, "was ended: for a reason", &death);
    assert_string_equal(death.how, "was ended: for a reason");
    assert_string_equal(death.signal, "");
    explain(CLD_KILLED, SIGKILL, "", &death);
    assert_non_null(strstr(death.how, "signal 9 (Killed): perhaps by the kernel"));
}

static void a_crash_that_the_host_saw_as_a_closed_socket_keeps_its_signal(void **state) {
    (void)state;
    struct worker_death death;
    explain(CLD_KILLED, SIGSEGV, "was ended: it closed its socket", &death);
    assert_string_equal(death.how, "was killed by signal 11 (Segmentation fault)");
    assert_string_equal(death.signal, "SIGSEGV");
    assert_string_equal(death.backtrace, "");
}

static void a_report_becomes_a_backtrace_with_the_operators_path(void **state) {
    (void)state;
    struct worker_death death;
    struct crash_report report = report_of(SIGSEGV);
    put(&report);
    explain(CLD_KILLED, SIGSEGV, "", &death);
    assert_string_equal(death.meaning, "access to memory that it does not have");
    assert_string_equal(death.backtrace, "hello.so+0x1139 libc.so.6+0x2724a hello.so+0x1200");
    assert_string_equal(death.build_ids, "hello.so=5a7c libc.so.6=");
    assert_string_equal(death.symbolize, "addr2line -Cfipe /plugins/hello.so 0x1139 0x1200");
}

static void the_last_report_counts_and_flags_have_their_meaning(void **state) {
    (void)state;
    struct worker_death death;
    struct crash_report report = report_of(SIGSEGV);
    put(&report);
    report.flags = CRASH_STACK_OVERFLOW;
    put(&report);
    explain(CLD_KILLED, SIGSEGV, "", &death);
    assert_string_equal(death.meaning, "stack overflow");
    report.flags = CRASH_NO_MEMORY;
    put(&report);
    explain(CLD_KILLED, SIGSEGV, "", &death);
    assert_string_equal(death.meaning, "out of memory: raise plugin.memory_mib, 64");
}

static void a_forged_report_is_bounded_and_cleaned(void **state) {
    (void)state;
    struct worker_death death;
    struct crash_report report = report_of(SIGSEGV);
    report.n_frames = CRASH_FRAMES_MAX + 1;
    put(&report);
    report = report_of(SIGSEGV);
    report.n_modules = UINT32_MAX;
    put(&report);
    report = report_of(SIGBUS);
    put(&report);
    explain(CLD_KILLED, SIGSEGV, "", &death);
    assert_string_equal(death.backtrace, "");

    report = report_of(SIGSEGV);
    memset(report.modules[0].path, '\033', sizeof report.modules[0].path);
    memset(report.modules[1].path, ';', sizeof report.modules[1].path);
    report.modules[0].build_id_bytes = UINT32_MAX;
    report.frames[1].module = 12345;
    report.n_frames = CRASH_FRAMES_MAX;
    put(&report);
    explain(CLD_KILLED, SIGSEGV, "", &death);
    assert_null(strchr(death.backtrace, '\033'));
    assert_non_null(strstr(death.backtrace, "?+0x2724a"));
    assert_string_equal(death.symbolize, "");
}

static void standard_error_explains_an_abort(void **state) {
    (void)state;
    static const struct {
        const char *line, *meaning;
    } table[] = {
        {"terminate called after throwing an instance of 'std::logic_error'",
         "uncaught C++ exception"},
        {"terminate called after throwing an instance of 'std::bad_alloc'",
         "out of memory: raise plugin.memory_mib, 64"},
        {"free(): invalid pointer", "the heap is corrupted"},
        {"hello.c:12: main: Assertion `x' failed.", "a failed assertion"},
    };
    struct worker_death death;
    explain(CLD_KILLED, SIGABRT, "", &death);
    assert_string_equal(death.meaning, "abort() was called");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        crash_note_line(&crash, table[i].line, strlen(table[i].line));
        explain(CLD_KILLED, SIGABRT, "", &death);
        assert_string_equal(death.meaning, table[i].meaning);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_exit_and_a_kill_by_the_host_have_their_sentences, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            a_crash_that_the_host_saw_as_a_closed_socket_keeps_its_signal, start, stop),
        cmocka_unit_test_setup_teardown(a_report_becomes_a_backtrace_with_the_operators_path, start,
                                        stop),
        cmocka_unit_test_setup_teardown(the_last_report_counts_and_flags_have_their_meaning, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_forged_report_is_bounded_and_cleaned, start, stop),
        cmocka_unit_test_setup_teardown(standard_error_explains_an_abort, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
