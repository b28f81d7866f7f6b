/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decodes forms. */
#include "ingest/form.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)tolower((unsigned char)digit);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* 0, or -1. `out` has room for `room` bytes and a NUL. */
static int decode(const char *text, size_t bytes, char *out, size_t room) {
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        int byte = text[i] == '+' ? ' ' : (unsigned char)text[i];
        if (text[i] == '%') {
            int high = i + 2 < bytes ? hex(text[i + 1]) : -1;
            int low = i + 2 < bytes ? hex(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return -1;
            }
            byte = high * 16 + low;
            i += 2;
        }
        if (used == room || byte < ' ' || byte == 0x7F) {
            return -1;
        }
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return text_is_utf8(out, used) ? 0 : -1;
}

static struct http_field *find(struct http_field *fields, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int read_pair(const char *pair, size_t bytes, struct http_field *fields, size_t count) {
    char name[32];
    const char *equals = memchr(pair, '=', bytes);
    if (!equals || decode(pair, (size_t)(equals - pair), name, sizeof name - 1) < 0) {
        return -1;
    }
    struct http_field *field = find(fields, count, name);
    if (!field || field->given) {
        return -1;
    }
    field->given = true;
    return decode(equals + 1, bytes - (size_t)(equals + 1 - pair), field->value, HTTP_VALUE_MAX);
}

int http_form_read(const char *body, size_t bytes, struct http_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fields[i].value[0] = '\0';
        fields[i].given = false;
    }
    while (bytes > 0) {
        const char *end = memchr(body, '&', bytes);
        size_t pair_bytes = end ? (size_t)(end - body) : bytes;
        if (read_pair(body, pair_bytes, fields, count) < 0) {
            return -1;
        }
        size_t step = end ? pair_bytes + 1 : pair_bytes;
        body += step;
        bytes -= step;
    }
    return 0;
}

const char *http_form_value(const struct http_field *fields, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].value;
        }
    }
    return "";
}

bool http_is_form(struct http_request *request) {
    static const char form[] = "application/x-www-form-urlencoded";
    size_t bytes = 0;
    const char *type = http_header(request, "Content-Type", &bytes);
    bool fits = type && bytes >= sizeof form - 1 && strncasecmp(type, form, sizeof form - 1) == 0;
    return fits && (bytes == sizeof form - 1 || type[sizeof form - 1] == ';' ||
                    type[sizeof form - 1] == ' ');
}

bool http_is_from_elsewhere(struct http_request *request) {
    size_t bytes = 0;
    const char *site = http_header(request, "Sec-Fetch-Site", &bytes);
    return site && !(bytes == strlen("same-origin") && memcmp(site, "same-origin", bytes) == 0);
}
