/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Merges the required and the optional permissions of a plugin, and compares them with those that
 * an installation grants. */
#include "broker/permission_set.h"

#include "base/buffer.h"
#include "protocol/access.h"

#include <string.h>

/* Does the installation grant the permission with this raw name and access? `granted` is the JSON
 * of its permissions. */
static bool is_granted(const struct json_value *granted, const struct json_reader *name,
                       const struct json_reader *access) {
    struct json_reader reader;
    json_init(&reader, granted->raw, granted->raw_bytes);
    json_next(&reader);
    while (json_next(&reader) == JSON_KEY) {
        bool same = reader.text_bytes == name->text_bytes &&
                    memcmp(reader.text, name->text, name->text_bytes) == 0;
        enum json_token type = json_next(&reader);
        if (same && type == JSON_STRING) {
            return access_rank(reader.text, reader.text_bytes) >=
                   access_rank(access->text, access->text_bytes);
        }
        if (json_skip(&reader, type) < 0) {
            return false;
        }
    }
    return false;
}

char *permission_set_merge(const char *required, const char *optional,
                           const struct json_value *granted) {
    AUTO_BUFFER struct buffer merged = BUFFER_INIT(SIZE_MAX / 2);
    struct json_reader name, access;
    size_t required_bytes = strlen(required);
    json_init(&name, optional, strlen(optional));
    if (required_bytes < 2 || json_next(&name) != JSON_OBJECT_BEGIN) {
        return strdup(required);
    }
    /* Without the closing brace. */
    int failed = buffer_append(&merged, required, required_bytes - 1);
    while (!failed && json_next(&name) == JSON_KEY) {
        access = name;
        json_next(&access);
        if (!granted || is_granted(granted, &name, &access)) {
            const char *comma = merged.bytes > 1 ? "," : "";
            failed |= buffer_printf(&merged, "%s\"%.*s\":\"%.*s\"", comma, (int)name.text_bytes,
                                    name.text, (int)access.text_bytes, access.text);
        }
        name = access;
    }
    failed |= buffer_append_text(&merged, "}");
    return failed ? NULL : buffer_steal(&merged);
}

char *permission_set_lacking(const char *required, const struct json_value *granted) {
    AUTO_BUFFER struct buffer lacking = BUFFER_INIT(SIZE_MAX / 2);
    struct json_reader name, access;
    json_init(&name, required, strlen(required));
    int failed = buffer_append_text(&lacking, "");
    bool any = json_next(&name) == JSON_OBJECT_BEGIN;
    while (any && !failed && json_next(&name) == JSON_KEY) {
        access = name;
        json_next(&access);
        if (!is_granted(granted, &name, &access)) {
            failed |=
                buffer_printf(&lacking, "%s%.*s: %.*s", lacking.bytes > 0 ? ", " : "",
                              (int)name.text_bytes, name.text, (int)access.text_bytes, access.text);
        }
        name = access;
    }
    return failed ? NULL : buffer_steal(&lacking);
}
