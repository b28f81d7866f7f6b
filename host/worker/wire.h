/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The worker's end of the socket to the host: whole frames out, from any thread; frames in, on the
 * main thread only. */
#ifndef SNEK_WORKER_WIRE_H
#define SNEK_WORKER_WIRE_H

#include "base/buffer.h"
#include "protocol/frames.h"

#include <pthread.h>

struct wire {
    int fd;
    pthread_mutex_t lock; /* so that frames are whole */
};

void wire_init(struct wire *wire, int fd);

/* Sends the frames in `buffer`, then `apart` (frame_put_bytes_apart()). Blocks. 0, or -1 when the
 * host is gone, which the main thread then reads too. */
int wire_send(struct wire *wire, const struct buffer *buffer, const void *apart,
              size_t apart_bytes);

struct wire_frame {
    struct frame_head head;
    char *body; /* the caller's, with a NUL behind; NULL when memory was short (it was skipped) */
};

/* Blocks for the next frame. 0; 1 when the host has closed; -1 when it is too large or broken. */
int wire_read(struct wire *wire, struct wire_frame *frame);

#endif
