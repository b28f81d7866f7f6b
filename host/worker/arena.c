/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Blocks of memory that are handed out from front to back and freed together. */
#include "worker/arena.h"

#include "base/lock.h"
#include "worker/failing_allocation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096

struct arena_block {
    TAILQ_ENTRY(arena_block) entry;
    size_t used, bytes;
    _Alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t max_bytes) {
    *arena = (struct arena){.max = max_bytes};
    TAILQ_INIT(&arena->blocks);
    pthread_mutex_init(&arena->lock, NULL);
}

void arena_finish(struct arena *arena) {
    struct arena_block *block, *following;
    TAILQ_FOREACH_SAFE(block, &arena->blocks, entry, following) {
        free(block);
    }
    pthread_mutex_destroy(&arena->lock);
}

static struct arena_block *block_with_room(struct arena *arena, size_t bytes) {
    struct arena_block *first = TAILQ_FIRST(&arena->blocks);
    if (first && first->bytes - first->used >= bytes) {
        return first;
    }
    size_t block_bytes = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    if (block_bytes > arena->max - arena->used) {
        return NULL;
    }
    struct arena_block *block = malloc(sizeof *block + block_bytes);
    if (!block) {
        return NULL;
    }
    block->used = 0;
    block->bytes = block_bytes;
    arena->used += block_bytes;
    /* A large text gets a block of its own. It goes behind the first block, whose room is kept for
     * small texts. */
    if (first && bytes > BLOCK_BYTES) {
        TAILQ_INSERT_AFTER(&arena->blocks, first, block, entry);
    } else {
        TAILQ_INSERT_HEAD(&arena->blocks, block, entry);
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    size_t align = _Alignof(max_align_t);
    if (bytes > arena->max || failing_allocation_take("the SDK")) {
        return NULL;
    }
    bytes = (bytes + align - 1) / align * align;
    SCOPED_LOCK(&arena->lock);
    struct arena_block *block = block_with_room(arena, bytes);
    if (!block) {
        return NULL;
    }
    void *data = block->data + block->used;
    block->used += bytes;
    assert(block->used <= block->bytes);
    return data;
}

char *arena_text(struct arena *arena, const char *text, size_t bytes) {
    char *copy = bytes < arena->max ? arena_alloc(arena, bytes + 1) : NULL;
    if (copy) {
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}
