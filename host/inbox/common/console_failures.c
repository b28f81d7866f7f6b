/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Groups failed runs by their reason. */
#include "inbox/common/console_parts.h"

#include <ctype.h>
#include <string.h>

/* Hexadecimal digits of an id. */
#define ID_LEAST 8
/* Digits of a number that is an id wherever it stands. */
#define NUMBER_LEAST 4

static bool is_id_part(char c) {
    return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
           c == '-';
}

/* The length of the id at `at`, which begins a word; 0: it is none. */
static size_t id_length(const char *at) {
    size_t length = 0;
    bool digit = false;
    while (is_id_part(at[length])) {
        digit = digit || isdigit((unsigned char)at[length]);
        length++;
    }
    while (length > 0 && at[length - 1] == '-') {
        length--;
    }
    bool ends = !isalnum((unsigned char)at[length]) && at[length] != '_';
    return digit && ends && length >= ID_LEAST && at[0] != '-' ? length : 0;
}

/* The length of the number at `at`, which follows `before`; 0: it stays. */
static size_t number_length(const char *at, char before) {
    size_t length = 0;
    while (isdigit((unsigned char)at[length])) {
        length++;
    }
    bool path = (before == '#' || before == '/') && !isalpha((unsigned char)at[length]);
    return path || length >= NUMBER_LEAST ? length : 0;
}

void inbox_failure_reason(char *reason) {
    const char *from = reason;
    char *to = reason, before = '\0';
    while (*from) {
        bool word = !isalnum((unsigned char)before) && before != '_';
        size_t length = word ? id_length(from) : 0;
        if (length == 0 && !isdigit((unsigned char)before)) {
            length = number_length(from, before);
        }
        if (length == 0) {
            before = *from;
            *to++ = *from++;
            continue;
        }
        before = from[length - 1];
        from += length;
        /* "#12" becomes "#". */
        if (to == reason || to[-1] != '#') {
            *to++ = '#';
        }
    }
    *to = '\0';
}
