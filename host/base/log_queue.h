/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of log lines to standard output; log.h has its promises. Only this room includes it.
 *
 *   log_write() --log_queue_put()--> ring of bytes --one thread--> write(2)
 *
 * Before log_queue_start(), and in a forked child, there is no thread, and log_queue_put() writes
 * the line itself. Any thread, except for start and finish. */
#ifndef SNEK_BASE_LOG_QUEUE_H
#define SNEK_BASE_LOG_QUEUE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

/* Appends a line that reports a gap of `count` lines. On the queue's thread. */
typedef void log_queue_gap(struct buffer *line, uint64_t count);

int log_queue_start(log_queue_gap *gap, struct error *err);
void log_queue_finish(void);

/* A whole line of at most LOG_LINE_MAX bytes; its only '\n' ends it. An urgent line may use the
 * reserve. */
void log_queue_put(const char *line, size_t bytes, bool urgent);

uint64_t log_queue_dropped(void);

#endif
