/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The memory of cmark-gfm: one arena, bounded in bytes and in processor time. cmark-gfm calls
 * abort() when its allocator fails, so this allocator leaves the library by longjmp() instead. It
 * leaks nothing, because all memory of the library is in the arena.
 *
 * The arena is global, because cmark-gfm's allocator has no context. The caller must hold a lock
 * around markdown_arena_run(). */
#ifndef SNEK_WORKER_MARKDOWN_ARENA_H
#define SNEK_WORKER_MARKDOWN_ARENA_H

#include <stddef.h>

struct cmark_mem;

enum markdown_arena_result {
    MARKDOWN_ARENA_NO_MEMORY = -1,
    MARKDOWN_ARENA_DONE = 0,
    /* It took more memory or time than allowed. */
    MARKDOWN_ARENA_OVER_BUDGET = 1,
};

/* Calls `work(context)`, in which cmark-gfm uses markdown_arena_memory(), then frees that memory.
 * Unless the result is DONE, `work` was left within a call to cmark-gfm or to
 * markdown_arena_step(): so `context` must own everything else that `work` allocates. */
enum markdown_arena_result markdown_arena_run(void (*work)(void *context), void *context,
                                              size_t max_bytes, long max_cpu_ms);

struct cmark_mem *markdown_arena_memory(void);

/* Checks the time. Every allocation does so too. */
void markdown_arena_step(void);

#endif
