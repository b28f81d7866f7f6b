/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Probes of processes: to start some, to look into others, and to change what this one is. */
#include "probes.h"

#include <errno.h>
#include <grp.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOMB 20

extern char **environ;

static int forks(const struct world *world) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return outcome_of(pid);
}

static int fork_bomb(const struct world *world) {
    for (int i = 0; i < BOMB; i++) {
        int result = forks(world);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static int spawns(const struct world *world) {
    char *const argv[] = {(char[]){"true"}, NULL};
    pid_t pid;
    return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
}

static int shell(const struct world *world) {
    return system("exit 0") == 0 ? 0 : EPERM;
}

/* Without a program that it could turn into: the probe must report. */
static int executes(const struct world *world) {
    char *const argv[] = {(char[]){"none"}, NULL};
    return attempt_of(execve(path_in(world, "none"), argv, environ), ENOENT);
}

static int executes_descriptor(const struct world *world) {
    char *const argv[] = {(char[]){"none"}, NULL};
    return attempt_of(syscall(SYS_execveat, HOST_FD, "", argv, environ, 0x1000), EACCES);
}

static int clone_in_namespace(const struct world *world) {
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    return outcome_of(pid);
}

static int clone_new(const struct world *world) {
#ifdef SYS_clone3
    /* EINVAL: it understands the call, and rejects the size. */
    return attempt_of(syscall(SYS_clone3, NULL, 0), EINVAL);
#else
    return ENOSYS;
#endif
}

static int leaves_namespace(const struct world *world) {
    return outcome_of(unshare(CLONE_NEWNS));
}

static int leaves_network(const struct world *world) {
    return outcome_of(unshare(CLONE_NEWNET));
}

static int enters_namespace(const struct world *world) {
    return attempt_of(setns(-1, 0), EBADF);
}

static int traces(const struct world *world) {
    return outcome_of(ptrace(PTRACE_ATTACH, world->victim, NULL, NULL));
}

static int reads_memory(const struct world *world) {
    char secret[8];
    struct iovec here = {secret, sizeof secret};
    struct iovec there = {(void *)(uintptr_t)world->secret_at, sizeof secret};
    return outcome_of(process_vm_readv(world->victim, &here, 1, &there, 1, 0));
}

static int writes_memory(const struct world *world) {
    char other[8] = "stolen!";
    struct iovec here = {other, sizeof other};
    struct iovec there = {(void *)(uintptr_t)world->secret_at, sizeof other};
    return outcome_of(process_vm_writev(world->victim, &here, 1, &there, 1, 0));
}

static int compares(const struct world *world) {
    return outcome_of(
        syscall(SYS_kcmp, getpid(), world->victim, KCMP_VM, (unsigned long)0, (unsigned long)0));
}

static int opens_process(const struct world *world) {
    return outcome_of(syscall(SYS_pidfd_open, world->victim, 0));
}

static int takes_descriptor(const struct world *world) {
#ifdef SYS_pidfd_getfd
    return attempt_of(syscall(SYS_pidfd_getfd, HOST_FD, 0, 0), EBADF);
#else
    return ENOSYS;
#endif
}

static int finds_group(const struct world *world) {
    return outcome_of(getpgid(world->victim));
}

static int changes_group(const struct world *world) {
    return outcome_of(setpgid(0, 0));
}

static int limits_other(const struct world *world) {
    struct rlimit limit = {100, 100};
    return outcome_of(prlimit(world->victim, RLIMIT_NOFILE, &limit, NULL));
}

static int reads_limit_of_other(const struct world *world) {
    struct rlimit limit;
    return outcome_of(prlimit(world->victim, RLIMIT_NOFILE, NULL, &limit));
}

static int sets_own_limit(const struct world *world) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? errno
                                                : outcome_of(setrlimit(RLIMIT_NOFILE, &limit));
}

static int core_file(const struct world *world) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return outcome_of(setrlimit(RLIMIT_CORE, &limit));
}

static int becomes_dumpable(const struct world *world) {
    return outcome_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int outlives(const struct world *world) {
    return outcome_of(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}

static int lets_itself_be_traced(const struct world *world) {
    return outcome_of(prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0));
}

static int own_filter(const struct world *world) {
    unsigned action = 0x7fff0000;
    return outcome_of(syscall(SYS_seccomp, 2, 0, &action));
}

static int another_user(const struct world *world) {
    return outcome_of(syscall(SYS_setuid, geteuid()));
}

static int other_groups(const struct world *world) {
    return outcome_of(syscall(SYS_setgroups, 0, NULL));
}

static int capabilities(const struct world *world) {
    unsigned head[2] = {0x20080522, 0}, sets[6] = {0};
    return outcome_of(syscall(SYS_capset, head, sets));
}

static int slows_other(const struct world *world) {
    return outcome_of(setpriority(PRIO_PROCESS, (id_t)world->victim, 19));
}

static int own_priority(const struct world *world) {
    return outcome_of(setpriority(PRIO_PROCESS, 0, 0));
}

static int moves_other(const struct world *world) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    return outcome_of(sched_setaffinity(world->victim, sizeof set, &set));
}

static int schedules_other(const struct world *world) {
    struct sched_param parameter = {0};
    return outcome_of(sched_setscheduler(world->victim, SCHED_BATCH, &parameter));
}

static int slows_files_of_other(const struct world *world) {
    /* IOPRIO_WHO_PROCESS, and the class `idle`. */
    return outcome_of(syscall(SYS_ioprio_set, 1, world->victim, 3 << 13));
}

static const struct probe probes[] = {
    {"fork", forks, EPERM, SUCCEEDS},
    {"fork many times", fork_bomb, EPERM, SUCCEEDS},
    {"spawn a program", spawns, EPERM, SUCCEEDS},
    {"run a shell", shell, EPERM, SUCCEEDS},
    {"become another program", executes, EPERM, SUCCEEDS},
    {"become a program by descriptor", executes_descriptor, EPERM, SUCCEEDS},
    {"clone into a user namespace", clone_in_namespace, EPERM, DEPENDS},
    {"clone by clone3", clone_new, ENOSYS, SUCCEEDS},
    {"leave the mount namespace", leaves_namespace, KILLED, AS_ROOT},
    {"leave the network namespace", leaves_network, KILLED, AS_ROOT},
    {"enter another namespace", enters_namespace, KILLED, SUCCEEDS},
    {"trace another process", traces, KILLED, AS_ROOT},
    {"read another process's memory", reads_memory, KILLED, AS_ROOT},
    {"write another process's memory", writes_memory, KILLED, AS_ROOT},
    {"compare with another process", compares, KILLED, DEPENDS},
    {"get a descriptor of another process", opens_process, EPERM, SUCCEEDS},
    {"take a descriptor of another process", takes_descriptor, KILLED, SUCCEEDS},
    {"find another process's group", finds_group, EPERM, SUCCEEDS},
    {"change its own process group", changes_group, EPERM, SUCCEEDS},
    {"limit another process", limits_other, EPERM, SUCCEEDS},
    {"read another process's limits", reads_limit_of_other, EPERM, SUCCEEDS},
    {"set its own limits", sets_own_limit, EPERM, SUCCEEDS},
    {"allow core files", core_file, EPERM, DEPENDS},
    {"become dumpable", becomes_dumpable, EPERM, SUCCEEDS},
    {"outlive its parent", outlives, EPERM, SUCCEEDS},
    {"let others trace it", lets_itself_be_traced, EPERM, DEPENDS},
    {"ask for a filter of its own", own_filter, EPERM, SUCCEEDS},
    {"become another user", another_user, EPERM, SUCCEEDS},
    {"join other groups", other_groups, EPERM, AS_ROOT},
    {"set its capabilities", capabilities, EPERM, SUCCEEDS},
    {"slow another process down", slows_other, EPERM, SUCCEEDS},
    {"raise its own priority", own_priority, EPERM, AS_ROOT},
    {"move another process to one processor", moves_other, EPERM, SUCCEEDS},
    {"schedule another process", schedules_other, EPERM, SUCCEEDS},
    {"slow another process's files down", slows_files_of_other, EPERM, SUCCEEDS},
};

const struct probe_table process_probes = {probes, sizeof probes / sizeof *probes};
