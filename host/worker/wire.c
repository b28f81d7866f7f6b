/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Blocking writes and reads of whole frames. */
#include "worker/wire.h"

#include "base/descriptors.h"
#include "base/io.h"
#include "base/lock.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

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
    if (result < 0 && errno == EBADF) {
        /* The plugin closed the socket. The main thread may still wait at it for the host. */
        _exit(EX_IOERR);
    }
    if (result < 0) {
        /* A part of the frame may be sent: the host could not read the frames that follow. */
        shutdown(wire->fd, SHUT_RDWR);
    }
    return result;
}

int wire_send_first(struct wire *wire, const struct buffer *buffer, const int *fds, size_t count) {
    /* Nothing else is in the socket yet, so the frame fits. */
    ssize_t sent = descriptors_send(wire->fd, buffer->data, buffer->bytes, fds, count);
    return sent == (ssize_t)buffer->bytes ? 0 : -1;
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

static int head_failed(int result) {
    /* ECONNRESET: the host closed before it had read every frame of this worker. */
    return result < 0 && errno != ECONNRESET ? -1 : 1;
}

static int read_body(const struct wire *wire, struct wire_frame *frame) {
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

int wire_read(struct wire *wire, struct wire_frame *frame) {
    frame->body = NULL;
    int result = io_read_full(wire->fd, &frame->head, sizeof frame->head);
    return result == 0 ? read_body(wire, frame) : head_failed(result);
}

int wire_read_first(struct wire *wire, struct wire_frame *frame, int fds[FRAME_LOAD_FDS]) {
    static_assert(FRAME_LOAD_FDS <= DESCRIPTORS_MAX, "one message carries them");
    int received[DESCRIPTORS_MAX];
    ssize_t got;
    frame->body = NULL;
    do {
        got = descriptors_receive(wire->fd, &frame->head, sizeof frame->head, received, 0);
    } while (got < 0 && errno == EINTR);
    memcpy(fds, received, FRAME_LOAD_FDS * sizeof *fds);
    if (got <= 0) {
        return head_failed(got == 0 ? 1 : -1);
    }
    size_t rest = sizeof frame->head - (size_t)got;
    int result = 0;
    if (rest > 0) {
        result = io_read_full(wire->fd, (char *)&frame->head + got, rest);
    }
    return result == 0 ? read_body(wire, frame) : head_failed(result);
}
