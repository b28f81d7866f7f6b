/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads a log file as it grows, and the fields of its lines. */
#include "scenario/lines.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

int lines_open(struct lines *lines, const char *path) {
    *lines = (struct lines){.fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600),
                            .text = BUFFER_INIT(LINES_MAX)};
    return lines->fd < 0 ? -1 : 0;
}

void lines_finish(struct lines *lines) {
    cleanup_close(&lines->fd);
    buffer_finish(&lines->text);
    lines->fd = -1;
}

void lines_read(struct lines *lines) {
    char some[16384];
    ssize_t got;
    while ((got = read(lines->fd, some, sizeof some)) > 0 &&
           buffer_append(&lines->text, some, (size_t)got) == 0) {}
}

const char *lines_next(const struct lines *lines, size_t *at, size_t *bytes) {
    if (*at >= lines->text.bytes) {
        return NULL;
    }
    const char *line = lines->text.data + *at;
    const char *end = memchr(line, '\n', lines->text.bytes - *at);
    if (!end) {
        return NULL;
    }
    *bytes = (size_t)(end - line);
    *at += *bytes + 1;
    return line;
}

/* A quoted value is a JSON string. */
static void unquote(const char *value, size_t bytes, char out[FIELD_MAX]) {
    json_t *text = json_loadb(value, bytes, JSON_DECODE_ANY, NULL);
    if (json_is_string(text)) {
        snprintf(out, FIELD_MAX, "%s", json_string_value(text));
    } else {
        snprintf(out, FIELD_MAX, "%.*s", (int)bytes, value);
    }
    json_decref(text);
}

bool line_field(const char *line, size_t bytes, const char *name, char out[FIELD_MAX]) {
    const char *at = line, *end = line + bytes;
    size_t name_bytes = strlen(name);
    while (at < end) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (!equals) {
            return false;
        }
        const char *value = equals + 1, *stop = value;
        if (stop < end && *stop == '"') {
            for (stop++; stop < end && *stop != '"'; stop++) {
                stop += *stop == '\\' && stop + 1 < end;
            }
            stop += stop < end;
        } else {
            while (stop < end && *stop != ' ') {
                stop++;
            }
        }
        if ((size_t)(equals - at) == name_bytes && memcmp(at, name, name_bytes) == 0) {
            unquote(value, (size_t)(stop - value), out);
            return true;
        }
        at = stop + (stop < end);
    }
    return false;
}

bool line_is(const char *line, size_t bytes, const char *name, const char *value) {
    char found[FIELD_MAX];
    return line_field(line, bytes, name, found) && strcmp(found, value) == 0;
}
