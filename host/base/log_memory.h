/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the last lines of the log that name a delivery, for the console. The memory is bounded, and
 * empty after a start: the log itself has the older lines. From any thread. */
#ifndef SNEK_BASE_LOG_MEMORY_H
#define SNEK_BASE_LOG_MEMORY_H

#include "base/buffer.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of all kept lines: some thousands. */
#define LOG_MEMORY_BYTES ((size_t)2 << 20)

/* From now on lines are kept. Call it while no other thread logs. */
void log_memory_start(void);
/* Forgets all lines, and keeps no more. Call it while no other thread logs. */
void log_memory_finish(void);

/* Keeps a line with its line feed. Does nothing before log_memory_start() and without memory. */
void log_memory_put(const char *line, size_t bytes, const char *delivery, size_t delivery_bytes);

/* Appends the kept lines about this delivery, the oldest first. `*since_ms`: wall clock; lines from
 * before are not kept. 0, or -1: not all of them fit into `lines`. */
int log_memory_find(const char *delivery, struct buffer *lines, int64_t *since_ms);

#endif
