/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* system_calls: a child of this program gives up its calls, and tries each. */
#include "unit.h"

#include "system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NOT_RESTRICTED 77

/* `works`: without the filter a process without rights gets another error than EPERM, or none. */
static const struct {
    const char *name;
    long number, arguments[5];
    bool works;
    int error;
} calls[] = {
    {"execve", SYS_execve, {0}, true, EPERM},
    {"execveat", SYS_execveat, {-1}, true, EPERM},
    {"fork", SYS_fork, {0}, true, EPERM},
    {"clone of a process", SYS_clone, {SIGCHLD}, true, EPERM},
    {"clone with a namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD}, false, EPERM},
    {"clone of a thread with a namespace",
     SYS_clone,
     {CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWNET},
     false,
     EPERM},
    {"clone3", SYS_clone3, {0, 0}, true, ENOSYS},
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME}, true, EPERM},
    {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0}, false, EPERM},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0}, false, EPERM},
    {"pidfd_open", SYS_pidfd_open, {1}, true, EPERM},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1}, true, EPERM},
    {"bpf", SYS_bpf, {-1}, false, EPERM},
    {"io_uring_setup", SYS_io_uring_setup, {0}, false, EPERM},
    {"userfaultfd", SYS_userfaultfd, {-1}, false, EPERM},
    {"perf_event_open", SYS_perf_event_open, {0}, false, EPERM},
    {"add_key", SYS_add_key, {0}, false, EPERM},
    {"keyctl", SYS_keyctl, {-1}, false, EPERM},
    {"unshare", SYS_unshare, {0}, true, EPERM},
    {"setns", SYS_setns, {-1}, true, EPERM},
    {"mount", SYS_mount, {0}, false, EPERM},
    {"chroot", SYS_chroot, {0}, true, EPERM},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1}, false, EPERM},
    {"kill of another process", SYS_kill, {1, 0}, false, EPERM},
    {"kill of every process", SYS_kill, {-1, 0}, false, EPERM},
    {"tkill", SYS_tkill, {-1, 0}, true, EPERM},
    {"tgkill of another process", SYS_tgkill, {1, 1, 0}, false, EPERM},
};

/* In a child. The call's errno, or 0; a process that it made ends at once. */
static int try_call(size_t i) {
    const long *a = calls[i].arguments;
    pid_t self = getpid();
    long result = syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4]);
    if (getpid() != self || syscall(SYS_getpid) != self) {
        _exit(0);
    }
    return result < 0 ? errno : 0;
}

/* Runs `body` in a child of this process. Returns its result, or 1000 and the signal. */
static int in_child(int (*body)(size_t i), size_t i, bool restricted) {
    int status = 0;
    struct error err;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (restricted && system_calls_restrict(&err) < 0) {
            _exit(NOT_RESTRICTED);
        }
        _exit(body(i));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void each_call_that_the_host_never_needs_is_forbidden(void **state) {
#ifdef SANITIZED
    LEAVE_OUT("a build with sanitizers has no filter");
#endif
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int before = in_child(try_call, i, false), after = in_child(try_call, i, true);
        if (calls[i].works && before == calls[i].error) {
            fail_msg("%s fails without the filter, too", calls[i].name);
        }
        if (after != calls[i].error) {
            fail_msg("%s: %d, not %d", calls[i].name, after, calls[i].error);
        }
    }
}

static int start_a_program(size_t i) {
    (void)i;
    execl("/bin/true", "true", NULL);
    return errno;
}

static void a_program_starts_only_without_the_filter(void **state) {
#ifdef SANITIZED
    LEAVE_OUT("a build with sanitizers has no filter");
#endif
    assert_int_equal(in_child(start_a_program, 0, false), 0);
    assert_int_equal(in_child(start_a_program, 0, true), EPERM);
}

static void *run_thread(void *seen) {
    *(int *)seen = 1;
    return NULL;
}

/* 0, or the number of the step that failed. */
static int do_what_the_host_does(size_t i) {
    int pair[2], seen = 0, process = (int)i;
    pthread_t thread;
    struct addrinfo *addresses = NULL;
    if (pthread_create(&thread, NULL, run_thread, &seen) != 0 || pthread_join(thread, NULL) != 0 ||
        seen != 1) {
        return 1;
    }
    if (getaddrinfo("localhost", "80", NULL, &addresses) != 0) {
        return 2;
    }
    freeaddrinfo(addresses);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || socket(AF_INET, SOCK_STREAM, 0) < 0) {
        return 3;
    }
    if (kill(getpid(), 0) < 0 || pthread_kill(pthread_self(), 0) != 0) {
        return 4;
    }
    return pidfd_send_signal(process, SIGKILL, NULL, 0) < 0 ? 5 : 0;
}

static void threads_names_sockets_and_signals_by_pidfd_still_work(void **state) {
    pid_t victim = fork();
    assert_true(victim >= 0);
    if (victim == 0) {
        pause();
        _exit(0);
    }
    int process = pidfd_open(victim, 0), status;
    assert_true(process >= 0);
    assert_int_equal(in_child(do_what_the_host_does, (size_t)process, true), 0);
    assert_int_equal(waitpid(victim, &status, 0), victim);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(process);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_that_the_host_never_needs_is_forbidden),
        cmocka_unit_test(a_program_starts_only_without_the_filter),
        cmocka_unit_test(threads_names_sockets_and_signals_by_pidfd_still_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
