/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The JSON of an event and its envelope, and the parser of Sentry's rate limits. The format:
 * https://develop.sentry.dev/sdk/data-model/envelopes/ */
#include "telemetry/event.h"

#include "base/array.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Bytes of a reason or another value. */
#define TEXT_MAX 1000
#define ID_BYTES 16

/* The event. */

bool event_wanted(enum log_level level, const char *message) {
    if (level == SNEK_LEVEL_ERROR) {
        return strcmp(message, "plugin") != 0;
    }
    return strcmp(message, "retry") == 0 || strcmp(message, "dead") == 0;
}

static const struct log_field *find(const struct log_field *fields, const char *key) {
    for (; fields && fields->key; fields++) {
        if ((fields->is_number || fields->text) && strcmp(fields->key, key) == 0) {
            return fields;
        }
    }
    return NULL;
}

static size_t shown_bytes(const struct log_field *field) {
    size_t bytes = field->text_bytes == SIZE_MAX ? strlen(field->text) : field->text_bytes;
    return bytes < TEXT_MAX ? bytes : TEXT_MAX;
}

static int put_value(struct buffer *json, const struct log_field *field) {
    char number[24];
    if (field->is_number) { /* Sentry's tags are texts */
        int bytes = snprintf(number, sizeof number, "%" PRId64, field->number);
        return buffer_append_json_string(json, number, (size_t)bytes);
    }
    return buffer_append_json_string(json, field->text, shown_bytes(field));
}

static int put_members(struct buffer *json, const struct log_field *fields,
                       const char *const *names) {
    int result = 0;
    const char *before = "";
    for (; *names; names++) {
        const struct log_field *field = find(fields, *names);
        if (field) {
            result |= buffer_printf(json, "%s\"%s\":", before, *names);
            result |= put_value(json, field);
            before = ",";
        }
    }
    return result;
}

/* "dead: GitHub responded ..." */
static int put_message(struct buffer *json, const char *message, const struct log_field *fields) {
    const struct log_field *why = find(fields, "reason");
    if (!why) {
        why = find(fields, "how");
    }
    AUTO_BUFFER struct buffer text = BUFFER_INIT(TEXT_MAX + 200);
    int result = buffer_printf(&text, "%.100s", message);
    if (why && !why->is_number) {
        result |= buffer_append_text(&text, ": ");
        result |= buffer_append(&text, why->text, shown_bytes(why));
    }
    return result | buffer_append_json_string(json, text.data, text.bytes);
}

static void write_id(char id[2 * ID_BYTES + 1]) {
    uint8_t random[ID_BYTES];
    arc4random_buf(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(id + 2 * i, 3, "%02x", random[i]);
    }
}

static int write_event(struct buffer *json, const char *id, const char *environment,
                       enum log_level level, const char *message, const struct log_field *fields) {
    static const char *const tags[] = {"plugin",       "event",   "action",
                                       "installation", "attempt", NULL};
    static const char *const extra[] = {"delivery",   "ms",        "again_ms",  "deaths",
                                        "restart_ms", "version",   "signal",    "meaning",
                                        "backtrace",  "build_ids", "symbolize", NULL};
    bool error = level == SNEK_LEVEL_ERROR || strcmp(message, "dead") == 0;
    int64_t now_ms = clock_wall_ms();
    int result =
        buffer_printf(json,
                      "{\"event_id\":\"%s\",\"timestamp\":%" PRId64 ".%03d,"
                      "\"platform\":\"native\",\"logger\":\"snekomatic\","
                      "\"level\":\"%s\",\"release\":\"snekomatic@" SNEK_VERSION "\","
                      "\"environment\":",
                      id, now_ms / 1000, (int)(now_ms % 1000), error ? "error" : "warning");
    result |= buffer_append_json_string(json, environment, strlen(environment));
    result |= buffer_append_text(json, ",\"message\":{\"formatted\":");
    result |= put_message(json, message, fields);
    result |= buffer_append_text(json, "},\"tags\":{");
    result |= put_members(json, fields, tags);
    result |= buffer_append_text(json, "},\"extra\":{");
    result |= put_members(json, fields, extra);
    return result | buffer_append_text(json, "}}");
}

int event_write(struct buffer *envelope, const char *environment, enum log_level level,
                const char *message, const struct log_field *fields) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(EVENT_BYTES_MAX);
    char id[2 * ID_BYTES + 1], sent_at[32];
    time_t now_s = (time_t)(clock_wall_ms() / 1000);
    struct tm utc;
    write_id(id);
    gmtime_r(&now_s, &utc);
    strftime(sent_at, sizeof sent_at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int result = write_event(&json, id, environment, level, message, fields);
    result |= buffer_printf(envelope,
                            "{\"event_id\":\"%s\",\"sent_at\":\"%s\"}\n"
                            "{\"type\":\"event\",\"content_type\":\"application/json\","
                            "\"length\":%zu}\n",
                            id, sent_at, json.bytes);
    result |= buffer_append(envelope, json.data ? json.data : "", json.bytes);
    return result | buffer_append_text(envelope, "\n");
}

/* Rate limits. */

/* Do the categories, which semicolons separate, include errors? No category means all. */
static bool is_about_errors(const char *categories, size_t bytes) {
    static const char *const ours[] = {"error", "default"};
    const char *end = categories + bytes;
    if (bytes == 0) {
        return true;
    }
    while (categories < end) {
        size_t length = strcspn(categories, ";:,\r\n");
        for (size_t i = 0; i < ARRAY_LENGTH(ours); i++) {
            if (length == strlen(ours[i]) && memcmp(categories, ours[i], length) == 0) {
                return true;
            }
        }
        categories += length + 1;
    }
    return false;
}

/* "60:error;transaction:key, 2700::organization" */
static int64_t longest_limit(const char *value) {
    int64_t longest_s = -1;
    while (*value) {
        char *end;
        value += strspn(value, " ,\r\n");
        long long seconds = strtoll(value, &end, 10);
        if (end > value && *end == ':' && seconds >= 0 &&
            is_about_errors(end + 1, strcspn(end + 1, ":,\r\n"))) {
            longest_s = seconds > longest_s ? seconds : longest_s;
        }
        value += strcspn(value, ",");
    }
    return longest_s;
}

int64_t event_limit_s(const char *line) {
    static const char retry[] = "retry-after:", limits[] = "x-sentry-rate-limits:";
    if (strncasecmp(line, limits, sizeof limits - 1) == 0) {
        return longest_limit(line + sizeof limits - 1);
    }
    if (strncasecmp(line, retry, sizeof retry - 1) == 0) {
        char *end;
        long long seconds = strtoll(line + sizeof retry - 1, &end, 10);
        return end > line + sizeof retry - 1 && seconds >= 0 ? seconds : -1;
    }
    return -1;
}
