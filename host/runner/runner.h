/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's side of one worker process: starts it, speaks frames with it, and says when it is
 * gone. It knows nothing of deliveries; dispatch does.
 *
 *   runner_start() -> described() or refused() -> … http(), store(), log(), result() … -> died()
 *
 * A worker is not trusted: the first malformed frame kills it. died() comes exactly once, after all
 * that the worker had said, and is the last call; refused() may come before it.
 *
 * Threads: everything on the loop's thread. Texts given to handlers are borrowed for the call. */
#ifndef SNEK_RUNNER_RUNNER_H
#define SNEK_RUNNER_RUNNER_H

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/payload.h"
#include "config/config.h"
#include "runner/description.h"
#include "runner/frames.h"

#include <stdint.h>
#include <sys/types.h>

/* How long a worker may take to load before whoever started it gives it up. */
#define RUNNER_LOAD_DEADLINE_MS 20000

struct runner;

struct runner_request {
    uint64_t run, request;
    bool repeatable, announced; /* enum frame_http_flag */
    struct frame_text method, url, accept, content_type, headers, repository, body;
};

struct runner_store {
    uint64_t run, request;
    enum frame_store operation;
    bool per_installation;
    struct frame_text set, name, value;
};

struct runner_handlers {
    /* `description` becomes the handler's. */
    void (*described)(void *context, struct description *description);
    void (*refused)(void *context, const char *why);
    void (*http)(void *context, const struct runner_request *request);
    void (*store)(void *context, const struct runner_store *request);
    void (*log)(void *context, uint64_t run, enum log_level level, struct frame_text text);
    void (*result)(void *context, uint64_t run, int64_t result, int64_t delay_ms,
                   struct frame_text reason);
    /* `how` is a sentence: "was killed by signal 11 (Segmentation fault)". */
    void (*died)(void *context, const char *how);
};

struct runner_options {
    struct loop *loop;
    const char *worker_path;
    const struct config_plugin *plugin;
    enum log_level log_level;
    const struct runner_handlers *handlers;
    void *context;
};

/* 0 and `*runner`, or -1 when no process could be started. */
int runner_start(const struct runner_options *options, struct runner **runner, struct error *err);

struct runner_run {
    uint64_t run;
    const char *event, *action, *guid, *installation;
    int64_t attempt, received_ms;
    bool from_self;
    struct payload *payload; /* the reference becomes the runner's; given back once it is sent */
};

/* Each queues a frame. A worker that is gone already takes them in silence: died() will come. */
void runner_send_run(struct runner *runner, struct runner_run *run);
void runner_send_http_reply(struct runner *runner, uint64_t run, uint64_t request, int32_t outcome,
                            int32_t status, const char *error, const struct buffer *headers,
                            const struct buffer *body);
void runner_send_store_reply(struct runner *runner, uint64_t run, uint64_t request, int64_t outcome,
                             const void *value, size_t value_bytes);
void runner_send_cancel(struct runner *runner, uint64_t run);

pid_t runner_pid(const struct runner *runner);

/* No more frames: the worker ends by itself when no handler runs, at once when one does. */
void runner_end(struct runner *runner);
void runner_kill(struct runner *runner, const char *why); /* `why` becomes died()'s sentence */

/* Kills if need be, reaps, frees; no handler is called any more. Takes NULL. */
void runner_free(struct runner *runner);

/* Where snekomatic-worker is: beside or near this program, so that an installation can be moved.
 * The caller's to free. NULL and `err` when it is nowhere. */
char *runner_find_worker(struct error *err);

#endif
