/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "telemetry/event.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define TEXT_MAX 1000 /* bytes of the reason */
#define ID_BYTES 16

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* ---- the DSN ---- */

static void finish_url(CURLU **url) {
    curl_url_cleanup(*url);
}

static void finish_part(char **part) {
    curl_free(*part);
}

static bool is_loopback(const char *host) {
    struct in_addr address;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static int fill_target(struct event_target *target, CURLU *url, const char *key, const char *path,
                       struct error *err) {
    CLEANUP(finish_part) char *whole = NULL;
    const char *project = strrchr(path, '/') + 1; /* curl's paths begin with one */
    AUTO_FREE char *endpoint = NULL, *authorization = NULL;
    if (asprintf(&endpoint, "%.*s/api/%s/envelope/", (int)(project - path - 1), path, project) <
        0) {
        endpoint = NULL;
        return error_set(err, "does not fit into memory");
    }
    if (asprintf(&authorization,
                 "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=" EVENT_CLIENT
                 ", sentry_key=%s",
                 key) < 0) {
        authorization = NULL;
        return error_set(err, "does not fit into memory");
    }
    if (curl_url_set(url, CURLUPART_PATH, endpoint, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK ||
        !(target->url = strdup(whole))) {
        return error_set(err, "does not fit into memory");
    }
    target->authorization = STEAL(authorization);
    return 0;
}

int event_target_init(struct event_target *target, const char *dsn, struct error *err) {
    static const char shape[] =
        "must be a DSN as Sentry shows it: https://KEY@HOST/PROJECT, in which PROJECT is a number";
    CLEANUP(finish_url) CURLU *url = curl_url();
    CLEANUP(finish_part) char *scheme = NULL, *host = NULL, *key = NULL, *path = NULL;
    *target = (struct event_target){0};
    if (strpbrk(dsn, "?# ") || curl_url_set(url, CURLUPART_URL, dsn, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_USER, &key, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK) {
        return error_set(err, "%s", shape);
    }
    target->tls = strcmp(scheme, "https") == 0;
    const char *project = strrchr(path, '/');
    if (!project || !project[1] || project[1 + strspn(project + 1, "0123456789")] || !*key ||
        key[strspn(key, LETTERS)] != '\0' || (!target->tls && strcmp(scheme, "http") != 0)) {
        return error_set(err, "%s", shape);
    }
    if (!target->tls && !is_loopback(host)) {
        return error_set(err, "must start with https:// (http:// is for a loopback host only)");
    }
    if (fill_target(target, url, key, path, err) < 0) {
        event_target_finish(target);
        return -1;
    }
    return 0;
}

void event_target_finish(struct event_target *target) {
    free(target->url);
    free(target->authorization);
    *target = (struct event_target){0};
}

/* ---- the event ---- */

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

static int put_value(struct buffer *json, const struct log_field *field) {
    char number[24];
    const char *text = field->text;
    size_t bytes;
    if (field->is_number) {
        bytes = (size_t)snprintf(number, sizeof number, "%" PRId64, field->number);
        text = number; /* tags are texts */
    } else {
        bytes = field->text_bytes == SIZE_MAX ? strlen(text) : field->text_bytes;
    }
    return buffer_append_json_string(json, text, bytes < TEXT_MAX ? bytes : TEXT_MAX);
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

/* "dead: GitHub's answer ..." */
static int put_message(struct buffer *json, const char *message, const struct log_field *fields) {
    const struct log_field *why = find(fields, "reason");
    why = why ? why : find(fields, "how");
    AUTO_BUFFER struct buffer text = BUFFER_INIT(TEXT_MAX + 200);
    int result = buffer_printf(&text, "%.100s", message);
    if (why && !why->is_number) {
        size_t bytes = why->text_bytes == SIZE_MAX ? strlen(why->text) : why->text_bytes;
        result |= buffer_append_text(&text, ": ");
        result |= buffer_append(&text, why->text, bytes < TEXT_MAX ? bytes : TEXT_MAX);
    }
    return result | buffer_append_json_string(json, text.data, text.bytes);
}

static void write_id(char id[2 * ID_BYTES + 1]) {
    uint8_t random[ID_BYTES];
    arc4random_buf(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        (void)snprintf(id + 2 * i, 3, "%02x", random[i]);
    }
}

static int write_event(struct buffer *json, const char *id, const char *environment,
                       enum log_level level, const char *message, const struct log_field *fields) {
    static const char *const tags[] = {"plugin",       "event",   "action",
                                       "installation", "attempt", NULL};
    static const char *const extra[] = {"delivery", "ms", "again_ms", "deaths", "restart_ms", NULL};
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
    (void)gmtime_r(&now_s, &utc);
    (void)strftime(sent_at, sizeof sent_at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int result = write_event(&json, id, environment, level, message, fields);
    result |= buffer_printf(envelope,
                            "{\"event_id\":\"%s\",\"sent_at\":\"%s\"}\n"
                            "{\"type\":\"event\",\"content_type\":\"application/json\","
                            "\"length\":%zu}\n",
                            id, sent_at, json.bytes);
    result |= buffer_append(envelope, json.data ? json.data : "", json.bytes);
    return result | buffer_append_text(envelope, "\n");
}

/* ---- its rate limits ---- */

/* Whether the categories, between semicolons, are all or have errors among them. */
static bool is_about_errors(const char *categories, size_t bytes) {
    static const char *const ours[] = {"error", "default"};
    const char *end = categories + bytes;
    if (bytes == 0) {
        return true;
    }
    while (categories < end) {
        size_t length = strcspn(categories, ";:,\r\n");
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
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
