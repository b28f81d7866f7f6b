/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A bounded arena as cmark-gfm's allocator. A failure leaves cmark-gfm by longjmp(). */
#include "worker/markdown_arena.h"

#include <cmark-gfm.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
/* The time is read every 64 steps, because reading it is a system call. */
#define STEPS_PER_CHECK 64

struct chunk {
    struct chunk *next;
    size_t bytes, used;
    max_align_t data[];
};

/* Stands before each allocation, so that realloc() knows how much to copy. */
union block {
    size_t bytes;
    max_align_t aligned;
};

static struct {
    /* The first is the one in use. */
    struct chunk *chunks;
    size_t bytes_left;
    /* In processor time of the thread. */
    struct timespec deadline;
    unsigned steps;
    jmp_buf out;
} arena;

static _Noreturn void leave(enum markdown_arena_result why) {
    longjmp(arena.out, why);
}

void markdown_arena_step(void) {
    struct timespec now;
    if (++arena.steps % STEPS_PER_CHECK != 0 || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) {
        return;
    }
    if (now.tv_sec > arena.deadline.tv_sec ||
        (now.tv_sec == arena.deadline.tv_sec && now.tv_nsec > arena.deadline.tv_nsec)) {
        leave(MARKDOWN_ARENA_OVER_BUDGET);
    }
}

static void add_chunk(size_t bytes) {
    size_t data_bytes = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    if (data_bytes > arena.bytes_left) {
        leave(MARKDOWN_ARENA_OVER_BUDGET);
    }
    struct chunk *chunk = calloc(1, sizeof *chunk + data_bytes);
    if (!chunk) {
        leave(MARKDOWN_ARENA_NO_MEMORY);
    }
    chunk->bytes = data_bytes;
    chunk->next = arena.chunks;
    arena.chunks = chunk;
    arena.bytes_left -= data_bytes;
}

/* Zeroed: chunks are zeroed, and each byte of them is handed out once. */
static void *arena_calloc(size_t count, size_t item_bytes) {
    markdown_arena_step();
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes) ||
        bytes > arena.bytes_left + CHUNK_BYTES) {
        leave(MARKDOWN_ARENA_OVER_BUDGET);
    }
    size_t whole = (sizeof(union block) + bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) *
                   sizeof(max_align_t);
    if (!arena.chunks || arena.chunks->bytes - arena.chunks->used < whole) {
        add_chunk(whole);
    }
    union block *block = (union block *)((char *)arena.chunks->data + arena.chunks->used);
    arena.chunks->used += whole;
    block->bytes = bytes;
    return block + 1;
}

static void *arena_realloc(void *old, size_t bytes) {
    const union block *block = old ? (const union block *)old - 1 : NULL;
    if (block && block->bytes >= bytes) {
        return old;
    }
    void *fresh = arena_calloc(1, bytes);
    if (block) {
        memcpy(fresh, old, block->bytes);
    }
    return fresh;
}

static void arena_free(void *memory) {
    /* markdown_arena_run() frees everything at its end. */
    (void)memory;
}

struct cmark_mem *markdown_arena_memory(void) {
    static struct cmark_mem memory = {arena_calloc, arena_realloc, arena_free};
    return &memory;
}

enum markdown_arena_result markdown_arena_run(void (*work)(void *context), void *context,
                                              size_t max_bytes, long max_cpu_ms) {
    arena.bytes_left = max_bytes;
    arena.steps = 0;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &arena.deadline);
    arena.deadline.tv_nsec += max_cpu_ms % 1000 * 1000000;
    arena.deadline.tv_sec += max_cpu_ms / 1000 + arena.deadline.tv_nsec / 1000000000;
    arena.deadline.tv_nsec %= 1000000000;
    enum markdown_arena_result result = MARKDOWN_ARENA_DONE;
    switch (setjmp(arena.out)) {
    case 0:
        work(context);
        break;
    case MARKDOWN_ARENA_NO_MEMORY:
        result = MARKDOWN_ARENA_NO_MEMORY;
        break;
    default:
        result = MARKDOWN_ARENA_OVER_BUDGET;
        break;
    }
    while (arena.chunks) {
        struct chunk *next = arena.chunks->next;
        free(arena.chunks);
        arena.chunks = next;
    }
    return result;
}
