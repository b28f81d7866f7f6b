/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Appends fields to a JSON object, and rejects a field that would make the object invalid. */
#include "worker/json_body.h"

#include "base/json.h"
#include "protocol/frames.h"
#include "worker/run.h"

#include <stdio.h>
#include <string.h>

int32_t json_body_too_large(struct run *run) {
    return run_fail(run, SNEK_E_TOO_LARGE, "the request's body is larger than %u bytes",
                    FRAME_TO_HOST_MAX);
}

int32_t json_body_check(struct run *run, const char *body, size_t bytes) {
    const char *why;
    size_t at;
    return json_check(body, bytes, &why, &at) == 0
               ? 0
               : run_fail(run, SNEK_E_INVALID, "the request's body is not JSON: %s at byte %zu",
                          why, at);
}

const char *json_body_problem(const struct snek_field *fields, uint32_t count) {
    if (count > FRAME_ITEMS_MAX || (count > 0 && !fields)) {
        return "its fields are NULL or more than 256";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!fields[i].name) {
            return "a field has no name";
        }
    }
    return NULL;
}

static int32_t append_field(struct run *run, const struct snek_field *field, struct buffer *body) {
    const char *why;
    size_t at;
    int result = buffer_append_json_string(body, field->name, strlen(field->name));
    result |= buffer_append_text(body, ":");
    if ((field->kind == SNEK_FIELD_TEXT || field->kind == SNEK_FIELD_JSON) && !field->text) {
        char sentence[200];
        snprintf(sentence, sizeof sentence, "the field %.100s has no text", field->name);
        return run_fail_null(run, sentence);
    }
    switch (field->kind) {
    case SNEK_FIELD_TEXT:
        result |= buffer_append_json_string(body, field->text, strlen(field->text));
        break;
    case SNEK_FIELD_INTEGER:
        result |= buffer_printf(body, "%lld", (long long)field->integer);
        break;
    case SNEK_FIELD_BOOLEAN:
        result |= buffer_append_text(body, field->integer ? "true" : "false");
        break;
    case SNEK_FIELD_JSON:
        if (json_check(field->text, strlen(field->text), &why, &at) < 0) {
            return run_fail(run, SNEK_E_INVALID, "the field %.100s is not JSON: %s at byte %zu",
                            field->name, why, at);
        }
        result |= buffer_append_text(body, field->text);
        break;
    default:
        return run_fail(run, SNEK_E_INVALID,
                        "the field %.100s is of kind %u, which this host does not know",
                        field->name, field->kind);
    }
    return result == 0 ? 0 : json_body_too_large(run);
}

int32_t json_body_append(struct run *run, const struct snek_field *fields, uint32_t count,
                         struct buffer *body) {
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && buffer_append_text(body, ",") < 0) {
            return json_body_too_large(run);
        }
        int32_t result = append_field(run, &fields[i], body);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}
