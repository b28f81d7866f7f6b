/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts the references to a payload and frees it with the last one. */
#include "base/payload.h"

#include <assert.h>
#include <stdlib.h>

struct payload *payload_new(size_t bytes) {
    struct payload *payload = malloc(sizeof *payload + bytes + 1);
    if (payload) {
        *payload = (struct payload){.refs = 1, .data = (char *)(payload + 1), .bytes = bytes};
        payload->data[bytes] = '\0';
    }
    return payload;
}

struct payload *payload_take(struct buffer *buffer, const char *data, size_t bytes) {
    if (bytes == 0) {
        /* `buffer` may never have had memory. */
        return payload_new(0);
    }
    struct payload *payload = malloc(sizeof *payload);
    if (payload) {
        assert(data >= buffer->data && data + bytes <= buffer->data + buffer->bytes);
        char *at = buffer->data + (data - buffer->data);
        *payload =
            (struct payload){.refs = 1, .data = at, .bytes = bytes, .memory = buffer_steal(buffer)};
    }
    return payload;
}

struct payload *payload_ref(struct payload *payload) {
    unsigned before = atomic_fetch_add(&payload->refs, 1);
    /* A freed payload has none. */
    assert(before > 0);
    (void)before; /* with NDEBUG */
    return payload;
}

struct payload *payload_unref(struct payload *payload) {
    if (payload && atomic_fetch_sub(&payload->refs, 1) == 1) {
        free(payload->memory);
        free(payload);
    }
    return NULL;
}
