/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs of this worker and the pool of threads that handle them. All functions are for the main
 * thread. A result of -1 means that the host broke the protocol: the worker must end. */
#ifndef SNEK_WORKER_RUN_POOL_H
#define SNEK_WORKER_RUN_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct run_pool;
struct wire_frame;
struct worker;

/* `concurrency` is the most threads, and the most runs that wait. NULL when memory is short. Lives
 * until the process ends. */
struct run_pool *run_pool_new(struct worker *worker, uint64_t concurrency);

/* RUN: hands the run to an idle thread, else to a new one, else it waits. Takes over the frame's
 * body. */
int run_pool_start(struct run_pool *pool, struct wire_frame *frame);

/* CANCEL: marks the run and wakes its calls. A run that has just ended is no error. */
int run_pool_cancel(struct run_pool *pool, const struct wire_frame *frame);

/* At the end: false when a handler runs or waits to run. Else true, once the last result is sent.
 */
bool run_pool_drained(struct run_pool *pool);

#endif
