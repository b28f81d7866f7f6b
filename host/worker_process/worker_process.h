/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's side of one worker process: has it started, exchanges frames with it, and reports its
 * exit. It knows nothing of deliveries; dispatch does.
 *
 *   worker_process_start() -> on_described() -> on_ready() -> ... on_http_call(),
 *     on_store_call(), on_log(), on_result() ... -> on_exit()
 *
 * The worker is not trusted: the first malformed frame kills it. on_exit() comes exactly once,
 * after all that the worker has sent, and is the last call. on_rejected() may come
 * before on_ready(), with or without on_described(). If no process could be started,
 * on_start_failed() is the only call.
 *
 * Threads: everything on the loop's thread. A handler borrows its texts for the call. */
#ifndef SNEK_WORKER_PROCESS_WORKER_PROCESS_H
#define SNEK_WORKER_PROCESS_WORKER_PROCESS_H

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/payload.h"
#include "protocol/description.h"
#include "protocol/explained.h"
#include "protocol/frames.h"
#include "worker_process/crash.h"
#include "worker_process/starter.h"

#include <stdint.h>
#include <sys/types.h>

/* Bytes of a line that the worker prints; the rest of a longer line is dropped. */
#define WORKER_PROCESS_LINE_MAX 1000

/* A worker may have so many threads besides one for each run. */
#define WORKER_PROCESS_THREADS_MORE 64

struct worker_process;

struct http_call {
    uint64_t run, request;
    /* enum frame_http_flag. */
    bool repeatable, adds, announced, no_follow;
    struct frame_text method, url, accept, content_type, headers, repository, once, body;
};

struct store_call {
    uint64_t run, request;
    enum frame_store_operation operation;
    bool per_installation;
    struct frame_text set, name, value;
};

struct app_call {
    uint64_t run, request;
    enum frame_app_question question;
};

/* The handlers of runs, on_http_call to on_explained without on_log, may be NULL: then such a frame
 * is malformed, and ends the worker. */
struct worker_process_handlers {
    /* Before the plugin's create() is called. The handler owns `description`, which
     * description_parse() has made of `body`. */
    void (*on_described)(void *context, struct description *description, struct frame_text body);
    /* create() has succeeded. Runs may be sent. */
    void (*on_ready)(void *context);
    void (*on_rejected)(void *context, const char *why);
    /* False: the call must wait. The worker's frames wait with it until worker_process_resume(). */
    bool (*on_http_call)(void *context, const struct http_call *call);
    bool (*on_store_call)(void *context, const struct store_call *call);
    bool (*on_app_call)(void *context, const struct app_call *call);
    /* False: likewise. */
    bool (*on_log)(void *context, uint64_t run, enum log_level level, struct frame_text text);
    /* A run sets a timer, or cancels it (`payload` is empty then). False: it has set too many. */
    bool (*on_timer)(void *context, uint64_t run, int64_t delay_ms, struct frame_text key,
                     struct frame_text payload);
    /* `paths` of the payload were read. */
    void (*on_result)(void *context, uint64_t run, int64_t result, int64_t delay_ms,
                      struct frame_text reason, struct frame_text paths);
    /* The response to worker_process_send_explain(). The handler owns `items`: free(). False: there
     * was no such question. */
    bool (*on_explained)(void *context, uint64_t question, struct explained *items, size_t n_items);
    /* A line that it printed on `stream` ("stdout" or "stderr"); it may hold any byte. */
    void (*on_output)(void *context, const char *stream, const char *text, size_t bytes);
    /* So many bytes of its output were dropped, because it prints too much. */
    void (*on_output_dropped)(void *context, uint64_t bytes);
    void (*on_exit)(void *context, const struct worker_death *death);
    void (*on_start_failed)(void *context, const struct error *why);
};

/* One worker; everything is borrowed during worker_process_start(). */
struct worker_process_spec {
    /* The index of the plugin in the configuration. A supervisor starts that plugin's worker, with
     * its own path, memory and sandbox. */
    uint32_t plugin;
    /* For a direct starter: absolute. The worker loads it. */
    const char *plugin_path;
    /* The same plugin as the operator knows it: names the process and the frames of a crash. */
    const char *plugin_shown;
    /* [plugin.config] as a JSON object. */
    const char *config_json;
    uint32_t concurrency, memory_mib;
    enum frame_sandbox sandbox;
    enum log_level log_level;
    /* The handlers' allocation that fails, from 1; 0: none. */
    uint64_t failing_allocation;
};

/* 0 and `*worker_process`, or -1 when no process could be started. `starter`, `handlers` and
 * `context` are borrowed until worker_process_free(). */
int worker_process_start(struct loop *loop, struct worker_starter *starter,
                         const struct worker_process_spec *spec,
                         const struct worker_process_handlers *handlers, void *context,
                         struct worker_process **worker_process, struct error *err);

struct worker_process_run {
    uint64_t run;
    const char *event, *action, *guid, *installation;
    int64_t attempt, received_ms;
    /* The id of the app's bot user if the sender may be it, else 0. */
    int64_t bot_user;
    /* The id of the app, or its client id. */
    const char *app;
    /* The worker process takes this reference over, and drops it once the payload is sent. */
    struct payload *payload;
};

/* Each queues a frame, which leaves at the next worker_process_flush() or before: frames that leave
 * together cost one system call, and wake the worker once. Frames to a worker that is gone are
 * dropped; on_exit() will come. */
void worker_process_send_run(struct worker_process *worker_process, struct worker_process_run *run);
/* `delivery.run` is the caller's number of the question; on_explained() gets it. */
void worker_process_send_explain(struct worker_process *worker_process,
                                 struct worker_process_run *delivery);
void worker_process_send_http_response(struct worker_process *worker_process, uint64_t run,
                                       uint64_t request, int32_t outcome, int32_t status,
                                       const char *error, const struct buffer *headers,
                                       const struct buffer *body);
void worker_process_send_store_result(struct worker_process *worker_process, uint64_t run,
                                      uint64_t request, int64_t outcome, const void *value,
                                      size_t value_bytes);
void worker_process_send_cancel(struct worker_process *worker_process, uint64_t run);
/* Sends the frames that wait, as far as the worker reads them. Call it before every loop_step(). */
void worker_process_flush(struct worker_process *worker_process);

/* The level of the sandbox that the worker reached, from on_described() on. `why` it is not full:
 * "" when it is; as long as the worker process. */
enum frame_sandbox_level worker_process_level(const struct worker_process *worker_process,
                                              const char **why);

/* 0 before the process was started. */
pid_t worker_process_pid(const struct worker_process *worker_process);

/* The threads of the worker; 0 while they are not known. */
unsigned worker_process_threads(const struct worker_process *worker_process);
/* True once when the worker has started as many threads as it may have: the caller should count
 * them. No other starts before. */
bool worker_process_take_many_threads(struct worker_process *worker_process);

/* The SHA-256 of the plugin's file that the worker loads, in hexadecimal; "" when it is not known.
 */
const char *worker_process_file_hash(const struct worker_process *worker_process);

/* Gives the handler the frame that had to wait, and goes on. Does nothing when none waits. */
void worker_process_resume(struct worker_process *worker_process);

/* Does what is due: goes on reading the worker's output, or kills a worker that closed its socket.
 * When it is due; INT64_MAX: nothing is. Monotonic. */
void worker_process_tick(struct worker_process *worker_process, int64_t now_ms);
int64_t worker_process_next_ms(const struct worker_process *worker_process);

/* Bytes of frames that the worker has not read, without the payloads of runs. */
size_t worker_process_waiting_bytes(const struct worker_process *worker_process);
/* Bytes of the payloads of runs that the worker has not read. */
size_t worker_process_waiting_payload_bytes(const struct worker_process *worker_process);

/* Sends no more frames. The worker ends by itself: when no handler runs, or at once when one does.
 */
void worker_process_close(struct worker_process *worker_process);
/* `why` becomes the sentence of on_exit(). */
void worker_process_kill(struct worker_process *worker_process, const char *why);

/* Kills the worker if necessary, reaps it and frees. No handler is called any more. Takes NULL. */
void worker_process_free(struct worker_process *worker_process);

#endif
