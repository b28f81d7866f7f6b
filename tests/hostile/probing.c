/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs every probe in two workers, one in the sandbox and one without it, and prints the table. The
 * second shows that a probe can succeed at all. */
#include "probes.h"
#include "worker_host.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SECRET_IN_ENVIRONMENT "SNEK_PROBE_SECRET=x"
#define CAPABILITIES_OF_ROOT ((1u << CAP_SYS_ADMIN) | (1u << CAP_SYS_PTRACE))

static const char *program;
static char directory[] = "/tmp/snek-probes-XXXXXX";

static const char *path_of(const char *name) {
    return path_in(&(struct world){.directory = directory}, name);
}

/* ---- the victim ---- */

static _Noreturn void be_a_victim(void) {
    static char secret[] = "secret!";
    char *volatile at = secret;
    printf("%llu\n", (unsigned long long)(uintptr_t)at);
    fflush(stdout);
    /* Until the test kills it. */
    for (;;) {
        pause();
    }
}

struct victim {
    pid_t pid;
    unsigned long long secret_at;
};

static void victim_start(struct victim *victim) {
    char line[40] = "";
    char *const argv[] = {(char *)program, (char[]){"victim"}, NULL};
    char *const environment[] = {(char[]){SECRET_IN_ENVIRONMENT}, NULL};
    int fds[2];
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, path_of("key"), O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    assert_int_equal(posix_spawn(&victim->pid, program, &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    AUTO_FILE FILE *output = fdopen(fds[0], "r");
    assert_non_null(fgets(line, sizeof line, output));
    victim->secret_at = strtoull(line, NULL, 10);
}

static void victim_stop(const struct victim *victim) {
    kill(victim->pid, SIGKILL);
    waitpid(victim->pid, NULL, 0);
}

/* ---- what there is to steal ---- */

static void make_file(const char *name) {
    AUTO_CLOSE int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, "secret!", 7), 0);
}

static void remove_file(const char *name) {
    remove(path_of(name));
}

static const char *const made_by_probes[] = {"new",      "renamed",   "linked",
                                             "symbolic", "directory", "fifo"};

static void prepare(void) {
    static const char *const names[] = {"key", "configuration", "database", "spare"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        make_file(names[i]);
    }
    for (size_t i = 0; i < sizeof made_by_probes / sizeof *made_by_probes; i++) {
        remove_file(made_by_probes[i]);
    }
}

static int group_setup(void **state) {
    (void)state;
    if (!mkdtemp(directory)) {
        return -1;
    }
    make_file("key");
    AUTO_BUFFER struct buffer content = BUFFER_INIT(64u << 20);
    struct error err;
    AUTO_CLOSE int fd = open(path_of("library.so"), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    if (io_read_file(plugin_path("hostile"), &content, &err) < 0 ||
        io_write_full(fd, content.data, content.bytes) < 0) {
        return -1;
    }
    AUTO_CLOSE int key = open(path_of("key"), O_RDONLY | O_CLOEXEC);
    /* Not close-on-exec: as when a program starts workers carelessly. */
    return dup2(key, INHERITED_FD) == INHERITED_FD ? 0 : -1;
}

static int group_finish(void **state) {
    (void)state;
    static const char *const names[] = {"key", "configuration", "database", "spare", "library.so"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        remove_file(names[i]);
    }
    for (size_t i = 0; i < sizeof made_by_probes / sizeof *made_by_probes; i++) {
        remove_file(made_by_probes[i]);
    }
    close(INHERITED_FD);
    return rmdir(directory);
}

/* ---- probing ---- */

/* The outcome: 0, an errno, ABSENT, or KILLED by SIGSYS. */
static int probe_in(enum frame_sandbox sandbox, size_t number, int64_t *level) {
    const struct worker_options options = {.sandbox = sandbox, .quiet = true};
    struct worker_host host;
    struct victim victim;
    char payload[PATH_MAX + 200], byte;
    int outcome, how = 0;
    prepare();
    victim_start(&victim);
    host_start(&host, "hostile", &options);
    *level = host.level;
    snprintf(payload, sizeof payload,
             "{\"number\":%zu,\"directory\":\"%s\",\"victim\":%d,\"secret_at\":%llu}", number,
             directory, (int)victim.pid, victim.secret_at);
    host_run(&host, 1, "probe", "", payload);
    if (recv(host.fd, &byte, 1, MSG_PEEK) == 1) {
        AUTO_RECEIVED struct received received = {0};
        host_receive(&host, FRAME_RESULT, &received);
        received_number(&received);
        received_number(&received);
        const char *reason = received_text(&received);
        assert_int_equal(sscanf(reason, "outcome %d", &outcome), 1);
        host_end(&host);
    } else {
        assert_int_equal(waitpid(host.pid, &how, 0), host.pid);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGSYS);
        outcome = KILLED;
        close(host.fd);
    }
    victim_stop(&victim);
    return outcome;
}

static bool has_roots_capabilities(void) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};
    return syscall(SYS_capget, &head, sets) == 0 && geteuid() == 0 &&
           (sets[0].effective & CAPABILITIES_OF_ROOT) == CAPABILITIES_OF_ROOT;
}

static const char *outcome_name(int outcome) {
    if (outcome == KILLED) {
        return "killed";
    }
    if (outcome == ABSENT) {
        return "absent";
    }
    return outcome == 0 ? "SUCCEEDS" : strerrorname_np(outcome);
}

/* Without Landlock, the probes that it would stop succeed. */
static bool is_as_expected(const struct probe *probe, int outcome, int64_t level) {
    return outcome == probe->expected || outcome == ABSENT ||
           (level == FRAME_LEVEL_PARTIAL && probe->expected == EACCES);
}

static bool is_control_as_expected(const struct probe *probe, int outcome) {
    bool must =
        probe->control == SUCCEEDS || (probe->control == AS_ROOT && has_roots_capabilities());
    return !must || outcome == 0;
}

static void every_probe_fails_in_the_sandbox_and_can_succeed_without(void **state) {
    (void)state;
    unsigned wrong = 0, total = 0, succeeded = 0;
    const struct probe *probe;
    print_message("# %-42s %-10s without it\n", "probe", "sandbox");
    for (size_t i = 0; (probe = probe_at(i)); i++) {
        int64_t level, none;
        int inside = probe_in(FRAME_SANDBOX_BEST, i, &level);
        int outside = probe_in(FRAME_SANDBOX_OFF, i, &none);
        bool good = level == FRAME_LEVEL_OFF || is_as_expected(probe, inside, level);
        good = good && is_control_as_expected(probe, outside);
        print_message("# %-42s %-10s %-10s%s\n", probe->name, outcome_name(inside),
                      outcome_name(outside), good ? "" : "  <-- not as expected");
        wrong += !good;
        total++;
        succeeded += outside == 0;
    }
    print_message("# %u probes; %u succeed without the sandbox\n", total, succeeded);
    assert_int_equal(wrong, 0);
    assert_true(total >= 45);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_probe_fails_in_the_sandbox_and_can_succeed_without),
    };
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "victim") == 0) {
        be_a_victim();
    }
    if (worker_tests_setup(argc, argv) < 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, group_setup, group_finish);
    worker_tests_finish();
    return failed;
}
