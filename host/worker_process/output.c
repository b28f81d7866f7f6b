/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Cuts what a worker prints into lines, and bounds it. */
#include "worker_process/output.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/list.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define READ_CHUNK 16384

static void end_line(struct output_pipe *pipe) {
    struct output *output = pipe->output;
    if (output->line_bytes + pipe->bytes > OUTPUT_LINES_BYTES) {
        output->dropped_bytes += pipe->bytes;
    } else if (pipe->bytes > 0) {
        output->line_bytes += pipe->bytes;
        output->handlers.on_line(output->handlers.context, pipe->stream, pipe->line, pipe->bytes);
    }
    pipe->bytes = 0;
}

static void take(struct output_pipe *pipe, const char *data, size_t bytes) {
    const char *end = data + bytes;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t part = (size_t)((newline ? newline : end) - data);
        size_t room = sizeof pipe->line - pipe->bytes;
        size_t kept = part < room ? part : room;
        memcpy(pipe->line + pipe->bytes, data, kept);
        pipe->bytes += kept;
        pipe->output->dropped_bytes += part - kept;
        data += part;
        if (newline) {
            end_line(pipe);
            data++;
        }
    }
}

static void start_second(struct output *output, int64_t now_ms) {
    if (output->second == now_ms / 1000) {
        return;
    }
    output->second = now_ms / 1000;
    output->read_bytes = output->line_bytes = 0;
    if (output->dropped_bytes > 0) {
        output->handlers.on_dropped(output->handlers.context, output->dropped_bytes);
        output->dropped_bytes = 0;
    }
}

static void watch(struct output *output, uint32_t events) {
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        if (output->pipes[i].source.fd >= 0) {
            loop_modify(output->loop, &output->pipes[i].source, events);
        }
    }
}

static void close_pipe(struct output_pipe *pipe) {
    if (pipe->source.fd >= 0) {
        loop_remove(pipe->output->loop, &pipe->source);
        close(pipe->source.fd);
        pipe->source.fd = -1;
    }
}

/* True when more may be there. */
static bool read_some(struct output_pipe *pipe) {
    char chunk[READ_CHUNK];
    ssize_t got = read(pipe->source.fd, chunk, sizeof chunk);
    if (got < 0) {
        return errno == EINTR;
    }
    if (got == 0) {
        end_line(pipe);
        close_pipe(pipe);
        return false;
    }
    pipe->output->read_bytes += (size_t)got;
    take(pipe, chunk, (size_t)got);
    return true;
}

static void on_readable(struct loop_source *source, uint32_t events) {
    (void)events;
    struct output_pipe *pipe = CONTAINER_OF(source, struct output_pipe, source);
    struct output *output = pipe->output;
    start_second(output, clock_monotonic_ms());
    read_some(pipe);
    if (output->read_bytes >= OUTPUT_READ_BYTES && !output->paused) {
        output->paused = true;
        watch(output, 0);
    }
}

int output_init(struct output *output, struct loop *loop, const int fds[OUTPUT_STREAMS],
                const struct output_handlers *handlers) {
    *output = (struct output){.loop = loop, .handlers = *handlers};
    int result = 0;
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        struct output_pipe *pipe = &output->pipes[i];
        pipe->output = output;
        pipe->stream = (enum output_stream)i;
        pipe->source = (struct loop_source){fds[i], on_readable};
        result |= loop_add(loop, &pipe->source, EPOLLIN);
    }
    return result;
}

void output_tick(struct output *output, int64_t now_ms) {
    if (!output->loop || output->second == now_ms / 1000) {
        return;
    }
    start_second(output, now_ms);
    if (output->paused) {
        output->paused = false;
        watch(output, EPOLLIN);
    }
}

int64_t output_next_ms(const struct output *output) {
    bool waits = output->paused || output->dropped_bytes > 0;
    return waits ? (output->second + 1) * 1000 : INT64_MAX;
}

void output_end(struct output *output) {
    if (!output->loop) {
        return;
    }
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        struct output_pipe *pipe = &output->pipes[i];
        /* So much fits into a pipe. A child that the worker left may print for ever. */
        for (int n = 0; n < 8 && pipe->source.fd >= 0 && read_some(pipe); n++) {}
        end_line(pipe);
    }
    start_second(output, INT64_MAX);
    output_finish(output);
}

void output_finish(struct output *output) {
    for (int i = 0; i < OUTPUT_STREAMS && output->loop; i++) {
        close_pipe(&output->pipes[i]);
    }
}
