/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's side of a worker's thread gate: admits threads in batches, at most one batch in a
 * quarter of a second, and the host counts the worker's threads after each batch. So a worker that
 * starts threads without end has few more than it may have, and does not occupy the host's loop.
 * Threads: the loop's. */
#ifndef SNEK_WORKER_PROCESS_THREAD_ADMISSION_H
#define SNEK_WORKER_PROCESS_THREAD_ADMISSION_H

#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define THREAD_ADMISSION_BATCH_MS 250

struct thread_admission {
    struct loop *loop;
    /* The listener; its fd is -1 while there is none. */
    struct loop_source listener;
    unsigned per_batch, left;
    /* Monotonic. */
    int64_t next_batch_ms;
    /* A batch was admitted, and the host has not counted since. */
    bool is_used_up;
};

/* Borrows the loop until thread_admission_finish(). */
void thread_admission_init(struct thread_admission *admission, struct loop *loop,
                           unsigned per_batch);
void thread_admission_finish(struct thread_admission *admission);

/* Takes over the listener. 0, or -1 with errno. */
int thread_admission_begin(struct thread_admission *admission, int listener_fd);

/* True once after each batch, and once before the next one: the caller should count the threads. */
bool thread_admission_take_used_up(struct thread_admission *admission);

/* Begins the next batch when it is due. When it is due; INT64_MAX: a batch is not used up. */
void thread_admission_tick(struct thread_admission *admission, int64_t now_ms);
int64_t thread_admission_next_ms(const struct thread_admission *admission);

#endif
