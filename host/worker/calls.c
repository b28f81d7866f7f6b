/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the list of calls that wait for the host. The main thread gives them their results. */
#include "worker/calls.h"

#include "base/lock.h"
#include "worker/memory_limit.h"
#include "worker/run.h"
#include "worker/wire.h"
#include "worker/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(call_list, call);

/* As many as runs of most plugins wait at a time; calls that share one wake up together. */
#define WAKES 64

struct calls {
    /* Guards the members below but `wakes`, and those of the calls. */
    pthread_mutex_t lock;
    struct call_list waiting;
    uint64_t last_request;
    /* By the call's request. They outlive the calls, so that the main thread signals without the
     * lock: a thread that it wakes under the lock would wait again at once. */
    pthread_cond_t wakes[WAKES];
};

struct calls *calls_new(void) {
    struct calls *calls = calloc(1, sizeof *calls);
    if (calls) {
        pthread_mutex_init(&calls->lock, NULL);
        TAILQ_INIT(&calls->waiting);
        for (size_t i = 0; i < WAKES; i++) {
            pthread_cond_init(&calls->wakes[i], NULL);
        }
    }
    return calls;
}

static pthread_cond_t *wake_of(struct calls *calls, uint64_t request) {
    return &calls->wakes[request % WAKES];
}

void call_result_finish(struct call_result *result) {
    free(result->frame);
    *result = (struct call_result){0};
}

static int32_t cancelled(struct run *run) {
    return run_fail(run, SNEK_E_CANCELLED,
                    "the host cancelled this run, because its deadline passed or the host stops; "
                    "return from the handler");
}

int32_t call_begin(struct call *call, struct run *run, enum frame_kind result_kind) {
    struct calls *calls = worker_calls(run_worker(run));
    *call = (struct call){.run = run, .result_kind = result_kind};
    {
        SCOPED_LOCK(&calls->lock);
        if (!run_is_cancelled(run)) {
            call->request = ++calls->last_request;
            TAILQ_INSERT_HEAD(&calls->waiting, call, entry);
        }
    }
    return call->request == 0 ? cancelled(run) : 0;
}

int32_t call_wait(struct call *call, const struct buffer *buffer, const void *apart,
                  size_t apart_bytes, struct call_result *result) {
    struct run *run = call->run;
    struct calls *calls = worker_calls(run_worker(run));
    assert(call->request > 0);
    bool sent = buffer && wire_send(worker_wire(run_worker(run)), buffer, apart, apart_bytes) == 0;
    {
        SCOPED_LOCK(&calls->lock);
        while (sent && !call->has_result && !run_is_cancelled(run)) {
            pthread_cond_wait(wake_of(calls, call->request), &calls->lock);
        }
        TAILQ_REMOVE(&calls->waiting, call, entry);
    }
    if (call->has_result) {
        *result = call->result;
        return 0;
    }
    if (!buffer) {
        return run_fail(run, SNEK_E_TOO_LARGE,
                        "a request could not be built: it is larger than %u bytes, or %s",
                        FRAME_TO_HOST_MAX, memory_limit_sentence());
    }
    return cancelled(run);
}

static int parse(const struct wire_frame *frame, struct call_result *result) {
    struct frame_reader reader;
    frame_read_begin(&reader, frame->body, frame->head.body_bytes);
    int64_t outcome = (int64_t)frame_get_number(&reader);
    uint64_t status = 0;
    bool http = frame->head.kind == FRAME_HTTP_RESPONSE;
    if (http) {
        status = frame_get_number(&reader);
        result->sentence = frame_get_text(&reader, FRAME_REASON_MAX);
        result->headers = frame_get_text(&reader, FRAME_TO_WORKER_MAX);
    }
    result->body = frame_get_text(&reader, http ? FRAME_REPLY_BODY_MAX : FRAME_STORE_VALUE_MAX);
    result->outcome = (int32_t)outcome;
    result->status = (int32_t)status;
    if (frame_read_end(&reader) < 0 || outcome < INT32_MIN || status > 999) {
        return -1;
    }
    int64_t best = http ? 0 : 1;
    return outcome > best ? -1 : 0;
}

static struct call *find(const struct calls *calls, uint64_t request) {
    struct call *call;
    TAILQ_FOREACH(call, &calls->waiting, entry) {
        if (call->request == request) {
            return call;
        }
    }
    return NULL;
}

/* 1: a call has its result now; 0: nobody waits for it any more; -1: the host may not send it. */
static int give_result(struct calls *calls, struct wire_frame *frame, struct call_result *result) {
    SCOPED_LOCK(&calls->lock);
    struct call *call = find(calls, frame->head.request);
    if (!call) {
        return 0;
    }
    if (call->result_kind != frame->head.kind || run_handle(call->run) != frame->head.run ||
        call->has_result) {
        return -1;
    }
    call->result = *result;
    call->result.frame = STEAL(frame->body);
    call->has_result = true;
    return 1;
}

int calls_take_result(struct calls *calls, struct wire_frame *frame) {
    const char *no_memory = memory_limit_sentence();
    const struct frame_text sentence = {no_memory, strlen(no_memory)};
    struct call_result result = {.outcome = SNEK_E_FAILED, .sentence = sentence, .body = sentence};
    if (frame->body && parse(frame, &result) < 0) {
        return -1;
    }
    int given = give_result(calls, frame, &result);
    if (given > 0) {
        pthread_cond_broadcast(wake_of(calls, frame->head.request));
    }
    return given < 0 ? -1 : 0;
}

void calls_wake(struct calls *calls, const struct run *run) {
    SCOPED_LOCK(&calls->lock);
    struct call *call;
    TAILQ_FOREACH(call, &calls->waiting, entry) {
        if (call->run == run) {
            pthread_cond_broadcast(wake_of(calls, call->request));
        }
    }
}
