/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes one line an event to standard output, as logfmt or JSON: time, level, msg, then the fields
 * in their order. Control characters are escaped. No field can hold a secret: nothing converts a
 * struct secret to a field. From any thread.
 *
 * A tool writes each line itself. A server calls log_start(), because the reader of standard output
 * may be slow or hang (a pager, a log shipper), and no thread that logs may wait for it. Lines are
 * queued and written in order. A full queue drops lines and counts them. The log names the place of
 * the gap: msg=log_lines_dropped count=N. Lines that cannot be written, for example to a full disk,
 * are counted likewise and reported once a line can be written. */
#ifndef SNEK_BASE_LOG_H
#define SNEK_BASE_LOG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { SNEK_LEVEL_DEBUG, SNEK_LEVEL_INFO, SNEK_LEVEL_WARNING, SNEK_LEVEL_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Bytes; a longer line loses the ends of its longest values. */
#define LOG_LINE_MAX 8192

/* Room for some 5000 lines: seconds of a flood, hours of a usual bot. The reserve is for warnings
 * and errors only, which a flood of other lines must not displace. */
#define LOG_QUEUE_BYTES (1u << 20)
#define LOG_QUEUE_RESERVE (LOG_QUEUE_BYTES / 4)

/* At the end, for a reader that stands still. */
#define LOG_FLUSH_MS 500

struct log_field {
    /* Static; a NULL key ends the list. */
    const char *key;
    /* When it is NULL, the field is left out, unless is_number. */
    const char *text;
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

/* From now on each line of SNEK_LEVEL_WARNING and above goes to `watcher` too, also a line that is
 * not written, on the thread that logs it. NULL ends that. Call it while no other thread logs. */
typedef void log_watcher(void *context, enum log_level level, const char *message,
                         const struct log_field *fields);
void log_watch(log_watcher *watcher, void *context);

/* From now on lines are queued, and a fatal signal ends the process only after they are written.
 * Call it after log_setup() and before other threads log. A child forked later writes its lines
 * itself. Returns 0, or -1. */
int log_start(struct error *err);

/* Writes the queued lines, for at most LOG_FLUSH_MS. Call it while no other thread logs; later
 * lines may be lost. Does nothing without log_start(). */
void log_finish(void);

/* Lines that were dropped since log_start(). */
uint64_t log_dropped(void);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_event(SNEK_LEVEL_INFO, "stored", LOG_TEXT("delivery", guid), LOG_NUMBER("bytes", n)); */
#define log_event(level, message, ...)                                                             \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

#endif
