/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "worker/calls.h"

#include <string.h>

void answer_finish(struct answer *answer) {
    free(answer->frame);
    *answer = (struct answer){0};
}

static int32_t cancelled(struct run *run) {
    return run_fail(run, SNEK_E_CANCELLED, "the host does not wait for this run any more");
}

int32_t call_begin(struct call *call, struct run *run, enum frame_kind wants) {
    struct runs *runs = &run->worker->runs;
    *call = (struct call){.run = run, .wants = wants};
    (void)pthread_mutex_lock(&runs->lock);
    bool too_late = atomic_load(&run->cancelled);
    if (!too_late) {
        (void)pthread_cond_init(&call->wake, NULL);
        call->request = ++runs->last_request;
        call->next = runs->calls;
        runs->calls = call;
    }
    (void)pthread_mutex_unlock(&runs->lock);
    return too_late ? cancelled(run) : 0;
}

int32_t call_wait(struct call *call, const struct buffer *buffer, const void *apart,
                  size_t apart_bytes, struct answer *answer) {
    struct run *run = call->run;
    struct runs *runs = &run->worker->runs;
    bool sent = buffer && wire_send(&run->worker->wire, buffer, apart, apart_bytes) == 0;
    (void)pthread_mutex_lock(&runs->lock);
    while (sent && !call->answered && !atomic_load(&run->cancelled)) {
        (void)pthread_cond_wait(&call->wake, &runs->lock);
    }
    struct call **place = &runs->calls;
    while (*place != call) {
        place = &(*place)->next;
    }
    *place = call->next;
    (void)pthread_mutex_unlock(&runs->lock);
    (void)pthread_cond_destroy(&call->wake);
    if (call->answered) {
        *answer = call->answer;
        return 0;
    }
    if (!buffer) {
        return run_fail(run, SNEK_E_TOO_LARGE,
                        "a request is larger than %u bytes, or memory is "
                        "short",
                        FRAME_TO_HOST_MAX);
    }
    return cancelled(run);
}

static int parse(const struct wire_frame *frame, struct answer *answer) {
    struct frame_reader reader;
    frame_read_begin(&reader, frame->body, frame->head.body_bytes);
    int64_t outcome = (int64_t)frame_get_number(&reader);
    uint64_t status = 0;
    bool http = frame->head.kind == FRAME_HTTP_RESPONSE;
    if (http) {
        status = frame_get_number(&reader);
        answer->sentence = frame_get_text(&reader, FRAME_REASON_MAX);
        answer->headers = frame_get_text(&reader, FRAME_TO_WORKER_MAX);
    }
    answer->body = frame_get_text(&reader, http ? FRAME_REPLY_BODY_MAX : FRAME_STORE_VALUE_MAX);
    answer->outcome = (int32_t)outcome;
    answer->status = (int32_t)status;
    return frame_read_end(&reader) < 0 || outcome < INT32_MIN || outcome > (http ? 0 : 1) ||
                   status > 999
               ? -1
               : 0;
}

int calls_answer(struct worker *worker, struct wire_frame *frame) {
    static const char short_of_memory[] =
        "the worker has no memory for the answer: raise plugin.memory_mib";
    const struct frame_text sentence = {short_of_memory, sizeof short_of_memory - 1};
    struct runs *runs = &worker->runs;
    struct answer answer = {.outcome = SNEK_E_FAILED, .sentence = sentence, .body = sentence};
    int result = frame->body ? parse(frame, &answer) : 0;
    if (result < 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&runs->lock);
    struct call *call = runs->calls;
    while (call && call->request != frame->head.request) {
        call = call->next;
    }
    if (call && (call->wants != frame->head.kind || call->run->handle != frame->head.run ||
                 call->answered)) {
        result = -1;
    } else if (call) {
        call->answer = answer;
        call->answer.frame = STEAL(frame->body);
        call->answered = true;
        (void)pthread_cond_signal(&call->wake);
    }
    (void)pthread_mutex_unlock(&runs->lock);
    return result;
}

void calls_wake(struct runs *runs, const struct run *run) {
    for (struct call *call = runs->calls; call; call = call->next) {
        if (call->run == run) {
            (void)pthread_cond_signal(&call->wake);
        }
    }
}
