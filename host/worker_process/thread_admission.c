/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Answers the kernel's notifications (seccomp_unotify(2)) of threads that want to start. */
#include "worker_process/thread_admission.h"

#include "base/clock.h"
#include "base/list.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* No thread of the batch has been admitted. */
#define NOT_BEGUN 0

static void remove_listener(struct thread_admission *admission) {
    if (admission->listener.fd >= 0) {
        loop_remove(admission->loop, &admission->listener);
        close(admission->listener.fd);
        admission->listener.fd = -1;
    }
}

/* The kernel compares the flags of clone() with the sandbox's filter before it asks. They are in a
 * register, so no other thread can change them afterwards. */
static void admit_one(struct thread_admission *admission) {
    struct seccomp_notif thread = {0};
    if (ioctl(admission->listener.fd, SECCOMP_IOCTL_NOTIF_RECV, &thread) < 0) {
        /* A signal has interrupted it, or its process was killed. */
        return;
    }
    struct seccomp_notif_resp response = {.id = thread.id,
                                          .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(admission->listener.fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
    admission->left--;
}

static void on_listener_ready(struct loop_source *source, uint32_t events) {
    struct thread_admission *admission = CONTAINER_OF(source, struct thread_admission, listener);
    if (!(events & EPOLLIN)) {
        /* The worker has ended. */
        remove_listener(admission);
        return;
    }
    if (admission->next_batch_ms == NOT_BEGUN) {
        admission->next_batch_ms = clock_monotonic_ms() + THREAD_ADMISSION_BATCH_MS;
    }
    admit_one(admission);
    if (admission->left == 0) {
        admission->is_used_up = true;
        loop_modify(admission->loop, &admission->listener, 0);
    }
}

void thread_admission_init(struct thread_admission *admission, struct loop *loop,
                           unsigned per_batch) {
    *admission = (struct thread_admission){.loop = loop,
                                           .listener = {-1, on_listener_ready},
                                           .per_batch = per_batch,
                                           .next_batch_ms = NOT_BEGUN,
                                           .left = per_batch};
}

void thread_admission_finish(struct thread_admission *admission) {
    remove_listener(admission);
}

int thread_admission_begin(struct thread_admission *admission, int listener_fd) {
    admission->listener.fd = listener_fd;
    if (loop_add(admission->loop, &admission->listener, EPOLLIN) < 0) {
        close(listener_fd);
        admission->listener.fd = -1;
        return -1;
    }
    return 0;
}

bool thread_admission_take_used_up(struct thread_admission *admission) {
    bool is_used_up = admission->is_used_up;
    admission->is_used_up = false;
    return is_used_up;
}

void thread_admission_tick(struct thread_admission *admission, int64_t now_ms) {
    if (thread_admission_next_ms(admission) <= now_ms) {
        /* The last thread of a batch may begin only after the host has counted. So the host counts
         * again, and a later batch is one smaller: even then, the main thread and two batches are
         * at most twice the threads that the worker may have. */
        admission->is_used_up = true;
        admission->left = admission->per_batch - 1;
        admission->next_batch_ms = NOT_BEGUN;
        loop_modify(admission->loop, &admission->listener, EPOLLIN);
    }
}

int64_t thread_admission_next_ms(const struct thread_admission *admission) {
    bool is_waiting = admission->listener.fd >= 0 && admission->left == 0;
    return is_waiting ? admission->next_batch_ms : INT64_MAX;
}
