/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps lines in a list, and drops the oldest ones when they need too much memory. */
#include "base/log_memory.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct kept_line {
    TAILQ_ENTRY(kept_line) link;
    /* Wall clock. */
    int64_t at_ms;
    /* The delivery's GUID, then the line. */
    size_t guid_bytes, line_bytes;
    char text[];
};

static struct {
    atomic_bool started;
    /* Guards the members below. */
    pthread_mutex_t lock;
    TAILQ_HEAD(, kept_line) lines;
    size_t bytes;
    int64_t since_ms;
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t size_of(const struct kept_line *line) {
    return sizeof *line + line->guid_bytes + line->line_bytes;
}

static void drop_first(void) {
    struct kept_line *first = TAILQ_FIRST(&memory.lines);
    assert(first && memory.bytes >= size_of(first));
    TAILQ_REMOVE(&memory.lines, first, link);
    memory.bytes -= size_of(first);
    memory.since_ms = first->at_ms + 1;
    free(first);
}

void log_memory_start(void) {
    assert(!atomic_load(&memory.started));
    TAILQ_INIT(&memory.lines);
    memory.bytes = 0;
    memory.since_ms = clock_wall_ms();
    atomic_store(&memory.started, true);
}

void log_memory_finish(void) {
    if (!atomic_exchange(&memory.started, false)) {
        return;
    }
    while (!TAILQ_EMPTY(&memory.lines)) {
        drop_first();
    }
}

void log_memory_put(const char *line, size_t bytes, const char *delivery, size_t delivery_bytes) {
    if (!atomic_load_explicit(&memory.started, memory_order_relaxed) || delivery_bytes == 0) {
        return;
    }
    struct kept_line *kept = malloc(sizeof *kept + delivery_bytes + bytes);
    if (!kept) {
        return;
    }
    kept->at_ms = clock_wall_ms();
    kept->guid_bytes = delivery_bytes;
    kept->line_bytes = bytes;
    memcpy(kept->text, delivery, delivery_bytes);
    memcpy(kept->text + delivery_bytes, line, bytes);
    SCOPED_LOCK(&memory.lock);
    TAILQ_INSERT_TAIL(&memory.lines, kept, link);
    memory.bytes += size_of(kept);
    while (memory.bytes > LOG_MEMORY_BYTES) {
        drop_first();
    }
}

int log_memory_find(const char *delivery, struct buffer *lines, int64_t *since_ms) {
    size_t bytes = strlen(delivery);
    const struct kept_line *line;
    int result = 0;
    *since_ms = 0;
    if (!atomic_load(&memory.started)) {
        return 0;
    }
    SCOPED_LOCK(&memory.lock);
    *since_ms = memory.since_ms;
    TAILQ_FOREACH(line, &memory.lines, link) {
        if (line->guid_bytes == bytes && memcmp(line->text, delivery, bytes) == 0 && result == 0) {
            result = buffer_append(lines, line->text + bytes, line->line_bytes);
        }
    }
    return result;
}
