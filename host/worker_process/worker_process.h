/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's side of one worker process: starts it, speaks frames with it, and says when it is
 * gone. It knows nothing of deliveries; dispatch does.
 *
 *   worker_process_start() -> described() or rejected() -> … http(), store(), log(), result() … ->
 * died()
 *
 * A worker is not trusted: the first malformed frame kills it. died() comes exactly once, after all
 * that the worker had said, and is the last call; rejected() may come before it.
 *
 * Threads: everything on the loop's thread. Texts given to handlers are borrowed for the call. */
#ifndef SNEK_WORKER_PROCESS_WORKER_PROCESS_H
#define SNEK_WORKER_PROCESS_WORKER_PROCESS_H

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/payload.h"
#include "config/config.h"
#include "protocol/description.h"
#include "protocol/frames.h"

#include <stdint.h>
#include <sys/types.h>

/* How long a worker may take to load before whoever started it gives it up. */
#define WORKER_PROCESS_LOAD_DEADLINE_MS 20000

struct worker_process;

struct http_call {
    uint64_t run, request;
    bool repeatable, announced; /* enum frame_http_flag */
    struct frame_text method, url, accept, content_type, headers, repository, body;
};

struct store_call {
    uint64_t run, request;
    enum frame_store_operation operation;
    bool per_installation;
    struct frame_text set, name, value;
};

struct worker_process_handlers {
    /* `description` becomes the handler's. */
    void (*described)(void *context, struct description *description);
    void (*rejected)(void *context, const char *why);
    void (*http)(void *context, const struct http_call *request);
    void (*store)(void *context, const struct store_call *request);
    void (*log)(void *context, uint64_t run, enum log_level level, struct frame_text text);
    void (*result)(void *context, uint64_t run, int64_t result, int64_t delay_ms,
                   struct frame_text reason);
    /* `how` is a sentence: "was killed by signal 11 (Segmentation fault)". */
    void (*died)(void *context, const char *how);
};

struct worker_process_options {
    struct loop *loop;
    const char *worker_path;
    const struct config_plugin *plugin;
    enum log_level log_level;
    const struct worker_process_handlers *handlers;
    void *context;
};

/* 0 and `*worker_process`, or -1 when no process could be started. */
int worker_process_start(const struct worker_process_options *options,
                         struct worker_process **worker_process, struct error *err);

struct worker_process_run {
    uint64_t run;
    const char *event, *action, *guid, *installation;
    int64_t attempt, received_ms;
    bool from_self;
    struct payload
        *payload; /* the reference becomes the worker_process's; given back once it is sent */
};

/* Each queues a frame. A worker that is gone already takes them in silence: died() will come. */
void worker_process_send_run(struct worker_process *worker_process, struct worker_process_run *run);
void worker_process_send_http_response(struct worker_process *worker_process, uint64_t run,
                                       uint64_t request, int32_t outcome, int32_t status,
                                       const char *error, const struct buffer *headers,
                                       const struct buffer *body);
void worker_process_send_store_result(struct worker_process *worker_process, uint64_t run,
                                      uint64_t request, int64_t outcome, const void *value,
                                      size_t value_bytes);
void worker_process_send_cancel(struct worker_process *worker_process, uint64_t run);

pid_t worker_process_pid(const struct worker_process *worker_process);

/* No more frames: the worker ends by itself when no handler runs, at once when one does. */
void worker_process_close(struct worker_process *worker_process);
void worker_process_kill(struct worker_process *worker_process,
                         const char *why); /* `why` becomes died()'s sentence */

/* Kills if need be, reaps, frees; no handler is called any more. Takes NULL. */
void worker_process_free(struct worker_process *worker_process);

/* Where snekomatic-worker is: beside or near this program, so that an installation can be moved.
 * The caller's to free. NULL and `err` when it is nowhere. */
char *worker_process_find_binary(struct error *err);

#endif
