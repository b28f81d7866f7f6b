/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The configuration's JSON. */
#include "worker/plugin_config.h"

#include "base/json.h"
#include "protocol/frames.h"
#include "worker/found_values.h"
#include "worker/known_keys.h"

#include <stdlib.h>
#include <string.h>

struct plugin_config {
    char *json;
    size_t bytes;
    struct found_values found;
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
    found_values_init(&config->found, FRAME_TO_WORKER_MAX);
    return config;
}

bool plugin_config_is_empty(const struct plugin_config *config) {
    return strcmp(config->json, "{}") == 0;
}

uint32_t plugin_config_find(struct plugin_config *config, const char *path,
                            struct snek_value *value) {
    return found_values_find(&config->found, config->json, config->bytes, path, value);
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
