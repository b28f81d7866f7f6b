/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the frame of a store call and waits for its result. */
#include "worker/store_call.h"

#include "worker/run.h"
#include "worker/wire.h"

int32_t store_call_send(struct run *run, const struct store_call *call,
                        struct call_result *stored) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct call pending;
    struct frame_writer writer;
    int32_t result = call_begin(&pending, run, FRAME_STORE_RESULT);
    if (result < 0) {
        return result;
    }
    frame_begin(&writer, &buffer, FRAME_STORE_CALL, run_handle(run), pending.request);
    frame_put_number(&writer, call->operation);
    frame_put_number(&writer, call->scope == SNEK_SCOPE_INSTALLATION);
    frame_put_text(&writer, call->set);
    frame_put_text(&writer, call->name);
    frame_put_bytes(&writer, call->value ? call->value : "", call->value_bytes);
    bool built = frame_end(&writer) == 0;
    result = call_wait(&pending, built ? &buffer : NULL, NULL, 0, stored);
    if (result == 0 && stored->outcome < 0) {
        run_leave_reason(run, stored->body.data, stored->body.bytes);
    }
    return result < 0 ? result : stored->outcome;
}

int32_t store_call_get(struct run *run, uint32_t scope, const char *key, struct snek_text *value) {
    const struct store_call call = {FRAME_KEY_GET, scope, "", key, NULL, 0};
    AUTO_CALL_RESULT struct call_result stored = {0};
    int32_t result = store_call_send(run, &call, &stored);
    if (result == 1) {
        value->data = arena_text(run_arena(run), stored.body.data, stored.body.bytes);
        value->bytes = value->data ? stored.body.bytes : 0;
        if (!value->data) {
            return run_fail(run, SNEK_E_STORE,
                            "the run's memory is used up: read fewer or smaller values in one run");
        }
    }
    return result;
}

int32_t store_call_put(struct run *run, uint32_t scope, const char *key, const char *value,
                       uint64_t value_bytes) {
    const struct store_call call = {FRAME_KEY_PUT, scope, "", key, value, value_bytes};
    AUTO_CALL_RESULT struct call_result stored = {0};
    return store_call_send(run, &call, &stored);
}

int32_t store_call_remove(struct run *run, uint32_t scope, const char *key) {
    const struct store_call call = {FRAME_KEY_DELETE, scope, "", key, NULL, 0};
    AUTO_CALL_RESULT struct call_result stored = {0};
    return store_call_send(run, &call, &stored);
}
