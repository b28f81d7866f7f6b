/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From an HTTP response to an outcome and a sentence. */
#include "broker/response.h"

#include "base/json.h"
#include "base/text.h"
#include "broker/url.h"

#include <snekomatic/types.h>

#include <stdio.h>
#include <string.h>

#define ERRORS_SHOWN 8 /* of errors[] */

const char *response_header(const struct buffer *headers, const char *name, size_t *bytes) {
    size_t name_bytes = strlen(name), left = headers->bytes;
    const char *at = headers->data, *end = left > 0 ? at + left : at; /* NULL when empty */
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) {
            break;
        }
        if ((size_t)(line_end - at) >= name_bytes + 2 && memcmp(at, name, name_bytes) == 0 &&
            memcmp(at + name_bytes, ": ", 2) == 0) {
            *bytes = (size_t)(line_end - at) - name_bytes - 2;
            return at + name_bytes + 2;
        }
        at = line_end + 1;
    }
    return NULL;
}

bool response_find_text(const char *json, size_t bytes, const char *path, char *out, size_t room) {
    struct json_value value;
    if (!json_find(json, bytes, path, &value) || value.type != JSON_STRING) {
        return false;
    }
    AUTO_FREE char *text = malloc(value.raw_bytes);
    if (!text) {
        return false;
    }
    size_t length = json_unescape(value.raw + 1, value.raw_bytes - 2, text);
    text_clean(out, room, text, length);
    return out[0] != '\0';
}

/* One of GitHub's errors[]: a text, or an object with a message, or else with a field and a code.
 */
static bool describe_error(const struct json_value *error, struct buffer *out) {
    char text[RESPONSE_MESSAGE_SHOWN + 1], field[101];
    if (response_find_text(error->raw, error->raw_bytes, "", text, sizeof text) ||
        response_find_text(error->raw, error->raw_bytes, "message", text, sizeof text)) {
        return buffer_append_text(out, text) == 0;
    }
    if (!response_find_text(error->raw, error->raw_bytes, "code", text, sizeof text)) {
        return false;
    }
    bool named = response_find_text(error->raw, error->raw_bytes, "field", field, sizeof field);
    return buffer_printf(out, "%s%s%s", named ? field : "", named ? ": " : "", text) == 0;
}

void response_describe_errors(const struct buffer *body, struct buffer *out) {
    const char *before = " (";
    for (int i = 0; i < ERRORS_SHOWN; i++) {
        char path[32];
        struct json_value error;
        snprintf(path, sizeof path, "errors[%d]", i);
        if (!json_find(body->data, body->bytes, path, &error)) {
            break;
        }
        AUTO_BUFFER struct buffer one = BUFFER_INIT(RESPONSE_MESSAGE_SHOWN + 200);
        if (describe_error(&error, &one) && buffer_append_text(out, before) == 0) {
            buffer_append_text(out, one.data);
            before = "; ";
        }
    }
    if (before[0] == ';') {
        buffer_append_text(out, ")");
    }
}

static bool shows_rate_limit(const struct buffer *headers, const char *message) {
    size_t bytes;
    const char *remaining = response_header(headers, "x-ratelimit-remaining", &bytes);
    return (remaining && bytes == 1 && *remaining == '0') ||
           response_header(headers, "retry-after", &bytes) || strcasestr(message, "rate limit");
}

static int32_t classify(int32_t status, const struct buffer *headers, const char *message) {
    switch (status) {
    case 404:
    case 410:
        return SNEK_E_NOT_FOUND;
    case 400:
    case 409:
    case 422:
        return SNEK_E_VALIDATION;
    case 401:
        return SNEK_E_FORBIDDEN;
    case 403:
        return shows_rate_limit(headers, message) ? SNEK_E_RATE_LIMITED : SNEK_E_FORBIDDEN;
    case 429:
        return SNEK_E_RATE_LIMITED;
    default:
        return SNEK_E_SERVER;
    }
}

/* "issues=write; pull_requests=write": GitHub names the permissions that it would have accepted. */
static void describe_permissions(const struct buffer *headers, struct buffer *out) {
    size_t bytes;
    char wanted[RESPONSE_MESSAGE_SHOWN + 1];
    const char *accepted = response_header(headers, "x-accepted-github-permissions", &bytes);
    if (accepted && bytes > 0) {
        text_clean(wanted, sizeof wanted, accepted, bytes);
        buffer_printf(out, " (it needs %s)", wanted);
    }
}

int32_t response_judge(const char *method, const char *path, int32_t status,
                       const struct buffer *headers, const struct buffer *body, struct error *err) {
    if (status >= 200 && status < 300) {
        return 0;
    }
    char message[RESPONSE_MESSAGE_SHOWN + 1] = "", shown[URL_SHOWN + 1];
    text_clean(shown, sizeof shown, path, strlen(path));
    bool look = body->bytes > 0 && body->bytes <= RESPONSE_JSON_MAX;
    if (look) {
        response_find_text(body->data, body->bytes, "message", message, sizeof message);
    }
    AUTO_BUFFER struct buffer sentence = BUFFER_INIT(RESPONSE_SENTENCE_MAX);
    buffer_printf(&sentence, "%s %s answered %d%s%s", method, shown, (int)status,
                  message[0] ? ": " : "", message);
    if (look) {
        response_describe_errors(body, &sentence);
    }
    int32_t outcome = classify(status, headers, message);
    if (outcome == SNEK_E_FORBIDDEN) {
        describe_permissions(headers, &sentence);
    }
    error_set(err, "%s", sentence.data ? sentence.data : "no memory");
    return outcome;
}
