/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calls of handlers to the host: each sends a frame and waits for the frame that responds to
 * it. */
#ifndef SNEK_WORKER_CALLS_H
#define SNEK_WORKER_CALLS_H

#include "base/cleanup.h"
#include "base/list.h"
#include "protocol/frames.h"

#include <pthread.h>

struct calls;
struct run;
struct wire_frame;

/* NULL when memory is short. Lives until the process ends. */
struct calls *calls_new(void);

/* The texts lie in `frame`, which is ours. It is NULL when memory was short: then the outcome is
 * negative, and the texts say so. */
struct call_result {
    char *frame;
    int32_t outcome;
    /* For HTTP_RESPONSE only. */
    int32_t status;
    struct frame_text sentence, headers;
    /* HTTP_RESPONSE's body; STORE_RESULT's value or sentence. */
    struct frame_text body;
};

void call_result_finish(struct call_result *result);
#define AUTO_CALL_RESULT CLEANUP(call_result_finish)

/* A call that waits. The caller reads `request`, the call's number in frames; only
 * calls.c uses the other members. */
struct call {
    TAILQ_ENTRY(call) entry;
    struct run *run;
    uint64_t request;
    enum frame_kind result_kind;
    bool has_result;
    struct call_result result;
};

/* Every call that has begun must be waited for. Both functions leave a reason when they fail.
 * 0 and the call has its number, or SNEK_E_CANCELLED. */
int32_t call_begin(struct call *call, struct run *run, enum frame_kind result_kind);

/* Sends the frames in `buffer` (NULL: it could not be built), then the bytes of `apart`, and waits.
 * 0 and `*result`, the caller's; SNEK_E_CANCELLED; or SNEK_E_TOO_LARGE when `buffer` is NULL. */
int32_t call_wait(struct call *call, const struct buffer *buffer, const void *apart,
                  size_t apart_bytes, struct call_result *result);

/* Main thread. Takes over the frame's body and wakes the call; drops the result of a call that was
 * given up. 0, or -1 when the frame is malformed. */
int calls_take_result(struct calls *calls, struct wire_frame *frame);

/* Wakes the calls of a run that was cancelled. Any thread. */
void calls_wake(struct calls *calls, const struct run *run);

#endif
