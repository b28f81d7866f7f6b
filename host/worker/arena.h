/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory that is freed all at once: what a handler is handed lives until its run (or the response
 * that it came from) ends. Bounded, so that a loop in a plugin meets an error and not the end of
 * the process. From any thread. */
#ifndef SNEK_WORKER_ARENA_H
#define SNEK_WORKER_ARENA_H

#include <pthread.h>
#include <stddef.h>

struct arena_block;

struct arena {
    pthread_mutex_t lock;
    struct arena_block *blocks;
    size_t used, max; /* bytes, over all blocks */
};

void arena_init(struct arena *arena, size_t max_bytes);
void arena_finish(struct arena *arena);

/* Aligned for anything; NULL when the maximum is passed or memory is short. */
void *arena_alloc(struct arena *arena, size_t bytes);
char *arena_text(struct arena *arena, const char *text, size_t bytes); /* a copy, terminated */

#endif
