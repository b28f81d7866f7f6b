/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* FNV-1a of 64 bits: a fast hash for tables and filters. An attacker can find collisions. */
#ifndef SNEK_BASE_HASH_H
#define SNEK_BASE_HASH_H

#include <stdint.h>

/* The hash of nothing, to begin with. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_byte(uint64_t hash, uint8_t byte) {
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* Adds the text and its terminator, so that ("ab", "c") differs from ("a", "bc"). */
static inline uint64_t hash_text(uint64_t hash, const char *text) {
    do {
        hash = hash_byte(hash, (uint8_t)*text);
    } while (*text++);
    return hash;
}

#endif
