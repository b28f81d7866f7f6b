/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "worker/text.h"

#include "base/utf8.h"

#include <string.h>

void text_clean(char *out, size_t room, const char *text, size_t bytes) {
    size_t written = 0;
    for (size_t at = 0; at < bytes;) {
        size_t length = utf8_sequence(text + at, bytes - at);
        size_t taken = length > 0 ? length : 1;
        if (written + taken >= room) {
            break;
        }
        memcpy(out + written, length > 0 && text[at] ? text + at : "?", taken);
        written += taken;
        at += taken;
    }
    out[written] = '\0';
}

bool text_is_utf8(const char *text, size_t bytes) {
    size_t length = 1;
    for (size_t at = 0; at < bytes && length > 0; at += length) {
        length = utf8_sequence(text + at, bytes - at);
    }
    return length > 0;
}

bool text_is_line(const char *text, size_t max) {
    size_t bytes = text ? strnlen(text, max + 1) : 0;
    if (bytes == 0 || bytes > max || !text_is_utf8(text, bytes)) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F) {
            return false;
        }
    }
    return true;
}

size_t text_space(const char *text) {
    static const char *const wide[] = {
        "\xC2\x85", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
        "\u2004",   "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
        "\u2028",   "\u2029", "\u202F", "\u205F", "\u3000",
    };
    if (*text && strchr(" \t\n\v\f\r\x1c\x1d\x1e\x1f", *text)) {
        return 1;
    }
    for (size_t i = 0; (unsigned char)*text >= 0x80 && i < sizeof wide / sizeof *wide; i++) {
        size_t bytes = strlen(wide[i]);
        if (strncmp(text, wide[i], bytes) == 0) {
            return bytes;
        }
    }
    return 0;
}
