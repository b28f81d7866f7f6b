/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the first unknown key of an object, and the key that the author may have meant. */
#include "worker/known_keys.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a key that a sentence shows. */
#define KEY_SHOWN_MAX 100

int known_keys_unknown(const char *key, const char *const *keys, uint32_t keys_count,
                       struct error *err) {
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (uint32_t i = 0; i < keys_count; i++) {
        size_t distance = suggest_distance(key, keys[i]);
        if (!nearest || distance < least) {
            nearest = keys[i];
            least = distance;
        }
    }
    if (nearest && suggest_is_near(key, least)) {
        return error_set(err, "%.*s is unknown; the nearest right key is \"%.*s\"", KEY_SHOWN_MAX,
                         key, KEY_SHOWN_MAX, nearest);
    }
    AUTO_BUFFER struct buffer known = BUFFER_INIT(ERROR_TEXT_MAX / 2);
    int full = 0;
    for (uint32_t i = 0; i < keys_count && full == 0; i++) {
        full = buffer_printf(&known, "%s%.*s", i > 0 ? ", " : "", KEY_SHOWN_MAX, keys[i]);
    }
    return error_set(err, "%.*s is unknown; the plugin has: %s", KEY_SHOWN_MAX, key,
                     known.bytes > 0 ? known.data : "none");
}

static bool is_among(const struct json_reader *reader, const char *const *keys,
                     uint32_t keys_count) {
    for (uint32_t i = 0; i < keys_count; i++) {
        if (json_text_is(reader->text, reader->text_bytes, keys[i], strlen(keys[i]))) {
            return true;
        }
    }
    return false;
}

int known_keys_check(const char *json, size_t bytes, const char *const *keys, uint32_t keys_count,
                     size_t *at, struct error *err) {
    struct json_reader reader;
    json_init(&reader, json, bytes);
    if (json_next(&reader) != JSON_OBJECT_BEGIN) {
        return 0;
    }
    while (json_next(&reader) == JSON_KEY) {
        if (!is_among(&reader, keys, keys_count)) {
            AUTO_FREE char *key = malloc(reader.text_bytes + 1);
            if (key) {
                key[json_unescape(reader.text, reader.text_bytes, key)] = '\0';
            }
            /* The text of a key begins after its quote. */
            *at = (size_t)(reader.text - json) - 1;
            return known_keys_unknown(key ? key : "?", keys, keys_count, err);
        }
        json_skip(&reader, json_next(&reader));
    }
    return 0;
}
