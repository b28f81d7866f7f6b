/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the frame of a question about the app and waits for the answer. */
#include "worker/app_call.h"

#include "worker/calls.h"
#include "worker/memory_limit.h"
#include "worker/run.h"

int32_t app_call_send(struct run *run, enum frame_app_question question,
                      struct frame_text *answer) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    AUTO_CALL_RESULT struct call_result result = {0};
    struct frame_writer writer;
    struct call call;
    int32_t outcome = call_begin(&call, run, FRAME_HTTP_RESPONSE);
    if (outcome < 0) {
        return outcome;
    }
    frame_begin(&writer, &buffer, FRAME_APP_CALL, run_handle(run), call.request);
    frame_put_number(&writer, question);
    bool built = frame_end(&writer) == 0;
    outcome = call_wait(&call, built ? &buffer : NULL, NULL, 0, &result);
    if (outcome == 0 && result.outcome < 0) {
        run_leave_reason(run, result.sentence.data, result.sentence.bytes);
        outcome = result.outcome;
    }
    if (outcome < 0) {
        return outcome;
    }
    answer->data = arena_text(run_arena(run), result.body.data, result.body.bytes);
    answer->bytes = result.body.bytes;
    return answer->data ? 0 : run_fail(run, SNEK_E_FAILED, "%s", memory_limit_sentence());
}
