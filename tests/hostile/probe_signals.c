/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Probes of signals, by every way that sends one: a call, or a descriptor with an owner. */
#include "probes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/sockios.h>

static int finds(const struct world *world) {
    return outcome_of(kill(world->victim, 0));
}

static int stops(const struct world *world) {
    return outcome_of(kill(world->victim, SIGSTOP));
}

static int kills(const struct world *world) {
    return outcome_of(kill(world->victim, SIGKILL));
}

static int parent(const struct world *world) {
    return outcome_of(kill(getppid(), 0));
}

static int everybody(const struct world *world) {
    return outcome_of(kill(-1, 0));
}

static int own_group(const struct world *world) {
    return outcome_of(kill(0, 0));
}

static int thread_of_victim(const struct world *world) {
    return outcome_of(syscall(SYS_tgkill, world->victim, world->victim, SIGCONT));
}

static int any_thread(const struct world *world) {
    return outcome_of(syscall(SYS_tkill, world->victim, SIGCONT));
}

static int queues(const struct world *world) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGCONT;
    info.si_code = SI_QUEUE;
    return outcome_of(syscall(SYS_rt_sigqueueinfo, world->victim, SIGCONT, &info));
}

static int by_process_descriptor(const struct world *world) {
    return attempt_of(syscall(SYS_pidfd_send_signal, HOST_FD, 0, NULL, 0), EBADF);
}

static int pipe_end(void) {
    int fds[2];
    return pipe(fds) < 0 ? -1 : fds[0];
}

static int owner(const struct world *world) {
    return outcome_of(fcntl(pipe_end(), F_SETOWN, world->victim));
}

static int owner_extended(const struct world *world) {
    struct f_owner_ex who = {F_OWNER_PID, world->victim};
    return outcome_of(fcntl(pipe_end(), F_SETOWN_EX, &who));
}

static int chooses_signal(const struct world *world) {
    return outcome_of(fcntl(pipe_end(), F_SETSIG, SIGKILL));
}

static int asynchronous(const struct world *world) {
    return outcome_of(fcntl(pipe_end(), F_SETFL, O_ASYNC));
}

static int asynchronous_by_ioctl(const struct world *world) {
    int on = 1;
    return outcome_of(ioctl(pipe_end(), FIOASYNC, &on));
}

static int owner_of_socket(const struct world *world) {
    int pid = world->victim;
    return outcome_of(ioctl(HOST_FD, FIOSETOWN, &pid));
}

static int group_of_socket(const struct world *world) {
    int pid = world->victim;
    return outcome_of(ioctl(HOST_FD, SIOCSPGRP, &pid));
}

static int lease(const struct world *world) {
    return attempt_of(fcntl(HOST_FD, F_SETLEASE, F_RDLCK), EINVAL);
}

static int types_into_terminal(const struct world *world) {
    /* ENOTTY: the kernel looked for a terminal. */
    return attempt_of(ioctl(HOST_FD, TIOCSTI, "x"), ENOTTY);
}

static int inherits_priority(const struct world *world) {
    /* A free lock: nobody has to wait. */
    unsigned word = 0;
    return outcome_of(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

static int list_of_locks(const struct world *world) {
    void *head;
    size_t bytes;
    return outcome_of(syscall(SYS_get_robust_list, world->victim, &head, &bytes));
}

static const struct probe probes[] = {
    {"find another process", finds, EPERM, SUCCEEDS},
    {"stop another process", stops, EPERM, SUCCEEDS},
    {"kill another process", kills, EPERM, SUCCEEDS},
    {"signal its parent", parent, EPERM, SUCCEEDS},
    {"signal every process", everybody, EPERM, SUCCEEDS},
    {"signal its process group", own_group, EPERM, SUCCEEDS},
    {"signal a thread of another process", thread_of_victim, EPERM, SUCCEEDS},
    {"signal any thread", any_thread, EPERM, SUCCEEDS},
    {"queue a signal to another process", queues, EPERM, SUCCEEDS},
    {"signal by a process's descriptor", by_process_descriptor, EPERM, SUCCEEDS},
    {"signal the owner of a pipe", owner, EPERM, SUCCEEDS},
    {"signal the owner of a pipe, F_SETOWN_EX", owner_extended, EPERM, SUCCEEDS},
    {"choose the signal of a pipe", chooses_signal, EPERM, SUCCEEDS},
    {"let a pipe signal", asynchronous, EPERM, SUCCEEDS},
    {"let a pipe signal, FIOASYNC", asynchronous_by_ioctl, EPERM, SUCCEEDS},
    {"signal the owner of a socket", owner_of_socket, EPERM, SUCCEEDS},
    {"signal the group of a socket", group_of_socket, EPERM, SUCCEEDS},
    {"signal by a lease", lease, EPERM, SUCCEEDS},
    {"use locks that inherit priority", inherits_priority, EPERM, SUCCEEDS},
    {"find another process's locks", list_of_locks, EPERM, AS_ROOT},
    {"type into a terminal", types_into_terminal, EPERM, SUCCEEDS},
};

const struct probe_table signal_probes = {probes, sizeof probes / sizeof *probes};
