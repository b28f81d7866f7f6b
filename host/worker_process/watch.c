/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the descriptors of FRAME_WATCH. */
#include "worker_process/watch.h"

#include "protocol/frames.h"

#include <assert.h>
#include <unistd.h>

void watch_init(struct watch *watch, struct loop *loop, unsigned threads_per_batch) {
    static_assert(FRAME_WATCH_FDS <= DESCRIPTORS_MAX, "one message carries them");
    watch->status_fd = -1;
    thread_admission_init(&watch->threads, loop, threads_per_batch);
}

void watch_finish(struct watch *watch) {
    thread_admission_finish(&watch->threads);
    if (watch->status_fd >= 0) {
        close(watch->status_fd);
        watch->status_fd = -1;
    }
}

int watch_keep(struct watch *watch, int fds[DESCRIPTORS_MAX]) {
    int result = 0;
    if (watch->status_fd < 0) {
        watch->status_fd = fds[FRAME_WATCH_STATUS];
        fds[FRAME_WATCH_STATUS] = -1;
    }
    if (watch->threads.listener.fd < 0 && fds[FRAME_WATCH_THREADS] >= 0) {
        result = thread_admission_begin(&watch->threads, fds[FRAME_WATCH_THREADS]);
        fds[FRAME_WATCH_THREADS] = -1;
    }
    descriptors_close(fds);
    return result;
}

bool watch_has(const struct watch *watch, uint64_t count) {
    return count <= FRAME_WATCH_FDS && (count > 0) == (watch->status_fd >= 0);
}
