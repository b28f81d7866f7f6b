/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The characters at which Python's str.split() splits, as the original bot did. */
#include "worker/words.h"

#include <string.h>

size_t words_space(const char *text) {
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
