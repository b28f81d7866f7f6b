/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Grows a buffer by doubling, never past its maximum. */
#include "base/buffer.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int grow_to(struct buffer *buffer, size_t capacity) {
    assert(capacity > buffer->bytes);
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        return -1;
    }
    if (!buffer->data) {
        data[0] = '\0';
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int buffer_reserve(struct buffer *buffer, size_t total_bytes) {
    if (total_bytes > buffer->max || total_bytes == SIZE_MAX) {
        return -1;
    }
    return total_bytes + 1 <= buffer->capacity ? 0 : grow_to(buffer, total_bytes + 1);
}

int buffer_append(struct buffer *buffer, const void *data, size_t bytes) {
    if (bytes > buffer->max || buffer->bytes > buffer->max - bytes) {
        return -1;
    }
    size_t needed = buffer->bytes + bytes + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        if (capacity > buffer->max + 1) {
            capacity = buffer->max + 1;
        }
        if (grow_to(buffer, capacity) < 0) {
            return -1;
        }
    }
    if (bytes > 0) {
        memcpy(buffer->data + buffer->bytes, data, bytes);
    }
    buffer->bytes += bytes;
    assert(buffer->bytes <= buffer->max && buffer->bytes < buffer->capacity);
    buffer->data[buffer->bytes] = '\0';
    return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text) {
    return buffer_append(buffer, text, strlen(text));
}

int buffer_printf(struct buffer *buffer, const char *format, ...) {
    /* Most texts fit, and need no memory of their own. */
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    int result = -1;
    if (length >= 0 && (size_t)length < sizeof small) {
        result = buffer_append(buffer, small, (size_t)length);
    } else if (length >= 0) {
        AUTO_FREE char *text = NULL;
        length = vasprintf(&text, format, again);
        if (length >= 0) {
            result = buffer_append(buffer, text, (size_t)length);
        } else {
            text = NULL;
        }
    }
    va_end(again);
    return result;
}

int buffer_append_encoded(struct buffer *buffer, const char *text, const char *plain) {
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    int result = 0;
    for (; *text && result == 0; text++) {
        bool stays = strchr(unreserved, *text) || strchr(plain, *text);
        result = stays ? buffer_append(buffer, text, 1)
                       : buffer_printf(buffer, "%%%02X", (unsigned char)*text);
    }
    return result;
}

int buffer_append_json_string(struct buffer *buffer, const char *text, size_t bytes) {
    static const char hex[] = "0123456789abcdef";
    size_t before = buffer->bytes;
    int result = buffer_append(buffer, "\"", 1);
    for (size_t at = 0; at < bytes && result == 0;) {
        unsigned char c = (unsigned char)text[at];
        size_t length = utf8_sequence(text + at, bytes - at);
        if (length == 0) {
            result = buffer_append_text(buffer, "\xEF\xBF\xBD");
            length = 1;
        } else if (c == '"' || c == '\\') {
            result = buffer_append(buffer, (char[]){'\\', (char)c}, 2);
        } else if (c < 0x20 || c == 0x7F) {
            char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            result = buffer_append(buffer, escape, sizeof escape);
        } else {
            result = buffer_append(buffer, text + at, length);
        }
        at += length;
    }
    if (result == 0) {
        result = buffer_append(buffer, "\"", 1);
    }
    if (result < 0 && buffer->data) {
        buffer->bytes = before;
        buffer->data[before] = '\0';
    }
    return result;
}

char *buffer_steal(struct buffer *buffer) {
    if (!buffer->data && grow_to(buffer, 1) < 0) {
        return NULL;
    }
    char *data = buffer->data;
    *buffer = (struct buffer)BUFFER_INIT(buffer->max);
    return data;
}

void buffer_finish(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer)BUFFER_INIT(buffer->max);
}

void buffer_wipe(struct buffer *buffer) {
    if (buffer->data) {
        explicit_bzero(buffer->data, buffer->capacity);
    }
    buffer_finish(buffer);
}
