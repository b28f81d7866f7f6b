/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "worker/runs.h"

#include "worker/calls.h"
#include "worker/services.h"
#include "worker/text.h"

#include <limits.h>
#include <string.h>

void runs_init(struct runs *runs, uint64_t concurrency) {
    *runs = (struct runs){.concurrency = concurrency};
    (void)pthread_mutex_init(&runs->lock, NULL);
    (void)pthread_cond_init(&runs->work, NULL);
    (void)pthread_cond_init(&runs->quiet, NULL);
}

/* ---- one run ---- */

static const char *read_name(struct run *run, struct frame_reader *reader, size_t max_bytes) {
    struct frame_text text = frame_get_text(reader, max_bytes);
    const char *copy = arena_text(&run->arena, text.data, text.bytes);
    if (!copy) {
        reader->failed = true;
    }
    return copy;
}

static void run_free(struct run *run) {
    services_release(run);
    arena_finish(&run->arena);
    (void)pthread_mutex_destroy(&run->lock);
    free(run->frame);
    free(run);
}

/* Takes `body`. False when it is malformed (or memory is short for a few names: no better); to be
 * freed in either case. */
static bool run_init(struct run *run, struct worker *worker, uint64_t handle, char *body,
                     size_t bytes) {
    run->shown = (struct snek_run){.host = &worker->host, .state = worker->state};
    run->worker = worker;
    run->handle = handle;
    run->frame = body;
    arena_init(&run->arena, RUN_TEXTS_MAX);
    (void)pthread_mutex_init(&run->lock, NULL);
    struct frame_reader reader;
    frame_read_begin(&reader, body, bytes);
    run->event = read_name(run, &reader, FRAME_NAME_MAX);
    run->action = read_name(run, &reader, FRAME_NAME_MAX);
    run->delivery = read_name(run, &reader, RUN_GUID_MAX);
    run->installation = read_name(run, &reader, FRAME_NAME_MAX);
    run->attempt = (int64_t)frame_get_number(&reader);
    (void)frame_get_number(&reader); /* when it was received: no slot shows it yet */
    uint64_t from_self = frame_get_number(&reader);
    struct frame_text payload = frame_get_text(&reader, FRAME_TO_WORKER_MAX);
    run->from_self = from_self == 1;
    run->payload = (struct snek_text){.data = payload.data, .bytes = payload.bytes};
    return frame_read_end(&reader) == 0 && from_self <= 1;
}

static void send_result(struct worker *worker, uint64_t handle, int32_t result, int64_t delay_ms,
                        const char *reason) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_RESULT, handle, 0);
    frame_put_number(&writer, (uint64_t)(int64_t)result);
    frame_put_number(&writer, (uint64_t)delay_ms);
    frame_put_text(&writer, reason);
    if (frame_end(&writer) < 0) {
        _exit(1); /* a run without a result would wait for ever; the host tries it again */
    }
    (void)wire_send(&worker->wire, &buffer, NULL, 0);
}

static int32_t handle(struct run *run) {
    if (atomic_load(&run->cancelled)) {
        return run_fail(run, SNEK_E_CANCELLED, "cancelled before it had begun");
    }
    return run_handle(run);
}

/* ---- the threads ---- */

static struct run *next_run(struct runs *runs) {
    (void)pthread_mutex_lock(&runs->lock);
    runs->idle++;
    while (!runs->waiting) {
        (void)pthread_cond_wait(&runs->work, &runs->lock);
    }
    runs->idle--;
    struct run *run = runs->waiting;
    runs->waiting = run->next;
    runs->waiting_count--;
    run->next = runs->running;
    runs->running = run;
    (void)pthread_mutex_unlock(&runs->lock);
    return run;
}

static void *thread_main(void *context) {
    struct worker *worker = context;
    struct runs *runs = &worker->runs;
    for (;;) {
        struct run *run = next_run(runs);
        int32_t result = handle(run);
        /* Out of the list before the result is out: the host may then use the handle again. */
        (void)pthread_mutex_lock(&runs->lock);
        struct run **place = &runs->running;
        while (*place != run) {
            place = &(*place)->next;
        }
        *place = run->next;
        runs->ending++;
        (void)pthread_mutex_unlock(&runs->lock);
        struct reason reason = run->reason;
        uint64_t handle = run->handle;
        run_free(run);
        send_result(worker, handle, result, reason.delay_ms, reason.text);
        (void)pthread_mutex_lock(&runs->lock);
        runs->ending--;
        (void)pthread_cond_signal(&runs->quiet);
        (void)pthread_mutex_unlock(&runs->lock);
    }
    return NULL;
}

static int add_thread(struct worker *worker) {
    pthread_t thread;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, RUN_STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int problem = pthread_create(&thread, &attributes, thread_main, worker);
    (void)pthread_attr_destroy(&attributes);
    return problem == 0 ? 0 : -1;
}

static bool is_known(const struct runs *runs, uint64_t handle) {
    const struct run *lists[] = {runs->waiting, runs->running};
    for (size_t i = 0; i < 2; i++) {
        for (const struct run *run = lists[i]; run; run = run->next) {
            if (run->handle == handle) {
                return true;
            }
        }
    }
    return false;
}

/* Queues a run and sees to it that a thread comes. 0; 1 when there is none and can be none. */
static int enqueue(struct worker *worker, struct run *run) {
    struct runs *runs = &worker->runs;
    if (runs->waiting_count >= runs->idle && runs->threads < runs->concurrency) {
        if (add_thread(worker) == 0) {
            runs->threads++;
        } else if (runs->threads == 0) {
            return 1;
        }
    }
    struct run **last = &runs->waiting;
    while (*last) {
        last = &(*last)->next;
    }
    run->next = NULL;
    *last = run;
    runs->waiting_count++;
    (void)pthread_cond_signal(&runs->work);
    return 0;
}

int runs_start(struct worker *worker, struct wire_frame *frame) {
    struct runs *runs = &worker->runs;
    if (frame->head.run == 0 || frame->head.request != 0) {
        return -1;
    }
    struct run *run = frame->body ? calloc(1, sizeof *run) : NULL;
    if (!run) {
        send_result(worker, frame->head.run, SNEK_E_FAILED, 0,
                    "the worker has no memory for this delivery: raise plugin.memory_mib");
        return 0;
    }
    if (!run_init(run, worker, frame->head.run, STEAL(frame->body), frame->head.body_bytes)) {
        run_free(run);
        return -1;
    }
    (void)pthread_mutex_lock(&runs->lock);
    int result = is_known(runs, run->handle) || runs->waiting_count >= runs->concurrency
                     ? -1
                     : enqueue(worker, run);
    (void)pthread_mutex_unlock(&runs->lock);
    if (result != 0) {
        run_free(run);
    }
    if (result > 0) {
        send_result(worker, frame->head.run, SNEK_E_FAILED, 0,
                    "the worker could not start a thread: raise plugin.memory_mib");
    }
    return result < 0 ? -1 : 0;
}

int runs_cancel(struct worker *worker, const struct wire_frame *frame) {
    struct runs *runs = &worker->runs;
    if (frame->head.body_bytes != 0 || frame->head.run == 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&runs->lock);
    struct run *lists[] = {runs->waiting, runs->running};
    for (size_t i = 0; i < 2; i++) {
        for (struct run *run = lists[i]; run; run = run->next) {
            if (run->handle == frame->head.run) {
                atomic_store(&run->cancelled, true);
                calls_wake(runs, run);
            }
        }
    }
    (void)pthread_mutex_unlock(&runs->lock);
    return 0;
}

bool runs_quiet(struct worker *worker) {
    struct runs *runs = &worker->runs;
    (void)pthread_mutex_lock(&runs->lock);
    bool quiet = !runs->waiting && !runs->running;
    while (quiet && runs->ending > 0) {
        (void)pthread_cond_wait(&runs->quiet, &runs->lock);
    }
    (void)pthread_mutex_unlock(&runs->lock);
    return quiet;
}
