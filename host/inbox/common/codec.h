/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compresses bodies for the store. The disk's bandwidth limits ingest, and GitHub's bodies repeat
 * many URLs. The thread that submits the operation does this, so the writer's thread does not. LZ4
 * has a dictionary (common/dictionary.txt): the objects that most bodies contain, with GitHub's
 * keys and URLs. Measured on 136 bodies of 8 to 25 kB: LZ4 alone reduces a body from 13,571 bytes
 * to 2,860 in 10.8 us, and with the dictionary to 1,833 in 12.1 us. zstd at level 1 reduced it to
 * a seventh in 17 us. A released dictionary never changes: stored bodies need it. Another one would
 * be another codec. */
#ifndef SNEK_INBOX_CODEC_H
#define SNEK_INBOX_CODEC_H

#include "base/error.h"
#include "base/payload.h"

#include <stddef.h>
#include <stdint.h>

/* The column body_codec has these numbers. */
enum codec {
    CODEC_RAW = 0,
    /* With the dictionary. A body that was compressed without it can be restored too. */
    CODEC_LZ4 = 1,
    /* Never stored: the store has no body, or cannot read it. */
    CODEC_LOST = -1,
};

/* Returns the compressed body, which the caller frees. NULL when the body would hardly shrink or
 * memory is short: then the store keeps it uncompressed. */
char *codec_pack(const char *body, size_t bytes, size_t *packed_bytes);

/* Restores a body of `body_bytes` from `stored`. 0 and a new reference (to `stored` itself when it
 * is not compressed). CODEC_DAMAGED and `err`; or -1 and `err` when memory is short. */
enum codec_outcome { CODEC_DAMAGED = 1 };
int codec_unpack(int64_t codec, struct payload *stored, size_t body_bytes, struct payload **body,
                 struct error *err);

#endif
