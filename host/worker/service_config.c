/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "config": the plugin's own table of snekomatic.toml. */
#include "worker/services.h"
#include "worker/value.h"

#include "base/json.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_KEY_MAX 100 /* bytes of a key that a sentence shows */

/* What was found stays until destroy(): each value is kept once, however often it is asked for. */
struct config_text {
    struct config_text *next;
    const char *raw; /* where it stands */
    struct snek_value value;
};

static const struct config_text *find_kept(struct worker *worker, const char *raw,
                                           const char *path) {
    struct config_text *kept = worker->config_texts;
    while (kept && kept->raw != raw) {
        kept = kept->next;
    }
    if (!kept) {
        kept = arena_alloc(&worker->config_arena, sizeof *kept);
        if (!kept || value_find(&worker->config_arena, worker->config, worker->config_bytes, path,
                                &kept->value) == SNEK_ABSENT) {
            return NULL;
        }
        kept->raw = raw;
        kept->next = worker->config_texts;
        worker->config_texts = kept;
    }
    return kept;
}

static uint32_t config_find(const struct snek_host *host, const char *path,
                            struct snek_value *value) {
    struct json_value found;
    struct snek_value nowhere;
    struct snek_value *out = value ? value : &nowhere;
    *out = (struct snek_value){.kind = SNEK_ABSENT};
    struct worker *worker = host ? worker_of(host) : NULL;
    if (!worker || !path || !json_find(worker->config, worker->config_bytes, path, &found)) {
        return SNEK_ABSENT;
    }
    (void)pthread_mutex_lock(&worker->lock);
    const struct config_text *kept = find_kept(worker, found.raw, path);
    if (kept) {
        *out = kept->value;
    }
    (void)pthread_mutex_unlock(&worker->lock);
    return out->kind;
}

static int32_t unknown_key(const struct snek_host *host, const char *key, const char *const *keys,
                           uint32_t keys_count) {
    struct error sentence;
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
        (void)error_set(&sentence,
                        "plugin.config.%.*s is unknown; the nearest right key is \"%.*s\"",
                        CONFIG_KEY_MAX, key, CONFIG_KEY_MAX, nearest);
    } else {
        AUTO_BUFFER struct buffer known = BUFFER_INIT(ERROR_TEXT_MAX / 2);
        for (uint32_t i = 0; i < keys_count; i++) {
            (void)buffer_printf(&known, "%s%.*s", i > 0 ? ", " : "", CONFIG_KEY_MAX, keys[i]);
        }
        (void)error_set(&sentence, "plugin.config.%.*s is unknown; the plugin has: %s",
                        CONFIG_KEY_MAX, key, known.bytes > 0 ? known.data : "none");
    }
    host->explain(host, NULL, sentence.text, 0);
    return SNEK_E_INVALID;
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

static int32_t config_allow(const struct snek_host *host, const char *const *keys,
                            uint32_t keys_count) {
    for (uint32_t i = 0; host && i < keys_count; i++) {
        if (!keys || !keys[i]) {
            host->explain(host, NULL, "allow() was given a key that is NULL", 0);
            return SNEK_E_INVALID;
        }
    }
    if (!host) {
        return SNEK_E_INVALID;
    }
    const struct worker *worker = worker_of(host);
    struct json_reader reader;
    json_init(&reader, worker->config, worker->config_bytes);
    (void)json_next(&reader); /* {: main.c has checked */
    while (json_next(&reader) == JSON_KEY) {
        if (!is_among(&reader, keys, keys_count)) {
            AUTO_FREE char *key = malloc(reader.text_bytes + 1);
            if (key) {
                key[json_unescape(reader.text, reader.text_bytes, key)] = '\0';
            }
            return unknown_key(host, key ? key : "?", keys, keys_count);
        }
        (void)json_skip(&reader, json_next(&reader));
    }
    return 0;
}

const struct snek_config_service service_config = {
    .bytes = sizeof(struct snek_config_service),
    .find = config_find,
    .allow = config_allow,
};
