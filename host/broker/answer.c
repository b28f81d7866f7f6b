/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From an HTTP answer to an outcome and a sentence. */
#include "broker/answer.h"

#include "base/json.h"
#include "base/text.h"
#include "broker/broker.h"

#include <snekomatic/types.h>

#include <stdio.h>
#include <string.h>

#define MESSAGE_SHOWN 300 /* bytes of GitHub's message, and of each of its errors */
#define ERRORS_SHOWN 8    /* of errors[] */
#define SENTENCE_MAX 900  /* fits struct error with what callers put in front */

const char *answer_header(const struct buffer *headers, const char *name, size_t *bytes) {
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

static bool find_text(const char *json, size_t bytes, const char *path, char *out, size_t room) {
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

/* One of GitHub's errors[]: a text, or an object with a message or else a field and a code. */
static bool describe_error(const struct json_value *error, struct buffer *out) {
    char text[MESSAGE_SHOWN + 1], field[101];
    if (find_text(error->raw, error->raw_bytes, "", text, sizeof text) ||
        find_text(error->raw, error->raw_bytes, "message", text, sizeof text)) {
        return buffer_append_text(out, text) == 0;
    }
    if (!find_text(error->raw, error->raw_bytes, "code", text, sizeof text)) {
        return false;
    }
    bool named = find_text(error->raw, error->raw_bytes, "field", field, sizeof field);
    return buffer_printf(out, "%s%s%s", named ? field : "", named ? ": " : "", text) == 0;
}

static void describe_errors(const struct buffer *body, struct buffer *out) {
    const char *before = " (";
    for (int i = 0; i < ERRORS_SHOWN; i++) {
        char path[32];
        struct json_value error;
        (void)snprintf(path, sizeof path, "errors[%d]", i);
        if (!json_find(body->data, body->bytes, path, &error)) {
            break;
        }
        AUTO_BUFFER struct buffer one = BUFFER_INIT(MESSAGE_SHOWN + 200);
        if (describe_error(&error, &one) && buffer_append_text(out, before) == 0) {
            (void)buffer_append_text(out, one.data);
            before = "; ";
        }
    }
    if (before[0] == ';') {
        (void)buffer_append_text(out, ")");
    }
}

static bool shows_rate_limit(const struct buffer *headers, const char *message) {
    size_t bytes;
    const char *remaining = answer_header(headers, "x-ratelimit-remaining", &bytes);
    return (remaining && bytes == 1 && *remaining == '0') ||
           answer_header(headers, "retry-after", &bytes) || strcasestr(message, "rate limit");
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

/* "issues=write; pull_requests=write", as GitHub says what it would have taken. */
static void describe_permissions(const struct buffer *headers, struct buffer *out) {
    size_t bytes;
    char wanted[MESSAGE_SHOWN + 1];
    const char *accepted = answer_header(headers, "x-accepted-github-permissions", &bytes);
    if (accepted && bytes > 0) {
        text_clean(wanted, sizeof wanted, accepted, bytes);
        (void)buffer_printf(out, " (it needs %s)", wanted);
    }
}

static int32_t classify_graphql(const char *type, const char *message) {
    static const struct {
        const char *type;
        int32_t outcome;
    } types[] = {{"RATE_LIMITED", SNEK_E_RATE_LIMITED},     {"RATE_LIMIT", SNEK_E_RATE_LIMITED},
                 {"NOT_FOUND", SNEK_E_NOT_FOUND},           {"FORBIDDEN", SNEK_E_FORBIDDEN},
                 {"INSUFFICIENT_SCOPES", SNEK_E_FORBIDDEN}, {"INTERNAL", SNEK_E_SERVER},
                 {"SERVICE_UNAVAILABLE", SNEK_E_SERVER}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].type, type) == 0) {
            return types[i].outcome;
        }
    }
    if (strcasestr(message, "secondary rate limit")) {
        return SNEK_E_RATE_LIMITED;
    }
    return strncmp(message, "Something went wrong while executing", 36) == 0 ? SNEK_E_SERVER
                                                                             : SNEK_E_VALIDATION;
}

bool broker_graphql_did(const char *body, size_t body_bytes) {
    struct json_value data;
    struct json_reader reader;
    enum json_token token;
    if (!json_find(body, body_bytes, "data", &data) || data.type != JSON_OBJECT_BEGIN) {
        return false;
    }
    json_init(&reader, data.raw, data.raw_bytes);
    (void)json_next(&reader); /* the brace */
    while ((token = json_next(&reader)) == JSON_KEY) {
        token = json_next(&reader);
        if (token != JSON_NULL) {
            return true;
        }
    }
    return false;
}

int32_t answer_judge_graphql(const struct buffer *body, struct error *err) {
    struct json_value errors, first;
    const char *json = body->data ? body->data : "";
    bool listed = json_find(json, body->bytes, "errors", &errors) && errors.type != JSON_NULL;
    if (listed && errors.type != JSON_ARRAY_BEGIN) {
        (void)error_set(err, "POST /graphql answered with errors that make no sense");
        return SNEK_E_SERVER;
    }
    if (!listed || !json_find(errors.raw, errors.raw_bytes, "[0]", &first)) {
        if (json_find(json, body->bytes, "data", &first) && first.type != JSON_NULL) {
            return 0;
        }
        (void)error_set(err, "POST /graphql answered without data");
        return SNEK_E_SERVER;
    }
    char type[64] = "", message[MESSAGE_SHOWN + 1] = "";
    AUTO_BUFFER struct buffer sentence = BUFFER_INIT(SENTENCE_MAX);
    (void)find_text(first.raw, first.raw_bytes, "type", type, sizeof type);
    (void)find_text(first.raw, first.raw_bytes, "message", message, sizeof message);
    (void)buffer_append_text(&sentence, "POST /graphql answered with errors");
    describe_errors(body, &sentence);
    (void)error_set(err, "%s", sentence.data ? sentence.data : "no memory");
    return classify_graphql(type, message);
}

int32_t answer_judge(const char *method, const char *path, int32_t status,
                     const struct buffer *headers, const struct buffer *body, struct error *err) {
    if (status >= 200 && status < 300) {
        return 0;
    }
    char message[MESSAGE_SHOWN + 1] = "", shown[ANSWER_URL_SHOWN + 1];
    text_clean(shown, sizeof shown, path, strlen(path));
    bool look = body->bytes > 0 && body->bytes <= ANSWER_JSON_MAX;
    if (look) {
        (void)find_text(body->data, body->bytes, "message", message, sizeof message);
    }
    AUTO_BUFFER struct buffer sentence = BUFFER_INIT(SENTENCE_MAX);
    (void)buffer_printf(&sentence, "%s %s answered %d%s%s", method, shown, (int)status,
                        message[0] ? ": " : "", message);
    if (look) {
        describe_errors(body, &sentence);
    }
    int32_t outcome = classify(status, headers, message);
    if (outcome == SNEK_E_FORBIDDEN) {
        describe_permissions(headers, &sentence);
    }
    (void)error_set(err, "%s", sentence.data ? sentence.data : "no memory");
    return outcome;
}
