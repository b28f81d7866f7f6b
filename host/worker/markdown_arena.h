/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The memory that cmark-gfm works in: one arena, bounded in bytes and in the processor time spent
 * since it was opened. cmark-gfm calls abort() when its allocator fails, so this one jumps out
 * instead; as all that the library has is in the arena, nothing is lost by that.
 *
 * There is one arena, since cmark's allocator has no context: the caller holds a lock of its own
 * from markdown_arena_run() on. */
#ifndef SNEK_WORKER_MARKDOWN_ARENA_H
#define SNEK_WORKER_MARKDOWN_ARENA_H

#include <stddef.h>

struct cmark_mem;

enum markdown_arena_result {
    MARKDOWN_ARENA_NO_MEMORY = -1,
    MARKDOWN_ARENA_DONE = 0,
    MARKDOWN_ARENA_OVER_BUDGET = 1, /* more memory or time than it may have */
};

/* Calls `work(context)`, in which cmark-gfm uses markdown_arena_memory(), and frees all of that
 * memory. Unless the result is DONE, `work` was left in the middle of a call to cmark-gfm or to
 * markdown_arena_step(): what it owns besides must hang on `context`. */
enum markdown_arena_result markdown_arena_run(void (*work)(void *context), void *context,
                                              size_t max_bytes, long max_cpu_ms);

struct cmark_mem *markdown_arena_memory(void);

/* A point at which the time may be looked at; every allocation is one. */
void markdown_arena_step(void);

#endif
