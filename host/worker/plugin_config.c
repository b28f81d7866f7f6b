/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The configuration's JSON, the values that were found in it, and the suggestion of the right key
 * for an unknown one. */
#include "worker/plugin_config.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/suggest.h"
#include "protocol/frames.h"
#include "worker/arena.h"
#include "worker/value.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a key that a sentence shows. */
#define KEY_SHOWN_MAX 100

struct found_value {
    TAILQ_ENTRY(found_value) entry;
    /* Where it stands in the JSON. */
    const char *raw;
    struct snek_value value;
};

struct plugin_config {
    char *json;
    size_t bytes;

    /* Guards the members below. */
    pthread_mutex_t lock;
    struct arena arena;
    TAILQ_HEAD(, found_value) found;
};

static bool is_object(const char *json, size_t bytes) {
    const char *why;
    size_t at;
    struct json_value whole;
    return json_check(json, bytes, &why, &at) == 0 && json_find(json, bytes, "", &whole) &&
           whole.type == JSON_OBJECT_BEGIN;
}

struct plugin_config *plugin_config_new(const char *json, size_t bytes, bool *malformed) {
    *malformed = !is_object(json, bytes);
    struct plugin_config *config = *malformed ? NULL : calloc(1, sizeof *config);
    char *copy = config ? strndup(json, bytes) : NULL;
    if (!copy) {
        free(config);
        return NULL;
    }
    config->json = copy;
    config->bytes = bytes;
    pthread_mutex_init(&config->lock, NULL);
    arena_init(&config->arena, FRAME_TO_WORKER_MAX);
    TAILQ_INIT(&config->found);
    return config;
}

bool plugin_config_is_empty(const struct plugin_config *config) {
    return strcmp(config->json, "{}") == 0;
}

/* Under the lock. NULL when memory is short. */
static const struct found_value *keep(struct plugin_config *config, const char *raw,
                                      const char *path) {
    struct found_value *found;
    TAILQ_FOREACH(found, &config->found, entry) {
        if (found->raw == raw) {
            return found;
        }
    }
    found = arena_alloc(&config->arena, sizeof *found);
    if (!found || value_find(&config->arena, config->json, config->bytes, path, &found->value) ==
                      SNEK_ABSENT) {
        return NULL;
    }
    found->raw = raw;
    TAILQ_INSERT_HEAD(&config->found, found, entry);
    return found;
}

uint32_t plugin_config_find(struct plugin_config *config, const char *path,
                            struct snek_value *value) {
    struct json_value at;
    *value = (struct snek_value){.kind = SNEK_ABSENT};
    if (!json_find(config->json, config->bytes, path, &at)) {
        return SNEK_ABSENT;
    }
    SCOPED_LOCK(&config->lock);
    const struct found_value *found = keep(config, at.raw, path);
    if (found) {
        *value = found->value;
    }
    return value->kind;
}

static int unknown_key(const char *key, const char *const *keys, uint32_t keys_count,
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
        return error_set(err, "plugin.config.%.*s is unknown; the nearest right key is \"%.*s\"",
                         KEY_SHOWN_MAX, key, KEY_SHOWN_MAX, nearest);
    }
    AUTO_BUFFER struct buffer known = BUFFER_INIT(ERROR_TEXT_MAX / 2);
    int full = 0;
    for (uint32_t i = 0; i < keys_count && full == 0; i++) {
        full = buffer_printf(&known, "%s%.*s", i > 0 ? ", " : "", KEY_SHOWN_MAX, keys[i]);
    }
    return error_set(err, "plugin.config.%.*s is unknown; the plugin has: %s", KEY_SHOWN_MAX, key,
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

int plugin_config_allow(const struct plugin_config *config, const char *const *keys,
                        uint32_t keys_count, struct error *err) {
    struct json_reader reader;
    json_init(&reader, config->json, config->bytes);
    /* The brace: the whole is an object. */
    json_next(&reader);
    while (json_next(&reader) == JSON_KEY) {
        if (!is_among(&reader, keys, keys_count)) {
            AUTO_FREE char *key = malloc(reader.text_bytes + 1);
            if (key) {
                key[json_unescape(reader.text, reader.text_bytes, key)] = '\0';
            }
            return unknown_key(key ? key : "?", keys, keys_count, err);
        }
        json_skip(&reader, json_next(&reader));
    }
    return 0;
}
