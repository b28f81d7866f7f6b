/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Hashes names for the filters: FNV-1a, and the last step of MurmurHash3 to spread its bits. */
#include "inbox/common/name_filter.h"

#include "base/hash.h"

const uint8_t name_filter_open[NAME_FILTER_BYTES] = {[0 ... NAME_FILTER_BYTES - 1] = 0xFF};

static uint64_t spread(uint64_t hash) {
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

void name_filter_bits(enum name_kind kind, const char *text, int64_t number,
                      uint32_t bits[NAME_FILTER_HASHES]) {
    uint64_t hash = hash_byte(HASH_BEGIN, (uint8_t)kind);
    for (; *text; text++) {
        uint8_t byte = (uint8_t)*text;
        hash = hash_byte(hash, byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    }
    for (uint64_t rest = (uint64_t)number; rest > 0; rest >>= 8) {
        hash = hash_byte(hash, (uint8_t)(rest & 0xFF));
    }
    hash = spread(hash);
    for (int i = 0; i < NAME_FILTER_HASHES; i++) {
        bits[i] = (uint32_t)((hash >> (12 * i)) & 0xFFFF) % NAME_FILTER_BITS;
    }
}

void name_filter_add(uint8_t filter[NAME_FILTER_BYTES], enum name_kind kind, const char *text,
                     int64_t number) {
    uint32_t bits[NAME_FILTER_HASHES];
    name_filter_bits(kind, text, number, bits);
    for (int i = 0; i < NAME_FILTER_HASHES; i++) {
        filter[bits[i] / 8] |= (uint8_t)(1U << (bits[i] % 8));
    }
}
