/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory that is freed all at once: a text that a handler gets lives until its run (or the response
 * that it came from) ends. The size is bounded, so that a loop in a plugin gets an error instead of
 * ending the process. Any thread. */
#ifndef SNEK_WORKER_ARENA_H
#define SNEK_WORKER_ARENA_H

#include "base/list.h"

#include <pthread.h>
#include <stddef.h>

struct arena_block;

struct arena {
    pthread_mutex_t lock;
    TAILQ_HEAD(, arena_block) blocks;
    /* Bytes of all blocks. */
    size_t used, max;
};

void arena_init(struct arena *arena, size_t max_bytes);
void arena_finish(struct arena *arena);

/* Aligned for any type. NULL when the maximum is passed or memory is short. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* A terminated copy. NULL for the same reasons. */
char *arena_text(struct arena *arena, const char *text, size_t bytes);

#endif
