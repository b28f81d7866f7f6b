/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes and reads frames, with every length checked. */
#include "protocol/frames.h"

#include <assert.h>
#include <string.h>

const char *frame_level_name(enum frame_sandbox_level level) {
    static const char *const names[] = {"off", "partial", "full"};
    assert(level <= FRAME_LEVEL_FULL);
    return names[level];
}

void frame_begin(struct frame_writer *writer, struct buffer *buffer, enum frame_kind kind,
                 uint64_t run, uint64_t request) {
    *writer = (struct frame_writer){.buffer = buffer, .head_at = buffer->bytes};
    struct frame_head head = {.kind = kind, .run = run, .request = request};
    writer->failed = buffer_append(buffer, &head, sizeof head) < 0;
}

static void put(struct frame_writer *writer, const void *data, size_t bytes) {
    if (!writer->failed && buffer_append(writer->buffer, data, bytes) < 0) {
        writer->failed = true;
    }
}

static void add_to_length(struct frame_writer *writer, size_t bytes) {
    if (writer->failed) {
        return;
    }
    struct frame_head head;
    memcpy(&head, writer->buffer->data + writer->head_at, sizeof head);
    if (bytes > UINT32_MAX - head.body_bytes) {
        writer->failed = true;
        return;
    }
    head.body_bytes += (uint32_t)bytes;
    memcpy(writer->buffer->data + writer->head_at, &head, sizeof head);
}

void frame_put_number(struct frame_writer *writer, uint64_t number) {
    put(writer, &number, sizeof number);
}

void frame_put_bytes(struct frame_writer *writer, const void *data, size_t bytes) {
    uint32_t length = (uint32_t)bytes;
    if (bytes > UINT32_MAX) {
        writer->failed = true;
    }
    put(writer, &length, sizeof length);
    put(writer, data, bytes);
}

void frame_put_text(struct frame_writer *writer, const char *text) {
    frame_put_bytes(writer, text, strlen(text));
}

void frame_put_bytes_apart(struct frame_writer *writer, size_t bytes) {
    uint32_t length = (uint32_t)bytes;
    if (bytes > UINT32_MAX) {
        writer->failed = true;
    }
    put(writer, &length, sizeof length);
    add_to_length(writer, bytes);
}

int frame_end(struct frame_writer *writer) {
    add_to_length(writer, writer->buffer->bytes - writer->head_at - sizeof(struct frame_head));
    if (writer->failed && writer->buffer->data) {
        writer->buffer->bytes = writer->head_at;
        writer->buffer->data[writer->head_at] = '\0';
    }
    return writer->failed ? -1 : 0;
}

void frame_read_begin(struct frame_reader *reader, const void *body, size_t bytes) {
    *reader = (struct frame_reader){.at = body, .end = (const char *)body + bytes};
}

static const char *take(struct frame_reader *reader, size_t bytes) {
    if (reader->failed || (size_t)(reader->end - reader->at) < bytes) {
        reader->failed = true;
        return NULL;
    }
    const char *at = reader->at;
    reader->at += bytes;
    return at;
}

uint64_t frame_get_number(struct frame_reader *reader) {
    uint64_t number = 0;
    const char *at = take(reader, sizeof number);
    if (at) {
        memcpy(&number, at, sizeof number);
    }
    return number;
}

struct frame_text frame_get_text(struct frame_reader *reader, size_t max_bytes) {
    uint32_t length = 0;
    const char *at = take(reader, sizeof length);
    if (at) {
        memcpy(&length, at, sizeof length);
    }
    if (length > max_bytes) {
        reader->failed = true;
    }
    at = take(reader, length);
    return at ? (struct frame_text){.data = at, .bytes = length}
              : (struct frame_text){.data = "", .bytes = 0};
}

int frame_read_end(const struct frame_reader *reader) {
    return reader->failed || reader->at != reader->end ? -1 : 0;
}
