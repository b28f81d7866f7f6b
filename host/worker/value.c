/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds a value with base/json.h and copies its text, decoded, into an arena. */
#include "worker/value.h"

#include "base/json.h"

static uint32_t kind_of(enum json_token type) {
    switch (type) {
    case JSON_NULL:
        return SNEK_NULL;
    case JSON_FALSE:
        return SNEK_FALSE;
    case JSON_TRUE:
        return SNEK_TRUE;
    case JSON_NUMBER:
        return SNEK_NUMBER;
    case JSON_STRING:
        return SNEK_STRING;
    case JSON_OBJECT_BEGIN:
        return SNEK_OBJECT;
    case JSON_ARRAY_BEGIN:
        return SNEK_ARRAY;
    default:
        return SNEK_ABSENT;
    }
}

static struct snek_text text_of(struct arena *arena, const struct json_value *found) {
    bool quoted = found->type == JSON_STRING;
    size_t bytes = found->raw_bytes - 2 * quoted;
    char *text = arena_text(arena, found->raw + quoted, bytes);
    if (text && quoted) {
        bytes = json_unescape(text, bytes, text);
        text[bytes] = '\0';
    }
    return (struct snek_text){.data = text, .bytes = text ? bytes : 0};
}

/* The items of an array, the members of an object; 0 for other values. */
static uint64_t count_of(const struct json_value *found) {
    struct json_reader reader;
    uint64_t count = 0;
    bool is_object = found->type == JSON_OBJECT_BEGIN;
    if (!is_object && found->type != JSON_ARRAY_BEGIN) {
        return 0;
    }
    json_init(&reader, found->raw, found->raw_bytes);
    json_next(&reader);
    for (;;) {
        enum json_token token = json_next(&reader);
        if (is_object && token == JSON_KEY) {
            token = json_next(&reader);
        }
        if (token == JSON_ARRAY_END || token == JSON_OBJECT_END || json_skip(&reader, token) < 0) {
            return count;
        }
        count++;
    }
}

uint32_t value_find(struct arena *arena, const char *json, size_t bytes, const char *path,
                    struct snek_value *value) {
    struct json_value found;
    if (value) {
        *value = (struct snek_value){.kind = SNEK_ABSENT};
    }
    if (!path || !json_find(json, bytes, path, &found)) {
        return SNEK_ABSENT;
    }
    if (!value) {
        return kind_of(found.type);
    }
    struct snek_text text = text_of(arena, &found);
    if (!text.data) {
        return SNEK_ABSENT;
    }
    value->kind = kind_of(found.type);
    value->is_integer = json_to_integer(&found, &value->integer);
    value->text = text;
    value->count = count_of(&found);
    return value->kind;
}
