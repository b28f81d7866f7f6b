/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides which characters of a stranger's text are unsafe, and replaces them. */
#include "base/text.h"

#include "base/utf8.h"

#include <assert.h>
#include <string.h>

#define ELLIPSIS "..."
#define ELLIPSIS_BYTES (sizeof ELLIPSIS - 1)
#define REPLACEMENT_CHARACTER 0xFFFD

static bool is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

/* Separators of lines and paragraphs, embeddings and overrides of direction, and isolates. */
static bool steers_layout(uint32_t code) {
    return (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

uint32_t text_unsafe(const char *text, size_t bytes) {
    assert(bytes > 0);
    size_t length = utf8_sequence(text, bytes);
    if (length == 0 || *text == '\0') {
        return REPLACEMENT_CHARACTER;
    }
    uint32_t code = utf8_decode(text, length);
    return is_control(code) || steers_layout(code) ? code : 0;
}

/* The safe form of the character at `text`: itself, a space or '?'. */
static const char *safe_form(const char *text, size_t bytes, size_t *form_bytes) {
    uint32_t unsafe = text_unsafe(text, bytes);
    if (unsafe == 0) {
        *form_bytes = utf8_sequence(text, bytes);
        return text;
    }
    *form_bytes = 1;
    return unsafe == '\t' || unsafe == '\n' || unsafe == '\r' ? " " : "?";
}

void text_clean(char *out, size_t room, const char *text, size_t bytes) {
    assert(room > ELLIPSIS_BYTES);
    size_t used = 0;
    /* The last place after which the ellipsis fits. */
    size_t cut = 0;
    for (size_t at = 0; at < bytes;) {
        size_t form_bytes;
        const char *form = safe_form(text + at, bytes - at, &form_bytes);
        if (used + form_bytes >= room) {
            memcpy(out + cut, ELLIPSIS, ELLIPSIS_BYTES);
            used = cut + ELLIPSIS_BYTES;
            break;
        }
        memmove(out + used, form, form_bytes);
        used += form_bytes;
        if (used + ELLIPSIS_BYTES < room) {
            cut = used;
        }
        at += utf8_step(text + at, bytes - at);
    }
    assert(used < room);
    out[used] = '\0';
}

void text_clean_in_place(char *text) {
    size_t bytes = strlen(text), used = 0;
    for (size_t at = 0; at < bytes;) {
        size_t step = utf8_step(text + at, bytes - at), form_bytes;
        const char *form = safe_form(text + at, bytes - at, &form_bytes);
        assert(form_bytes <= step);
        memmove(text + used, form, form_bytes);
        used += form_bytes;
        at += step;
    }
    text[used] = '\0';
}

void text_repair(char *out, size_t room, const char *text, size_t bytes) {
    assert(room > 0);
    size_t used = 0;
    for (size_t at = 0; at < bytes;) {
        size_t step = utf8_step(text + at, bytes - at);
        if (used + step >= room) {
            break;
        }
        bool kept = utf8_sequence(text + at, bytes - at) > 0 && text[at] != '\0';
        memcpy(out + used, kept ? text + at : "?", step);
        used += step;
        at += step;
    }
    out[used] = '\0';
}

bool text_is_utf8(const char *text, size_t bytes) {
    size_t length = 1;
    for (size_t at = 0; at < bytes && length > 0; at += length) {
        length = utf8_sequence(text + at, bytes - at);
    }
    return length > 0;
}

const char *text_or_null(const char *text) {
    return *text ? text : NULL;
}

bool text_is_line(const char *text, size_t max) {
    size_t bytes = text ? strnlen(text, max + 1) : 0;
    bool safe = bytes > 0 && bytes <= max;
    for (size_t at = 0; safe && at < bytes; at += utf8_step(text + at, bytes - at)) {
        safe = text_unsafe(text + at, bytes - at) == 0;
    }
    return safe;
}

void text_to_lower(char *text) {
    for (char *letter = text; *letter; letter++) {
        if (*letter >= 'A' && *letter <= 'Z') {
            *letter = (char)(*letter + ('a' - 'A'));
        }
    }
}
