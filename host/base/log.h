/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One line an event on standard output, logfmt or JSON: time, level, msg, then the fields in the
 * order given. Control characters are escaped. A secret is never a field: nothing that holds one
 * (struct secret) converts to a field. From any thread.
 *
 * A tool writes each line itself. What serves calls log_start(): who reads standard output may be
 * slow, or stand still (a pager, a log shipper that hangs), and nobody who logs waits for that.
 * Lines are queued and written in their order. When the queue is full they are dropped and counted,
 * and the log says at the place where they are missing: msg=log_lines_dropped count=N. So are lines
 * that cannot be written (a disk that is full), once one can be. */
#ifndef SNEK_BASE_LOG_H
#define SNEK_BASE_LOG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { SNEK_LEVEL_DEBUG, SNEK_LEVEL_INFO, SNEK_LEVEL_WARNING, SNEK_LEVEL_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

#define LOG_LINE_MAX 8192 /* bytes; a longer line loses the ends of its longest values */

/* Some 5000 lines: seconds of a flood, hours of what a bot mostly says. The reserve is for warnings
 * and errors, so that no flood of other lines drives them out. */
#define LOG_QUEUE_BYTES (1u << 20)
#define LOG_QUEUE_RESERVE (LOG_QUEUE_BYTES / 4)

#define LOG_FLUSH_MS 500 /* at the end, for a reader that stands still */

struct log_field {
    const char *key;  /* static; a NULL key ends the list */
    const char *text; /* NULL: the field is left out, unless is_number */
    size_t text_bytes;
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(name, value)                                                                      \
    (struct log_field) {                                                                           \
        .key = (name), .text = (value), .text_bytes = SIZE_MAX                                     \
    }
#define LOG_BYTES(name, value, length)                                                             \
    (struct log_field) {                                                                           \
        .key = (name), .text = (value), .text_bytes = (length)                                     \
    }
#define LOG_NUMBER(name, value)                                                                    \
    (struct log_field) {                                                                           \
        .key = (name), .number = (value), .is_number = true                                        \
    }

/* Before the first line; not while other threads log. */
void log_setup(enum log_level least, enum log_format format);

/* From now on `watcher` is called with each line of SNEK_LEVEL_WARNING and above, also those that
 * are not written, on the thread that logs it; NULL: nobody is. While no other thread logs. */
typedef void log_watcher(void *context, enum log_level level, const char *message,
                         const struct log_field *fields);
void log_watch(log_watcher *watcher, void *context);

/* From now on lines are queued, and a fatal signal lets them be written before it ends the process.
 * After log_setup(), before other threads log. A child that is forked later writes its lines
 * itself. 0, or -1. */
int log_start(struct error *err);

/* Writes what is queued, for at most LOG_FLUSH_MS. While no other thread logs; what is logged later
 * may be lost. Does nothing without log_start(). */
void log_finish(void);

/* Lines that were dropped since log_start(). */
uint64_t log_dropped(void);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_event(SNEK_LEVEL_INFO, "stored", LOG_TEXT("delivery", guid), LOG_NUMBER("bytes", n)); */
#define log_event(level, message, ...)                                                             \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

#endif
