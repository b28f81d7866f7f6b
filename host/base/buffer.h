/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A growing byte buffer with a mandatory maximum. The bytes are followed by a NUL that `bytes`
 * does not count, so that text may be passed on as a C string. Not for several threads at once. */
#ifndef SNEK_BASE_BUFFER_H
#define SNEK_BASE_BUFFER_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;      /* ours; NULL while empty and never reserved */
    size_t bytes;    /* in use, without the NUL */
    size_t capacity; /* allocated, with the NUL */
    size_t max;      /* more than this is rejected */
};

#define BUFFER_INIT(max_bytes)                                                                     \
    { .max = (max_bytes) }

/* All return 0, or -1 when the maximum would be passed or memory is short; the content is then
 * unchanged. */
int buffer_reserve(struct buffer *buffer, size_t total_bytes); /* one exact allocation */
int buffer_append(struct buffer *buffer, const void *data, size_t bytes);
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
int buffer_append_json_string(struct buffer *buffer, const char *text, size_t bytes);

/* The content as a NUL-terminated string that is the caller's to free(); the buffer is empty after
 * it. An empty buffer gives an empty string. NULL when memory is short. */
char *buffer_steal(struct buffer *buffer);

/* Frees; takes an empty one. The buffer may be used again. */
void buffer_finish(struct buffer *buffer);

#define AUTO_BUFFER CLEANUP(buffer_finish)

#endif
