/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The configuration's JSON, and the values that were found in it. */
#include "worker/plugin_config.h"

#include "base/json.h"
#include "base/list.h"
#include "base/lock.h"
#include "protocol/frames.h"
#include "worker/arena.h"
#include "worker/known_keys.h"
#include "worker/value.h"

#include <stdlib.h>
#include <string.h>

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

int plugin_config_allow(const struct plugin_config *config, const char *const *keys,
                        uint32_t keys_count, struct error *err) {
    struct error why;
    size_t at;
    if (known_keys_check(config->json, config->bytes, keys, keys_count, &at, &why) < 0) {
        return error_set(err, "plugin.config.%s", why.text);
    }
    return 0;
}
