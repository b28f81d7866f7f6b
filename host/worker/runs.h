/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The runs of this worker and the threads that handle them. Functions take frames on the main
 * thread; -1 means that the host has broken the protocol, after which nothing can be trusted. */
#ifndef SNEK_WORKER_RUNS_H
#define SNEK_WORKER_RUNS_H

#include "worker/worker.h"

void runs_init(struct runs *runs, uint64_t concurrency);

/* RUN: to a thread that is idle, else to a new one (up to `concurrency`), else it waits; as many
 * may wait as may run. Takes the frame's body. */
int runs_start(struct worker *worker, struct wire_frame *frame);

/* CANCEL: marks the run, and wakes its calls. A run that has just ended is no error. */
int runs_cancel(struct worker *worker, const struct wire_frame *frame);

/* At the end: false when a handler runs or waits to. Else true, once the last result is sent. */
bool runs_quiet(struct worker *worker);

#endif
