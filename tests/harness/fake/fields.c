/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a body's members as GitHub does, and makes the fake's hashes and times. */
#include "fake/fields.h"

#include "fake/response.h"
#include "fake/state.h"

#include <nettle/base16.h>
#include <nettle/sha1.h>
#include <string.h>

#define FIELDS_MAX 24

/* Is the text one of "a b c"? */
static bool is_value(const char *values, const char *text) {
    size_t bytes = strlen(text);
    for (const char *at = values; bytes > 0 && (at = strstr(at, text)) != NULL; at += bytes) {
        bool starts = at == values || at[-1] == ' ';
        if (starts && (at[bytes] == ' ' || at[bytes] == '\0')) {
            return true;
        }
    }
    return false;
}

static bool check_field(struct http_exchange *exchange, const char *resource,
                        const struct field *field, const json_t *value) {
    char message[400], wanted[128];
    if (!value || (field->required && json_is_null(value))) {
        if (field->required) {
            snprintf(message, sizeof message, "\"%s\" wasn't supplied.", field->name);
            respond_invalid(exchange, resource, field->name, "missing_field", message);
        }
        return !field->required;
    }
    if (!(schema_kinds_of(value) & field->kinds)) {
        schema_describe(field->kinds, wanted, sizeof wanted);
        snprintf(message, sizeof message, "%s is not %s.", field->name, wanted);
        respond_invalid(exchange, resource, field->name, "invalid", message);
        return false;
    }
    if (field->values && json_is_string(value) &&
        !is_value(field->values, json_string_value(value))) {
        snprintf(message, sizeof message, "%s is not one of: %s", field->name, field->values);
        respond_invalid(exchange, resource, field->name, "invalid", message);
        return false;
    }
    return true;
}

json_t *exchange_fields(struct http_exchange *exchange, const char *resource,
                        const struct field fields[]) {
    const char *allowed[FIELDS_MAX + 1] = {NULL};
    for (size_t i = 0; fields[i].name && i < FIELDS_MAX; i++) {
        allowed[i] = fields[i].name;
    }
    json_t *body = exchange_body(exchange, resource, allowed);
    for (size_t i = 0; body && fields[i].name; i++) {
        if (!check_field(exchange, resource, &fields[i], json_object_get(body, fields[i].name))) {
            json_decref(body);
            return NULL;
        }
    }
    return body;
}

static void finish_sha(struct sha1_ctx *hash, char sha[FAKE_SHA_BYTES]) {
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_digest(hash, sizeof digest, digest);
    base16_encode_update(sha, sizeof digest, digest);
    sha[FAKE_SHA_BYTES - 1] = '\0';
}

void fake_sha(const char *text, char sha[FAKE_SHA_BYTES]) {
    struct sha1_ctx hash;
    sha1_init(&hash);
    sha1_update(&hash, strlen(text), (const uint8_t *)text);
    finish_sha(&hash, sha);
}

void fake_blob_sha(const char *text, char sha[FAKE_SHA_BYTES]) {
    struct sha1_ctx hash;
    char head[32];
    int head_bytes = snprintf(head, sizeof head, "blob %zu", strlen(text)) + 1;
    sha1_init(&hash);
    sha1_update(&hash, (size_t)head_bytes, (const uint8_t *)head);
    sha1_update(&hash, strlen(text), (const uint8_t *)text);
    finish_sha(&hash, sha);
}

json_t *fake_now(const struct fake *fake) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(fake), now);
    return json_string(now);
}
