/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A bounded map from bytes to entries that forgets the least recently used ones. The entry is a
 * member of the caller's struct (CONTAINER_OF gets from one to the other). Not for several threads
 * at once.
 *
 *     put, find:  the entry becomes the most recently used one
 *     put:        evicts the least recently used entries that exceed a bound
 *     remove:     hands the entry back to the caller; on_evict is not called
 */
#ifndef SNEK_BASE_LRU_MAP_H
#define SNEK_BASE_LRU_MAP_H

#include "base/buffer.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

/* All members belong to the map. The struct that has it must stay in place while it is in a map. */
struct lru_entry {
    void *key;
    size_t key_bytes;
    size_t bytes;
    TAILQ_ENTRY(lru_entry) link;
};

TAILQ_HEAD(lru_entries, lru_entry);

struct lru_map_options {
    /* The bounds; 0 means none. */
    size_t entries_max;
    size_t bytes_max;
    /* May this entry not be evicted now, because it is in use? Such entries may exceed the bounds.
     * NULL: every entry may be evicted. */
    bool (*is_in_use)(const struct lru_entry *entry, void *context);
    /* The entry has left the map, which evicted it or ends: the caller's to free. */
    void (*on_evict)(struct lru_entry *entry, void *context);
    void *context;
};

struct lru_map {
    struct lru_map_options options;
    /* The root for tsearch(), which orders by key. */
    void *tree;
    /* The most recently used first. */
    struct lru_entries by_use;
    size_t count;
    size_t bytes;
};

void lru_map_init(struct lru_map *map, const struct lru_map_options *options);

/* Evicts every entry, also those in use. */
void lru_map_finish(struct lru_map *map);

/* Adds `entry` under a copy of the key, which must not be in the map. `bytes` is what the entry
 * costs beside its key. Then evicts what exceeds the bounds, except `entry`. Returns 0, or -1 when
 * memory is short or the entry alone exceeds bytes_max; the map is unchanged then. */
int lru_map_put(struct lru_map *map, struct lru_entry *entry, const void *key, size_t key_bytes,
                size_t bytes);

/* Both return NULL when there is no such key. lru_map_find() counts as a use, lru_map_peek() does
 * not. */
struct lru_entry *lru_map_find(struct lru_map *map, const void *key, size_t key_bytes);
struct lru_entry *lru_map_peek(const struct lru_map *map, const void *key, size_t key_bytes);

void lru_map_remove(struct lru_map *map, struct lru_entry *entry);

/* The most recently used entry, and the one used before `entry`; NULL ends. The entry at hand may
 * be removed once the next one is known. */
struct lru_entry *lru_map_first(const struct lru_map *map);
struct lru_entry *lru_map_next(const struct lru_entry *entry);

/* Appends one part of a key that has several: the text with its NUL, so that no two lists of parts
 * give the same key. Returns 0, or -1 as buffer_append(). */
int lru_map_key_part(struct buffer *key, const char *text);

#endif
