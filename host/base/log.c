/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Formats a line of the log and hands it to the queue. */
#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log_memory.h"
#include "base/log_queue.h"
#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Bytes of one field that are shown. */
#define VALUE_MAX 2048
/* Bytes that one of them may become. */
#define ESCAPED_MAX 6
/* Most lines are shorter. */
#define COMMON_BYTES 511

static enum log_level least_level = SNEK_LEVEL_INFO;
static enum log_format line_format = LOG_LOGFMT;
static log_watcher *watcher;
static void *watcher_context;

void log_setup(enum log_level least, enum log_format format) {
    least_level = least;
    line_format = format;
}

void log_watch(log_watcher *new_watcher, void *context) {
    watcher = new_watcher;
    watcher_context = context;
}

static bool needs_quotes(const char *text, size_t bytes) {
    if (bytes == 0) {
        return true;
    }
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7F) {
            return true;
        }
    }
    return false;
}

/* Characters that a JSON string may hold as they are but that a terminal obeys. The character's
 * code, or 0. */
static uint32_t hidden_code(const char *text, size_t bytes) {
    uint32_t code = text_unsafe(text, bytes);
    return code == 0xFFFD || code < 0x7F ? 0 : code;
}

static void put_quoted(struct buffer *line, const char *text, size_t bytes) {
    AUTO_BUFFER struct buffer quoted = BUFFER_INIT(ESCAPED_MAX * VALUE_MAX + 2);
    if (buffer_append_json_string(&quoted, text, bytes) < 0) {
        return;
    }
    /* The bytes that the line has already. */
    size_t shown = 0;
    for (size_t at = 0; at < quoted.bytes;
         at += utf8_sequence(quoted.data + at, quoted.bytes - at)) {
        uint32_t code = hidden_code(quoted.data + at, quoted.bytes - at);
        if (code != 0) {
            buffer_append(line, quoted.data + shown, at - shown);
            buffer_printf(line, "\\u%04x", code);
            shown = at + utf8_sequence(quoted.data + at, quoted.bytes - at);
        }
    }
    buffer_append(line, quoted.data + shown, quoted.bytes - shown);
}

static void put_value(struct buffer *line, const char *text, size_t bytes) {
    if (line_format == LOG_JSON || needs_quotes(text, bytes)) {
        put_quoted(line, text, bytes);
    } else {
        buffer_append(line, text, bytes);
    }
}

static void put_field(struct buffer *line, const struct log_field *field) {
    bool json = line_format == LOG_JSON;
    buffer_append_text(line, json ? ",\"" : " ");
    buffer_append_text(line, field->key);
    buffer_append_text(line, json ? "\":" : "=");
    if (field->is_number) {
        buffer_printf(line, "%" PRId64, field->number);
        return;
    }
    size_t bytes = field->text_bytes == SIZE_MAX ? strlen(field->text) : field->text_bytes;
    if (bytes > VALUE_MAX) {
        bytes = VALUE_MAX;
        while (bytes > 0 && ((unsigned char)field->text[bytes] & 0xC0) == 0x80) {
            /* A character is not cut. */
            bytes--;
        }
    }
    put_value(line, field->text, bytes);
}

/* A busy host logs thousands of lines in a second, and gmtime_r() takes a lock. */
static const char *stamp_of(time_t seconds) {
    static _Thread_local time_t stamped = -1;
    static _Thread_local char stamp[32];
    if (seconds != stamped) {
        struct tm utc;
        gmtime_r(&seconds, &utc);
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
        stamped = seconds;
    }
    return stamp;
}

/* 0, or -1 when memory is short. */
static int put_line(struct buffer *line, enum log_level level, const char *message,
                    const struct log_field *fields) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    int64_t now_ms = clock_wall_ms();
    const char *stamp = stamp_of((time_t)(now_ms / 1000));
    bool json = line_format == LOG_JSON;
    buffer_printf(line,
                  json ? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"msg\":"
                       : "time=%s.%03dZ level=%s msg=",
                  stamp, (int)(now_ms % 1000), names[level]);
    put_value(line, message, strlen(message));
    for (const struct log_field *field = fields; field && field->key; field++) {
        if (field->is_number || field->text) {
            put_field(line, field);
        }
    }
    if (line->bytes + 2 > LOG_LINE_MAX) {
        line->bytes = LOG_LINE_MAX - 2;
    }
    return buffer_append_text(line, json ? "}\n" : "\n");
}

/* For the console. */
static void remember(const struct buffer *line, const struct log_field *fields) {
    for (const struct log_field *field = fields; field && field->key; field++) {
        if (field->text && strcmp(field->key, "delivery") == 0) {
            size_t bytes = field->text_bytes == SIZE_MAX ? strlen(field->text) : field->text_bytes;
            log_memory_put(line->data, line->bytes, field->text, bytes);
            return;
        }
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    if (watcher && level >= SNEK_LEVEL_WARNING) {
        watcher(watcher_context, level, message, fields);
    }
    if (level < least_level) {
        return;
    }
    AUTO_BUFFER struct buffer line = BUFFER_INIT(LOG_LINE_MAX);
    if (buffer_reserve(&line, COMMON_BYTES) == 0 && put_line(&line, level, message, fields) == 0) {
        log_queue_put(line.data, line.bytes, level >= SNEK_LEVEL_WARNING);
        remember(&line, fields);
    }
}

static void put_gap(struct buffer *line, uint64_t count) {
    const struct log_field fields[] = {LOG_NUMBER("count", (int64_t)count), {0}};
    put_line(line, SNEK_LEVEL_WARNING, "log_lines_dropped", fields);
}

int log_start(struct error *err) {
    return log_queue_start(put_gap, err);
}

void log_finish(void) {
    log_queue_finish();
}

uint64_t log_dropped(void) {
    return log_queue_dropped();
}
