/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the standard output and the standard error of a worker from two pipes, in lines.
 *
 * A worker may print without end. So a line is cut at OUTPUT_LINE_MAX, and lines beyond
 * OUTPUT_LINES_BYTES in a second are only counted. After OUTPUT_READ_BYTES in a second the pipes
 * are not read until the next one, so that the flood stops the worker that prints it.
 *
 * Threads: the loop's. */
#ifndef SNEK_WORKER_PROCESS_OUTPUT_H
#define SNEK_WORKER_PROCESS_OUTPUT_H

#include "base/loop.h"
#include "worker_process/worker_process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_LINE_MAX WORKER_PROCESS_LINE_MAX
/* Bytes in a second of both streams together. */
#define OUTPUT_LINES_BYTES (64u << 10)
#define OUTPUT_READ_BYTES (1u << 20)

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_STREAMS };

struct output_handlers {
    /* A line without its end. `text` is borrowed for the call and may hold any byte. */
    void (*on_line)(void *context, enum output_stream stream, const char *text, size_t bytes);
    /* So many bytes were dropped in a second that is over. */
    void (*on_dropped)(void *context, uint64_t bytes);
    void *context;
};

struct output_pipe {
    struct loop_source source;
    struct output *output;
    enum output_stream stream;
    char line[OUTPUT_LINE_MAX];
    size_t bytes;
};

struct output {
    struct loop *loop;
    struct output_handlers handlers;
    struct output_pipe pipes[OUTPUT_STREAMS];
    /* Monotonic: the second that the counters below are of. */
    int64_t second;
    size_t read_bytes, line_bytes;
    uint64_t dropped_bytes;
    /* The pipes are not read until the next second. */
    bool paused;
};

/* Takes over the reading ends `fds`, which do not block. 0, or -1 with errno. */
int output_init(struct output *output, struct loop *loop, const int fds[OUTPUT_STREAMS],
                const struct output_handlers *handlers);

/* Goes on after a pause, and reports what was dropped. */
void output_tick(struct output *output, int64_t now_ms);
/* When output_tick() is due; INT64_MAX: it is not. Monotonic. */
int64_t output_next_ms(const struct output *output);

/* The worker is gone: reads what the pipes still hold, with unfinished lines, and closes them. The
 * handlers are called. Without output_init() it does nothing. */
void output_end(struct output *output);
/* Closes them without another call. */
void output_finish(struct output *output);

#endif
