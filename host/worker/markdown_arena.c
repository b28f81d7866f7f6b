/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "worker/markdown_arena.h"

#include <cmark-gfm.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
#define STEPS_A_LOOK 64 /* reading a thread's processor time is a system call */

struct chunk {
    struct chunk *next;
    size_t bytes, used;
    max_align_t data[];
};

/* Before what is handed out: realloc() must know how much to copy. */
union block {
    size_t bytes;
    max_align_t aligned;
};

static struct {
    struct chunk *chunks; /* the one in use first */
    size_t bytes_left;
    struct timespec deadline; /* in the thread's processor time */
    unsigned steps;
    jmp_buf out;
} arena;

static _Noreturn void leave(enum markdown_arena_result why) {
    longjmp(arena.out, why);
}

void markdown_arena_step(void) {
    struct timespec now;
    if (++arena.steps % STEPS_A_LOOK != 0 || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) {
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

/* Zeroed, for chunks are and no byte of them is handed out twice. */
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
    (void)memory; /* all goes at once */
}

struct cmark_mem *markdown_arena_memory(void) {
    static struct cmark_mem memory = {arena_calloc, arena_realloc, arena_free};
    return &memory;
}

enum markdown_arena_result markdown_arena_run(void (*work)(void *context), void *context,
                                              size_t max_bytes, long max_cpu_ms) {
    arena.bytes_left = max_bytes;
    arena.steps = 0;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &arena.deadline);
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
