/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Blocking writes and reads of whole frames. */
#include "worker/wire.h"

#include "base/io.h"
#include "base/lock.h"

#include <errno.h>
#include <sys/socket.h>

void wire_init(struct wire *wire, int fd) {
    wire->fd = fd;
    pthread_mutex_init(&wire->lock, NULL);
}

int wire_send(struct wire *wire, const struct buffer *buffer, const void *apart,
              size_t apart_bytes) {
    SCOPED_LOCK(&wire->lock);
    int result = io_write_full(wire->fd, buffer->data, buffer->bytes);
    if (result == 0 && apart_bytes > 0) {
        result = io_write_full(wire->fd, apart, apart_bytes);
    }
    if (result < 0) {
        /* A part of the frame may be sent: the host could not read the frames that follow. */
        shutdown(wire->fd, SHUT_RDWR);
    }
    return result;
}

static int skip(int fd, size_t bytes) {
    char waste[4096];
    int result = 0;
    while (bytes > 0 && result == 0) {
        size_t part = bytes < sizeof waste ? bytes : sizeof waste;
        result = io_read_full(fd, waste, part);
        bytes -= part;
    }
    return result;
}

int wire_read(struct wire *wire, struct wire_frame *frame) {
    frame->body = NULL;
    int result = io_read_full(wire->fd, &frame->head, sizeof frame->head);
    if (result != 0) {
        /* ECONNRESET: the host closed before it had read every frame of this worker. */
        return result < 0 && errno != ECONNRESET ? -1 : 1;
    }
    size_t bytes = frame->head.body_bytes;
    if (bytes > FRAME_TO_WORKER_MAX) {
        return -1;
    }
    char *body = malloc(bytes + 1);
    if (!body) {
        return skip(wire->fd, bytes) == 0 ? 0 : -1;
    }
    if (bytes > 0 && io_read_full(wire->fd, body, bytes) != 0) {
        free(body);
        return -1;
    }
    body[bytes] = '\0';
    frame->body = body;
    return 0;
}
