/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of log lines to standard output. Inside of this room only; log.h tells what it promises.
 *
 *   log_write() --log_queue_put()--> ring of bytes --one thread--> write(2)
 *
 * Before log_queue_start(), and in a forked child, there is no thread, and log_queue_put() writes
 * by itself. Threads: any, but for start and finish. */
#ifndef SNEK_BASE_LOG_QUEUE_H
#define SNEK_BASE_LOG_QUEUE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

/* Appends the line that says that `count` are missing here. On the queue's thread. */
typedef void log_queue_gap(struct buffer *line, uint64_t count);

int log_queue_start(log_queue_gap *gap, struct error *err);
void log_queue_finish(void);

/* A whole line, which ends with its only '\n', of at most LOG_LINE_MAX bytes. `urgent` ones find
 * room in the reserve too. */
void log_queue_put(const char *line, size_t bytes, bool urgent);

uint64_t log_queue_dropped(void);

#endif
