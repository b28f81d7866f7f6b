/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Preloaded under valgrind, whose 3.19 (Debian 12) does not know the system call pidfd_open(): a
 * descriptor that becomes readable when the child has died, made of a pipe and a thread. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

/* The argument is two numbers: a block of memory would be lost in a child that is forked. */
static void *wait_for_child(void *argument) {
    uint64_t both = (uintptr_t)argument;
    siginfo_t info;
    (void)waitid(P_PID, (id_t)(both >> 32), &info, WEXITED | WNOWAIT);
    (void)close((int)(both & UINT32_MAX));
    return NULL;
}

__attribute__((visibility("default"))) int pidfd_open(pid_t pid, unsigned flags);

int pidfd_open(pid_t pid, unsigned flags) {
    (void)flags;
    int fds[2];
    pthread_t thread;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -1;
    }
    uintptr_t both = (uintptr_t)pid << 32 | (unsigned)fds[1];
    if (pthread_create(&thread, NULL, wait_for_child, (void *)both) != 0) {
        return -1;
    }
    (void)pthread_detach(thread);
    return fds[0];
}
