/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Preloaded under valgrind, whose 3.19 (Debian 12) does not know the system call pidfd_open(): a
 * descriptor that becomes readable when the child has died, made of a pipe and a thread. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct watch {
    pid_t pid;
    int write_end;
};

static void *wait_for_child(void *argument) {
    struct watch *watch = argument;
    siginfo_t info;
    (void)waitid(P_PID, (id_t)watch->pid, &info, WEXITED | WNOWAIT);
    (void)close(watch->write_end);
    free(watch);
    return NULL;
}

__attribute__((visibility("default"))) int pidfd_open(pid_t pid, unsigned flags);

int pidfd_open(pid_t pid, unsigned flags) {
    (void)flags;
    int fds[2];
    pthread_t thread;
    struct watch *watch = malloc(sizeof *watch);
    if (!watch || pipe2(fds, O_CLOEXEC) < 0) {
        free(watch);
        return -1;
    }
    *watch = (struct watch){.pid = pid, .write_end = fds[1]};
    if (pthread_create(&thread, NULL, wait_for_child, watch) != 0) {
        free(watch);
        return -1;
    }
    (void)pthread_detach(thread);
    return fds[0];
}
