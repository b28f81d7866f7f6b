/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Packs and unpacks bodies with LZ4 and a dictionary of the objects that GitHub's bodies share. */
#include "inbox/common/codec.h"

#include <limits.h>
#include <lz4.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A smaller body would hardly shrink. */
#define BYTES_MIN 256
/* Most bodies need less, and shrink to a seventh. */
#define STACK_ROOM ((size_t)32 << 10)

static const char dictionary[] =
#include "dictionary.inc"
    ;
#define DICTIONARY_BYTES ((int)sizeof dictionary - 1)

/* A compressor that has read the dictionary. Each body starts with a copy, because reading the
 * dictionary takes longer than compressing a body. */
static LZ4_stream_t prepared;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) {
    LZ4_initStream(&prepared, sizeof prepared);
    LZ4_loadDict(&prepared, dictionary, DICTIONARY_BYTES);
}

/* The bytes written; 0: the result does not fit. */
static size_t compress(const char *body, size_t bytes, char *packed, size_t room) {
    pthread_once(&once, prepare);
    LZ4_stream_t stream = prepared;
    int count = LZ4_compress_fast_continue(&stream, body, packed, (int)bytes, (int)room, 1);
    return count > 0 ? (size_t)count : 0;
}

/* Many deliveries wait for a commit at once, so each keeps only the bytes of its result. */
static char *pack_small(const char *body, size_t bytes, size_t room, size_t *packed_bytes) {
    char result[STACK_ROOM];
    size_t count = compress(body, bytes, result, room);
    char *packed = count > 0 ? malloc(count) : NULL;
    if (packed) {
        memcpy(packed, result, count);
        *packed_bytes = count;
    }
    return packed;
}

static char *pack_large(const char *body, size_t bytes, size_t room, size_t *packed_bytes) {
    char *packed = malloc(room);
    size_t count = packed ? compress(body, bytes, packed, room) : 0;
    if (count == 0) {
        free(packed);
        return NULL;
    }
    *packed_bytes = count;
    return packed;
}

char *codec_pack(const char *body, size_t bytes, size_t *packed_bytes) {
    if (bytes < BYTES_MIN || bytes > LZ4_MAX_INPUT_SIZE) {
        return NULL;
    }
    /* LZ4 fails when the result does not fit into this size. */
    size_t room = bytes - bytes / 8;
    return room <= STACK_ROOM ? pack_small(body, bytes, room, packed_bytes)
                              : pack_large(body, bytes, room, packed_bytes);
}

static int damaged(int64_t codec, size_t stored_bytes, size_t body_bytes, struct error *err) {
    error_set(err,
              "its body is damaged in the store (codec %lld, %zu bytes of %zu): have GitHub "
              "redeliver it",
              (long long)codec, stored_bytes, body_bytes);
    return CODEC_DAMAGED;
}

int codec_unpack(int64_t codec, struct payload *stored, size_t body_bytes, struct payload **body,
                 struct error *err) {
    if (codec == CODEC_LOST) {
        error_set(err, "the store has lost its body, or cannot read it: have GitHub redeliver it");
        return CODEC_DAMAGED;
    }
    if (codec == CODEC_RAW && stored->bytes == body_bytes) {
        *body = payload_ref(stored);
        return 0;
    }
    if (codec != CODEC_LZ4 || stored->bytes > INT_MAX || body_bytes > LZ4_MAX_INPUT_SIZE) {
        return damaged(codec, stored->bytes, body_bytes, err);
    }
    struct payload *made = payload_new(body_bytes);
    if (!made) {
        return error_set(err, "unpacking its body: out of memory");
    }
    int count = LZ4_decompress_safe_usingDict(stored->data, made->data, (int)stored->bytes,
                                              (int)body_bytes, dictionary, DICTIONARY_BYTES);
    if (count < 0 || (size_t)count != body_bytes) {
        payload_unref(made);
        return damaged(codec, stored->bytes, body_bytes, err);
    }
    *body = made;
    return 0;
}
