/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bytes of a delivery's body, held by several (a run for each plugin) and changed by none: a
 * body of 25 MiB is in memory once. Any thread takes and gives back references. */
#ifndef SNEK_BASE_PAYLOAD_H
#define SNEK_BASE_PAYLOAD_H

#include "base/buffer.h"

#include <stdatomic.h>

struct payload {
    atomic_uint refs;
    char *data; /* followed by a NUL that `bytes` does not count */
    size_t bytes;
    char *memory; /* with the payload; NULL when the bytes are part of it */
};

/* Room for so many bytes, for the caller to fill before others see it. NULL when memory is short.
 */
struct payload *payload_new(size_t bytes);

/* Takes the memory of `buffer`, which is empty then; `data` is a part of it that a NUL follows.
 * NULL when memory is short: the buffer keeps it. */
struct payload *payload_take(struct buffer *buffer, const char *data, size_t bytes);

struct payload *payload_ref(struct payload *payload);
struct payload *payload_unref(struct payload *payload); /* takes NULL, returns NULL */

#endif
