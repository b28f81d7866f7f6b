/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "store": sets and values that the host keeps for the plugin. Each operation is one call.
 */
#include "base/text.h"
#include "worker/calls.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/wire.h"

#include <snekomatic/store.h>

#include <string.h>

struct store_call {
    enum frame_store_operation operation;
    uint32_t scope;
    /* "" for keys. */
    const char *set;
    /* The entry or key. */
    const char *name;
    const char *value;
    uint64_t value_bytes;
};

/* NULL, or the problem. */
static const char *problem_of(const struct store_call *call, bool of_set) {
    if (call->scope != SNEK_SCOPE_PLUGIN && call->scope != SNEK_SCOPE_INSTALLATION) {
        return "its scope is neither SNEK_SCOPE_PLUGIN nor SNEK_SCOPE_INSTALLATION";
    }
    if (of_set && !text_is_line(call->set, FRAME_NAME_MAX)) {
        return "the set's name must be a line of 1 to 100 bytes of UTF-8";
    }
    size_t bytes = call->name ? strnlen(call->name, FRAME_STORE_ENTRY_MAX + 1) : 0;
    if (bytes == 0 || bytes > FRAME_STORE_ENTRY_MAX || !text_is_utf8(call->name, bytes)) {
        return "an entry or key must be 1 to 512 bytes of UTF-8";
    }
    if (call->value_bytes > FRAME_STORE_VALUE_MAX) {
        return "a value is at most 64 KiB";
    }
    return !call->value && call->value_bytes > 0 ? "the value is NULL" : NULL;
}

/* Sends and waits. The host's outcome; a negative one has left its reason. */
static int32_t send_call(struct run *run, const struct store_call *call,
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

static int32_t simple(struct snek_run *shown, const struct store_call *call) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    const char *problem = problem_of(call, call->operation <= FRAME_SET_REMOVE);
    AUTO_CALL_RESULT struct call_result stored = {0};
    return problem ? run_fail(run, SNEK_E_INVALID, "the store rejects the call: %s", problem)
                   : send_call(run, call, &stored);
}

static int32_t store_set_has(struct snek_run *shown, uint32_t scope, const char *set,
                             const char *entry) {
    return simple(shown, &(struct store_call){FRAME_SET_HAS, scope, set, entry, NULL, 0});
}

static int32_t store_set_add(struct snek_run *shown, uint32_t scope, const char *set,
                             const char *entry) {
    return simple(shown, &(struct store_call){FRAME_SET_ADD, scope, set, entry, NULL, 0});
}

static int32_t store_set_remove(struct snek_run *shown, uint32_t scope, const char *set,
                                const char *entry) {
    return simple(shown, &(struct store_call){FRAME_SET_REMOVE, scope, set, entry, NULL, 0});
}

static int32_t store_get(struct snek_run *shown, uint32_t scope, const char *key,
                         struct snek_text *value) {
    const struct store_call call = {FRAME_KEY_GET, scope, "", key, NULL, 0};
    if (value) {
        *value = (struct snek_text){0};
    }
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    const char *problem = value ? problem_of(&call, false) : "get() needs a pointer for the value";
    AUTO_CALL_RESULT struct call_result stored = {0};
    int32_t result = problem
                         ? run_fail(run, SNEK_E_INVALID, "the store rejects the call: %s", problem)
                         : send_call(run, &call, &stored);
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

static int32_t store_put(struct snek_run *shown, uint32_t scope, const char *key, const char *value,
                         uint64_t value_bytes) {
    int32_t result =
        simple(shown, &(struct store_call){FRAME_KEY_PUT, scope, "", key, value, value_bytes});
    return result < 0 ? result : 0;
}

static int32_t store_remove(struct snek_run *shown, uint32_t scope, const char *key) {
    return simple(shown, &(struct store_call){FRAME_KEY_DELETE, scope, "", key, NULL, 0});
}

const struct snek_store_service service_store = {
    .bytes = sizeof(struct snek_store_service),
    .set_has = store_set_has,
    .set_add = store_set_add,
    .set_remove = store_set_remove,
    .get = store_get,
    .put = store_put,
    .remove = store_remove,
};
