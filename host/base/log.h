/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One line an event on standard output, logfmt or JSON: time, level, msg, then the fields in the
 * order given. Control characters are escaped. A secret is never a field: nothing that holds one
 * (struct secret) converts to a field. From any thread; a line is written by one write(2). */
#ifndef SNEK_BASE_LOG_H
#define SNEK_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

#define LOG_LINE_MAX 8192 /* bytes; a longer line loses the ends of its longest values */

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

/* From now on `watcher` is called with each line of LOG_WARNING and above, also those that are not
 * written, on the thread that logs it; NULL: nobody is. While no other thread logs. */
typedef void log_watcher(void *context, enum log_level level, const char *message,
                         const struct log_field *fields);
void log_watch(log_watcher *watcher, void *context);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_event(LOG_INFO, "stored", LOG_TEXT("delivery", guid), LOG_NUMBER("bytes", n)); */
#define log_event(level, message, ...)                                                             \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

#endif
