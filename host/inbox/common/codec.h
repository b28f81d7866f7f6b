/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How bodies lie in the store. GitHub's are full of URLs that repeat, and it is the disk's
 * bandwidth that bounds ingest: LZ4 makes them a fifth in 7 us each, on the thread of who submits,
 * beside the writer's. (Measured beside it on 136 examples of 8 to 25 kB: zstd 1 a seventh in 17
 * us; with a dictionary, which would have to be kept as long as any body, LZ4 an eighth in 11 us,
 * zstd an eleventh in 26 us.) */
#ifndef SNEK_INBOX_CODEC_H
#define SNEK_INBOX_CODEC_H

#include "base/error.h"
#include "base/payload.h"

#include <stddef.h>
#include <stdint.h>

/* The number is stored: column body_codec. */
enum codec {
    CODEC_RAW = 0,
    CODEC_LZ4 = 1,
    /* Never stored: the store has no body, or cannot read it. */
    CODEC_LOST = -1,
};

/* The body in less bytes, the caller's to free(); NULL when it would hardly shrink, or memory is
 * short: then it stays raw. */
char *codec_pack(const char *body, size_t bytes, size_t *packed_bytes);

/* `stored` as it was once given, of `body_bytes`: 0 and a new reference, to `stored` itself when it
 * is raw. CODEC_DAMAGED, or -1 when memory is short, and `err`. */
enum codec_outcome { CODEC_DAMAGED = 1 };
int codec_unpack(int64_t codec, struct payload *stored, size_t body_bytes, struct payload **body,
                 struct error *err);

#endif
