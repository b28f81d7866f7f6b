/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef SNEK_BASE_UTF8_H
#define SNEK_BASE_UTF8_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* The length (1 to 4) of the sequence that starts at `text`, or 0 when it is not UTF-8. */
static inline size_t utf8_sequence(const char *text, size_t bytes) {
    const unsigned char *s = (const unsigned char *)text;
    if (bytes == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    size_t length = s[0] >= 0xE0 ? 3 : 2;
    if (s[0] >= 0xF0) {
        length = 4;
    }
    if (s[0] < 0xC2 || s[0] > 0xF4 || bytes < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) {
        return 0;
    }
    return length;
}

/* The bytes to go on by at `text`: those of its sequence, or 1 when it is not UTF-8. */
static inline size_t utf8_step(const char *text, size_t bytes) {
    size_t length = utf8_sequence(text, bytes);
    return length > 0 ? length : 1;
}

/* The code of the sequence of `length` bytes at `text`, as utf8_sequence() found it. */
static inline uint32_t utf8_decode(const char *text, size_t length) {
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const unsigned char *s = (const unsigned char *)text;
    assert(length >= 1 && length <= 4);
    uint32_t code = s[0] & first_bits[length];
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (s[i] & 0x3Fu);
    }
    return code;
}

/* Writes `code` (a valid scalar value) at `out`, which has room for 4; the bytes written. */
static inline size_t utf8_encode(uint32_t code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

#endif
