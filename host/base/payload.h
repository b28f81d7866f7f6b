/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bytes of a delivery's body, which several runs share and none changes, so that a body of
 * 25 MiB is in memory once. Any thread takes and returns references. */
#ifndef SNEK_BASE_PAYLOAD_H
#define SNEK_BASE_PAYLOAD_H

#include "base/buffer.h"

#include <stdatomic.h>

struct payload {
    atomic_uint refs;
    /* Followed by a NUL that `bytes` does not count. */
    char *data;
    size_t bytes;
    /* With the payload; NULL when the bytes are part of it. */
    char *memory;
};

/* Makes room for `bytes` bytes. The caller fills them before it shares the payload. Returns NULL
 * when memory is short. */
struct payload *payload_new(size_t bytes);

/* Takes over the memory of `buffer`, which is empty then. `data` is a part of it that a NUL
 * follows. Returns NULL when memory is short; the buffer then keeps its memory. */
struct payload *payload_take(struct buffer *buffer, const char *data, size_t bytes);

struct payload *payload_ref(struct payload *payload);
/* Returns NULL. The argument may be NULL. */
struct payload *payload_unref(struct payload *payload);

#endif
