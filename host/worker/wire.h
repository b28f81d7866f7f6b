/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The worker's end of the socket to the host. Any thread sends frames; the main thread reads them.
 */
#ifndef SNEK_WORKER_WIRE_H
#define SNEK_WORKER_WIRE_H

#include "base/buffer.h"
#include "protocol/frames.h"

#include <pthread.h>

struct wire {
    int fd;
    /* Held while a frame is written, so that frames do not mix. */
    pthread_mutex_t lock;
};

void wire_init(struct wire *wire, int fd);

/* Sends the frames in `buffer`, then `apart` (frame_put_bytes_apart()). Blocks. 0, or -1 when the
 * host is gone; the main thread then reads the end of the stream. */
int wire_send(struct wire *wire, const struct buffer *buffer, const void *apart,
              size_t apart_bytes);

/* Sends the first frame, with copies of descriptors. 0, or -1 when the host is gone. */
int wire_send_first(struct wire *wire, const struct buffer *buffer, const int *fds, size_t count);

struct wire_frame {
    struct frame_head head;
    /* Owned by the caller, with a NUL behind. NULL when memory was short: then it was skipped. */
    char *body;
};

/* Does wire_read() for the first frame, which may carry descriptors: then they are in `fds`, closed
 * on exec, else each is -1. */
int wire_read_first(struct wire *wire, struct wire_frame *frame, int fds[FRAME_LOAD_FDS]);

/* Blocks for the next frame. 0; 1 when the host has closed the socket; -1 when the frame is too
 * large or the stream is broken. */
int wire_read(struct wire *wire, struct wire_frame *frame);

#endif
