/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A handler's question to the host, and the wait for its answer. */
#ifndef SNEK_WORKER_CALLS_H
#define SNEK_WORKER_CALLS_H

#include "worker/worker.h"

/* An answer's fields lie in its frame. */
struct answer {
    char *frame; /* ours; NULL when memory was short: outcome is then negative */
    int32_t outcome;
    int32_t status;                      /* HTTP_REPLY */
    struct frame_text sentence, headers; /* HTTP_REPLY */
    struct frame_text body;              /* HTTP_REPLY's body, STORE_REPLY's value or sentence */
};

void answer_finish(struct answer *answer);
#define AUTO_ANSWER CLEANUP(answer_finish)

struct call {
    struct call *next;
    struct run *run;
    uint64_t request;      /* the question's number, for its frame */
    enum frame_kind wants; /* of its answer */
    bool answered;
    struct answer answer;
    pthread_cond_t wake;
};

/* Every call that has begun is waited for. Both leave a reason when they fail.
 * Begin: 0 and the call has its number, or SNEK_E_CANCELLED. */
int32_t call_begin(struct call *call, struct run *run, enum frame_kind wants);

/* Sends the frames in `buffer` (NULL: it could not be built) and `apart`, and waits. 0 and
 * `*answer`, the caller's; or SNEK_E_CANCELLED, or SNEK_E_TOO_LARGE when `buffer` is NULL. */
int32_t call_wait(struct call *call, const struct buffer *buffer, const void *apart,
                  size_t apart_bytes, struct answer *answer);

/* Main thread. The answer of a call that was given up is dropped; -1 when it is malformed. Takes
 * the frame's body. */
int calls_answer(struct worker *worker, struct wire_frame *frame);

/* Wakes the run's calls to see that it is cancelled. Under the lock of `runs`. */
void calls_wake(struct runs *runs, const struct run *run);

#endif
