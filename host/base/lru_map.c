/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A search tree finds the entries, a list has them in the order of their last use. A tree, not a
 * hash table: strangers choose some of the keys, and must not be able to make them collide. */
#include "base/lru_map.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b) {
    const struct lru_entry *left = a, *right = b;
    if (left->key_bytes != right->key_bytes) {
        return left->key_bytes < right->key_bytes ? -1 : 1;
    }
    return left->key_bytes > 0 ? memcmp(left->key, right->key, left->key_bytes) : 0;
}

void lru_map_init(struct lru_map *map, const struct lru_map_options *options) {
    assert(options->on_evict);
    *map = (struct lru_map){.options = *options};
    TAILQ_INIT(&map->by_use);
}

static void evict(struct lru_map *map, struct lru_entry *entry) {
    lru_map_remove(map, entry);
    map->options.on_evict(entry, map->options.context);
}

void lru_map_finish(struct lru_map *map) {
    struct lru_entry *entry;
    while ((entry = TAILQ_FIRST(&map->by_use))) {
        evict(map, entry);
    }
    assert(map->count == 0 && map->bytes == 0 && !map->tree);
}

static bool is_over(const struct lru_map *map) {
    const struct lru_map_options *options = &map->options;
    return (options->entries_max > 0 && map->count > options->entries_max) ||
           (options->bytes_max > 0 && map->bytes > options->bytes_max);
}

static bool is_in_use(const struct lru_map *map, const struct lru_entry *entry) {
    return map->options.is_in_use && map->options.is_in_use(entry, map->options.context);
}

/* Called with `newest` as the first entry, which stays. */
static void evict_excess(struct lru_map *map, const struct lru_entry *newest) {
    struct lru_entry *entry = TAILQ_LAST(&map->by_use, lru_entries);
    while (entry != newest && is_over(map)) {
        struct lru_entry *before = TAILQ_PREV(entry, lru_entries, link);
        if (!is_in_use(map, entry)) {
            evict(map, entry);
        }
        entry = before;
    }
}

int lru_map_put(struct lru_map *map, struct lru_entry *entry, const void *key, size_t key_bytes,
                size_t bytes) {
    assert(!lru_map_peek(map, key, key_bytes));
    size_t cost = bytes + key_bytes;
    if (map->options.bytes_max > 0 && cost > map->options.bytes_max) {
        return -1;
    }
    *entry =
        (struct lru_entry){.key = malloc(key_bytes + 1), .key_bytes = key_bytes, .bytes = cost};
    if (!entry->key) {
        return -1;
    }
    memcpy(entry->key, key, key_bytes);
    if (!tsearch(entry, &map->tree, compare_keys)) {
        free(entry->key);
        entry->key = NULL;
        return -1;
    }
    TAILQ_INSERT_HEAD(&map->by_use, entry, link);
    map->count++;
    map->bytes += cost;
    evict_excess(map, entry);
    return 0;
}

struct lru_entry *lru_map_peek(const struct lru_map *map, const void *key, size_t key_bytes) {
    const struct lru_entry wanted = {.key = (void *)key, .key_bytes = key_bytes};
    struct lru_entry **found = tfind(&wanted, &map->tree, compare_keys);
    return found ? *found : NULL;
}

struct lru_entry *lru_map_find(struct lru_map *map, const void *key, size_t key_bytes) {
    struct lru_entry *entry = lru_map_peek(map, key, key_bytes);
    if (entry) {
        TAILQ_REMOVE(&map->by_use, entry, link);
        TAILQ_INSERT_HEAD(&map->by_use, entry, link);
    }
    return entry;
}

void lru_map_remove(struct lru_map *map, struct lru_entry *entry) {
    assert(entry->key && lru_map_peek(map, entry->key, entry->key_bytes) == entry);
    assert(map->count > 0 && map->bytes >= entry->bytes);
    tdelete(entry, &map->tree, compare_keys);
    TAILQ_REMOVE(&map->by_use, entry, link);
    map->count--;
    map->bytes -= entry->bytes;
    free(entry->key);
    entry->key = NULL;
}

struct lru_entry *lru_map_first(const struct lru_map *map) {
    return TAILQ_FIRST(&map->by_use);
}

struct lru_entry *lru_map_next(const struct lru_entry *entry) {
    return TAILQ_NEXT(entry, link);
}

int lru_map_key_part(struct buffer *key, const char *text) {
    return buffer_append(key, text, strlen(text) + 1);
}
