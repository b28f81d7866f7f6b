/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The descriptors by which the host watches a worker (FRAME_WATCH). Threads: the loop's. */
#ifndef SNEK_WORKER_PROCESS_WATCH_H
#define SNEK_WORKER_PROCESS_WATCH_H

#include "base/descriptors.h"
#include "worker_process/thread_admission.h"

struct watch {
    /* The worker's /proc/PID/status; -1: not known. */
    int status_fd;
    struct thread_admission threads;
};

/* Borrows the loop until watch_finish(). */
void watch_init(struct watch *watch, struct loop *loop, unsigned threads_per_batch);
void watch_finish(struct watch *watch);

/* Takes over the descriptors, in the order of enum frame_watch_fd, and closes what it does not
 * need. 0, or -1 with errno. */
int watch_keep(struct watch *watch, int fds[DESCRIPTORS_MAX]);

/* Can `count` be the number of descriptors that have come? */
bool watch_has(const struct watch *watch, uint64_t count);

#endif
