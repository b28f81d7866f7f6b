/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parses `<URL>; name=value; name="value", <URL>; ...` from front to back. Commas and semicolons
 * may be within a URL or a quoted value. */
#include "base/link.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *cursor) {
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t')) {
        cursor->at++;
    }
}

/* Skips white space, then takes the character if it is next. */
static bool take(struct cursor *cursor, char c) {
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != c) {
        return false;
    }
    cursor->at++;
    return true;
}

/* Takes everything before the first of the characters, or before the end. */
static const char *take_before(struct cursor *cursor, const char *stops, size_t *bytes) {
    const char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at && !strchr(stops, *cursor->at)) {
        cursor->at++;
    }
    *bytes = (size_t)(cursor->at - start);
    return start;
}

/* Is "next" one of the relations, which white space separates? */
static bool has_next(const char *value, size_t bytes) {
    struct cursor cursor = {value, value + bytes};
    while (cursor.at < cursor.end) {
        size_t word_bytes;
        skip_space(&cursor);
        const char *word = take_before(&cursor, " \t", &word_bytes);
        if (word_bytes == 4 && strncasecmp(word, "next", 4) == 0) {
            return true;
        }
        if (word_bytes == 0) {
            break;
        }
    }
    return false;
}

/* Takes the parameters of one link. False when they are malformed. */
static bool take_parameters(struct cursor *cursor, bool *is_next) {
    bool has_relation = false;
    while (take(cursor, ';')) {
        size_t name_bytes, bytes = 0;
        const char *value = "";
        skip_space(cursor);
        const char *name = take_before(cursor, " \t=;,", &name_bytes);
        if (take(cursor, '=')) {
            bool quoted = take(cursor, '"');
            value = take_before(cursor, quoted ? "\"" : " \t;,", &bytes);
            if (quoted && !take(cursor, '"')) {
                return false;
            }
        }
        /* By the RFC, the first relation of a link counts. */
        if (name_bytes == 3 && strncasecmp(name, "rel", 3) == 0 && !has_relation) {
            has_relation = true;
            *is_next = has_next(value, bytes);
        }
    }
    return true;
}

const char *link_next(const char *header, size_t bytes, size_t *url_bytes) {
    struct cursor cursor = {header, bytes > 0 ? header + bytes : header};
    do {
        bool is_next = false;
        size_t found_bytes;
        if (!take(&cursor, '<')) {
            return NULL;
        }
        const char *url = take_before(&cursor, ">", &found_bytes);
        if (!take(&cursor, '>') || !take_parameters(&cursor, &is_next)) {
            return NULL;
        }
        if (is_next) {
            *url_bytes = found_bytes;
            return url;
        }
    } while (take(&cursor, ','));
    return NULL;
}
