/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The frames of a worker that are about one run: calls, log lines, timers and results. Parses each
 * and hands it to the handler. */
#ifndef SNEK_WORKER_PROCESS_RUN_FRAMES_H
#define SNEK_WORKER_PROCESS_RUN_FRAMES_H

#include "worker_process/worker_process.h"

/* The handler of a frame takes it later. */
#define RUN_FRAME_MUST_WAIT 1

/* 0, RUN_FRAME_MUST_WAIT, or -1: it is malformed, or no such frame. */
int run_frames_parse(const struct worker_process_handlers *handlers, void *context,
                     const struct frame_head *head, struct frame_reader *reader);

#endif
