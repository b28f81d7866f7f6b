/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The sandbox on kernels with less: every ABI of Landlock, and none. Each case is in a child
 * process, because nothing can leave a sandbox. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "worker/sandbox.h"
#include "worker/sandbox_landlock.h"
#include "worker_process/kernel_status.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#define SOCKET_FD 3
#define BY_SIGNAL 1000

static char directory[] = "/tmp/snek-sandbox-XXXXXX", allowed[64], secret[64];

static int setup(void **state) {
    (void)state;
    const char *const paths[] = {allowed, secret};
    if (!mkdtemp(directory)) {
        return -1;
    }
    snprintf(allowed, sizeof allowed, "%s/allowed", directory);
    snprintf(secret, sizeof secret, "%s/secret", directory);
    for (size_t i = 0; i < 2; i++) {
        AUTO_CLOSE int fd = open(paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (io_write_full(fd, "snake", 5) < 0) {
            return -1;
        }
    }
    return 0;
}

static int finish(void **state) {
    (void)state;
    unlink(allowed);
    unlink(secret);
    return rmdir(directory);
}

static int open_errno(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

/* Runs `body` in a child; 0, the number of the first expectation that failed, or BY_SIGNAL and
 * more. */
static int in_child(int (*body)(int argument), int argument) {
    int how = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(body(argument));
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) ? WEXITSTATUS(how) : BY_SIGNAL + WTERMSIG(how);
}

/* In a child: its number shows the expectation that failed. */
#define EXPECT(number, condition)                                                                  \
    if (!(condition)) {                                                                            \
        return number;                                                                             \
    }

static int landlock_alone(int abi) {
    const char *const files[] = {allowed};
    struct error err;
    EXPECT(1, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(2, sandbox_landlock_enter(abi, files, 1, &err) == 0);
    EXPECT(3, open_errno(allowed, O_RDONLY) == 0);
    EXPECT(4, open_errno(secret, O_RDONLY) == EACCES);
    EXPECT(5, open_errno(allowed, O_WRONLY) == EACCES);
    EXPECT(6, open_errno(directory, O_RDONLY | O_DIRECTORY) == EACCES);
    EXPECT(7, open_errno("/usr/lib", O_RDONLY | O_DIRECTORY) == 0);
    EXPECT(8, open_errno("/etc/passwd", O_RDONLY) == EACCES);
    EXPECT(9, open_errno("/proc/self/environ", O_RDONLY) == EACCES);
    /* ABI 1 and 2 know no right to truncate. */
    EXPECT(10, abi < 3 || (truncate(allowed, 0) < 0 && errno == EACCES));
    return 0;
}

static void every_abi_of_landlock_hides_all_but_the_allowed_files(void **state) {
    (void)state;
    int newest = sandbox_landlock_abi(SANDBOX_LANDLOCK_ABI_MAX);
    for (int abi = 1; abi <= newest; abi++) {
        print_message("# ABI %d\n", abi);
        assert_int_equal(sandbox_landlock_abi(abi), abi);
        assert_int_equal(in_child(landlock_alone, abi), 0);
    }
    assert_int_equal(sandbox_landlock_abi(0), 0);
}

#ifndef SNEK_SANITIZED
static void *thread_main(void *context) {
    *(int *)context = 1;
    return NULL;
}

static int enter(int abi_max, enum frame_sandbox wanted, struct sandbox_report *report,
                 struct error *err) {
    const char *const files[] = {allowed};
    const struct sandbox_options options = {.wanted = wanted,
                                            .memory_mib = 256,
                                            .socket_fd = SOCKET_FD,
                                            .last_fd = SOCKET_FD,
                                            .files = files,
                                            .n_files = 1,
                                            .landlock_abi_max = abi_max};
    return sandbox_enter(&options, report, err);
}

static int full(int abi_max) {
    struct sandbox_report report;
    struct error err;
    pthread_t thread;
    int ran = 0;
    EXPECT(1, enter(abi_max, FRAME_SANDBOX_STRICT, &report, &err) == 0);
    EXPECT(2, report.level == FRAME_LEVEL_FULL && !*report.why.text);
    EXPECT(3, open_errno(allowed, O_RDONLY) == 0);
    EXPECT(4, open_errno(secret, O_RDONLY) == EACCES);
    /* The filter has what an older ABI lacks. */
    EXPECT(5, truncate(allowed, 0) < 0 && errno == EPERM);
    EXPECT(6, kill(getppid(), 0) < 0 && errno == EPERM);
    EXPECT(7, socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
    /* Threads work, and processes do not. */
    EXPECT(8, pthread_create(&thread, NULL, thread_main, &ran) == 0);
    EXPECT(9, pthread_join(thread, NULL) == 0 && ran == 1);
    EXPECT(10, fork() < 0 && errno == EPERM);
    EXPECT(11, fcntl(SOCKET_FD, F_GETFD) >= 0 && fcntl(SOCKET_FD + 1, F_GETFD) < 0);
    return 0;
}

/* The usual work of libraries: it succeeds or fails, and never ends the process. */
static int ordinary(int abi_max) {
    struct sandbox_report report;
    struct error err;
    struct addrinfo *found = NULL;
    pthread_attr_t attributes;
    char name[16];
    time_t now = 0;
    EXPECT(1, enter(abi_max, FRAME_SANDBOX_BEST, &report, &err) == 0);
    EXPECT(2, dlopen("libm.so.6", RTLD_LAZY));
    /* Loads a module of the system. */
    EXPECT(3, iconv_open("EUC-JP", "UTF-8") != (iconv_t)-1);
    EXPECT(4, localtime(&now) && setlocale(LC_ALL, "C.UTF-8"));
    EXPECT(5, sysconf(_SC_NPROCESSORS_ONLN) > 0 && !isatty(1));
    EXPECT(6, pthread_setname_np(pthread_self(), "snake") == 0 &&
                  pthread_getname_np(pthread_self(), name, sizeof name) == 0);
    EXPECT(7, getpwuid(0) == NULL && getpwnam("nobody") == NULL);
    EXPECT(8, getaddrinfo("github.example", "443", NULL, &found) != 0);
    EXPECT(9, tmpfile() == NULL && fopen("/tmp/snake", "w") == NULL);
    EXPECT(10, system("exit 0") != 0 && popen("exit 0", "r") == NULL);
    syslog(LOG_INFO, "nobody reads this");
    EXPECT(11, nice(1) < 0 && gethostbyname("github.example") == NULL);
    EXPECT(12, pthread_getattr_np(pthread_self(), &attributes) >= 0);
    EXPECT(13, signal(SIGUSR1, SIG_IGN) != SIG_ERR && raise(SIGUSR1) == 0);
    return 0;
}

static int aborts(int abi_max) {
    struct sandbox_report report;
    struct error err;
    EXPECT(1, enter(abi_max, FRAME_SANDBOX_BEST, &report, &err) == 0);
    abort();
}

static int partial(int abi_max) {
    struct sandbox_report report;
    struct error err;
    EXPECT(1, enter(abi_max, FRAME_SANDBOX_BEST, &report, &err) == 0);
    EXPECT(2, report.level == FRAME_LEVEL_PARTIAL);
    EXPECT(3, strstr(report.why.text, "has no Landlock"));
    EXPECT(4, open_errno(secret, O_RDONLY) == 0);
    EXPECT(5, open_errno(secret, O_WRONLY) == EPERM);
    EXPECT(6, socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
    return 0;
}

static int strict_without_landlock(int abi_max) {
    struct sandbox_report report;
    struct error err;
    EXPECT(1, enter(abi_max, FRAME_SANDBOX_STRICT, &report, &err) < 0);
    EXPECT(2, strstr(err.text, "plugin.sandbox = \"strict\" requires the full sandbox, and this "
                               "kernel has no Landlock"));
    return 0;
}

static int orphan(int unused) {
    int fds[2];
    struct sandbox_report report;
    struct error err;
    /* Made here, as if another process than the parent had made it. */
    EXPECT(1, socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    EXPECT(2, dup2(fds[0], SOCKET_FD) == SOCKET_FD);
    EXPECT(3, enter(0, FRAME_SANDBOX_BEST, &report, &err) < 0);
    EXPECT(4, strstr(err.text, "its parent process is gone"));
    return unused;
}

/* The parent makes the socket of each child, at the number that the worker has. */
static int in_worker(int (*body)(int argument), int argument) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    int saved = fcntl(SOCKET_FD, F_DUPFD_CLOEXEC, 10);
    assert_int_equal(dup2(fds[0], SOCKET_FD), SOCKET_FD);
    int result = in_child(body, argument);
    if (saved >= 0) {
        dup2(saved, SOCKET_FD);
        close(saved);
    }
    for (size_t i = 0; i < 2; i++) {
        if (fds[i] != SOCKET_FD) {
            close(fds[i]);
        }
    }
    return result;
}

static void the_level_is_full_with_every_abi(void **state) {
    (void)state;
    int newest = sandbox_landlock_abi(SANDBOX_LANDLOCK_ABI_MAX);
    for (int abi = 1; abi <= newest; abi++) {
        print_message("# ABI %d\n", abi);
        assert_int_equal(in_worker(full, abi), 0);
    }
}

static void ordinary_calls_of_libraries_work_or_fail_and_end_nothing(void **state) {
    (void)state;
    assert_int_equal(in_worker(ordinary, sandbox_landlock_abi(SANDBOX_LANDLOCK_ABI_MAX)), 0);
}

static void abort_ends_with_its_own_signal(void **state) {
    (void)state;
    assert_int_equal(in_worker(aborts, sandbox_landlock_abi(SANDBOX_LANDLOCK_ABI_MAX)),
                     BY_SIGNAL + SIGABRT);
}

static void the_level_is_partial_without_landlock(void **state) {
    (void)state;
    assert_int_equal(in_worker(partial, 0), 0);
    assert_int_equal(in_worker(strict_without_landlock, 0), 0);
}

static void a_worker_whose_parent_is_gone_enters_no_sandbox(void **state) {
    (void)state;
    assert_int_equal(in_worker(orphan, 0), 0);
}
#endif

static void the_kernels_word_is_compared_with_the_report(void **state) {
    (void)state;
    AUTO_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    struct error err;
    assert_true(fd >= 0);
    /* This process has no filter. */
    assert_int_equal(kernel_status_confirm(fd, FRAME_LEVEL_FULL, &err), -1);
    assert_non_null(strstr(err.text, "reports the sandbox level full, but the kernel says"));
    assert_int_equal(kernel_status_confirm(fd, FRAME_LEVEL_PARTIAL, &err), -1);
    assert_int_equal(kernel_status_confirm(-1, FRAME_LEVEL_FULL, &err), 0);
}

static void a_worker_that_has_ended_contradicts_nothing(void **state) {
    (void)state;
    char path[64];
    struct error err;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(0);
    }
    snprintf(path, sizeof path, "/proc/%ld/status", (long)child);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(kernel_status_confirm(fd, FRAME_LEVEL_FULL, &err), 0);
    assert_int_equal(kernel_status_threads(fd), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_abi_of_landlock_hides_all_but_the_allowed_files),
#ifndef SNEK_SANITIZED
        cmocka_unit_test(the_level_is_full_with_every_abi),
        cmocka_unit_test(ordinary_calls_of_libraries_work_or_fail_and_end_nothing),
        cmocka_unit_test(abort_ends_with_its_own_signal),
        cmocka_unit_test(the_level_is_partial_without_landlock),
        cmocka_unit_test(a_worker_whose_parent_is_gone_enters_no_sandbox),
#endif
        cmocka_unit_test(the_kernels_word_is_compared_with_the_report),
        cmocka_unit_test(a_worker_that_has_ended_contradicts_nothing),
    };
    return cmocka_run_group_tests(tests, setup, finish);
}
