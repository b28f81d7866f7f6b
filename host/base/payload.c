/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/payload.h"

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
        return payload_new(0); /* `buffer` may never have had memory */
    }
    struct payload *payload = malloc(sizeof *payload);
    if (payload) {
        char *at = buffer->data + (data - buffer->data);
        *payload =
            (struct payload){.refs = 1, .data = at, .bytes = bytes, .memory = buffer_steal(buffer)};
    }
    return payload;
}

struct payload *payload_ref(struct payload *payload) {
    (void)atomic_fetch_add(&payload->refs, 1);
    return payload;
}

struct payload *payload_unref(struct payload *payload) {
    if (payload && atomic_fetch_sub(&payload->refs, 1) == 1) {
        free(payload->memory);
        free(payload);
    }
    return NULL;
}
