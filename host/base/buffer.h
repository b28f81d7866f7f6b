/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A growing byte buffer with a mandatory maximum. A NUL follows the bytes, so that text can be used
 * as a C string; `bytes` does not count it. Not for several threads at once. */
#ifndef SNEK_BASE_BUFFER_H
#define SNEK_BASE_BUFFER_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    /* Ours; NULL until the first byte or reservation. */
    char *data;
    /* In use, without the NUL. */
    size_t bytes;
    /* Allocated, with the NUL. */
    size_t capacity;
    /* Appending more than this fails. */
    size_t max;
};

#define BUFFER_INIT(max_bytes)                                                                     \
    { .max = (max_bytes) }

/* Each returns 0, or -1 when the maximum would be exceeded or memory is short. The content is then
 * unchanged. */
/* One exact allocation. */
int buffer_reserve(struct buffer *buffer, size_t total_bytes);
int buffer_append(struct buffer *buffer, const void *data, size_t bytes);
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `text` for a URL: letters, digits, "-", ".", "_", "~" and the characters of `plain` stay, and
 * others become %XX (RFC 3986, section 2.3). */
int buffer_append_encoded(struct buffer *buffer, const char *text, const char *plain);
/* `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
int buffer_append_json_string(struct buffer *buffer, const char *text, size_t bytes);

/* Returns the content as a NUL-terminated string, which the caller frees, and leaves the buffer
 * empty. An empty buffer gives an empty string. Returns NULL when memory is short. */
char *buffer_steal(struct buffer *buffer);

/* Frees the content. The buffer may be empty, and may be used again. */
void buffer_finish(struct buffer *buffer);

#define AUTO_BUFFER CLEANUP(buffer_finish)

/* Likewise, and overwrites the content first, because it held a secret. */
void buffer_wipe(struct buffer *buffer);

#define AUTO_WIPED_BUFFER CLEANUP(buffer_wipe)

#endif
