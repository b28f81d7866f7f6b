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

bool response_is_readable(const struct buffer *body) {
    struct json_value value;
    if (body->bytes > RESPONSE_JSON_MAX) {
        return body->data[0] == '{';
    }
    return body->bytes == 0 ||
           (json_find(body->data, body->bytes, "", &value) && value.type == JSON_OBJECT_BEGIN);
}

bool response_message(const struct buffer *body, char *out, size_t room) {
    return body->bytes > 0 && body->bytes <= RESPONSE_JSON_MAX &&
           response_find_text(body->data, body->bytes, "message", out, room);
}

/* GitHub names its limits in headers, in the message ("secondary rate limit", formerly "abuse
 * detection mechanism"), or in the page that it links to. */
static bool shows_rate_limit(const struct buffer *headers, const struct buffer *body,
                             const char *message) {
    size_t bytes;
    char page[RESPONSE_MESSAGE_SHOWN + 1] = "";
    const char *remaining = response_header(headers, "x-ratelimit-remaining", &bytes);
    if ((remaining && bytes == 1 && *remaining == '0') ||
        response_header(headers, "retry-after", &bytes) || strcasestr(message, "rate limit") ||
        strcasestr(message, "abuse detection")) {
        return true;
    }
    if (body->bytes > 0 && body->bytes <= RESPONSE_JSON_MAX) {
        response_find_text(body->data, body->bytes, "documentation_url", page, sizeof page);
    }
    return strcasestr(page, "rate-limit") || strcasestr(page, "abuse");
}

/* `sentence` has GitHub's message and its errors. */
static int32_t classify(int32_t status, const struct buffer *headers, const struct buffer *body,
                        const char *message, const char *sentence) {
    if (status == 429 || (status == 403 && shows_rate_limit(headers, body, message)) ||
        (status == 422 && strcasestr(sentence, "submitted too quickly"))) {
        return SNEK_E_RATE_LIMITED;
    }
    if (status < 400 || status >= 500 || !response_is_readable(body)) {
        return SNEK_E_SERVER;
    }
    switch (status) {
    case 404:
    case 410:
        return SNEK_E_NOT_FOUND;
    case 401:
    case 403:
        return SNEK_E_FORBIDDEN;
    default:
        return SNEK_E_VALIDATION;
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
    response_message(body, message, sizeof message);
    AUTO_BUFFER struct buffer sentence = BUFFER_INIT(RESPONSE_SENTENCE_MAX);
    buffer_printf(&sentence, "%s %s answered %d%s%s", method, shown, (int)status,
                  message[0] ? ": " : "", message);
    if (body->bytes > 0 && body->bytes <= RESPONSE_JSON_MAX) {
        response_describe_errors(body, &sentence);
    }
    int32_t outcome = classify(status, headers, body, message, sentence.data ? sentence.data : "");
    if (outcome == SNEK_E_FORBIDDEN) {
        describe_permissions(headers, &sentence);
    } else if (outcome == SNEK_E_SERVER && status < 500 && !response_is_readable(body)) {
        buffer_append_text(&sentence, RESPONSE_UNREADABLE);
    }
    error_set(err, "%s", sentence.data ? sentence.data : "no memory");
    return outcome;
}
