/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The permissions of installations, which leave the map when others are used more. */
#include "broker/granted_cache.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4096

struct granted {
    struct lru_entry entry;
    char *permissions;
    /* Monotonic. */
    int64_t until_ms;
};

static void free_granted(struct granted *granted) {
    free(granted->permissions);
    free(granted);
}

static void on_evict(struct lru_entry *entry, void *context) {
    (void)context;
    free_granted(CONTAINER_OF(entry, struct granted, entry));
}

void granted_cache_init(struct granted_cache *cache) {
    lru_map_init(&cache->map,
                 &(struct lru_map_options){.entries_max = ENTRIES_MAX, .on_evict = on_evict});
}

void granted_cache_finish(struct granted_cache *cache) {
    lru_map_finish(&cache->map);
}

static struct granted *find(struct granted_cache *cache, const char *installation) {
    struct lru_entry *entry = lru_map_find(&cache->map, installation, strlen(installation));
    return entry ? CONTAINER_OF(entry, struct granted, entry) : NULL;
}

void granted_cache_drop(struct granted_cache *cache, const char *installation) {
    struct granted *granted = find(cache, installation);
    if (granted) {
        lru_map_remove(&cache->map, &granted->entry);
        free_granted(granted);
    }
}

void granted_cache_put(struct granted_cache *cache, const char *installation,
                       const struct json_value *permissions) {
    granted_cache_drop(cache, installation);
    struct granted *granted = calloc(1, sizeof *granted);
    if (!granted) {
        return;
    }
    granted->permissions = strndup(permissions->raw, permissions->raw_bytes);
    granted->until_ms = clock_monotonic_ms() + GRANTED_FOR_MS;
    if (!granted->permissions ||
        lru_map_put(&cache->map, &granted->entry, installation, strlen(installation), 0) < 0) {
        free_granted(granted);
    }
}

bool granted_cache_get(struct granted_cache *cache, const char *installation,
                       struct json_value *permissions, int64_t *until_ms) {
    struct granted *granted = find(cache, installation);
    if (granted && granted->until_ms <= clock_monotonic_ms()) {
        granted_cache_drop(cache, installation);
        granted = NULL;
    }
    if (!granted) {
        return false;
    }
    *permissions =
        (struct json_value){JSON_OBJECT_BEGIN, granted->permissions, strlen(granted->permissions)};
    *until_ms = granted->until_ms;
    return true;
}
