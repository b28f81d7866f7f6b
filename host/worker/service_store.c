/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "store": what a plugin remembers. The host keeps it; the worker only asks. */
#include "base/text.h"
#include "worker/calls.h"
#include "worker/services.h"

#include <string.h>

struct question {
    enum frame_store_operation operation;
    uint32_t scope;
    const char *set;  /* "" for keys */
    const char *name; /* entry or key */
    const char *value;
    uint64_t value_bytes;
};

/* NULL when all is well, else what is wrong. */
static const char *wrong(const struct question *q, bool of_set) {
    if (q->scope != SNEK_SCOPE_PLUGIN && q->scope != SNEK_SCOPE_INSTALLATION) {
        return "its scope is neither SNEK_SCOPE_PLUGIN nor SNEK_SCOPE_INSTALLATION";
    }
    if (of_set && !text_is_line(q->set, FRAME_NAME_MAX)) {
        return "the set's name must be a line of 1 to 100 bytes of UTF-8";
    }
    size_t bytes = q->name ? strnlen(q->name, FRAME_STORE_ENTRY_MAX + 1) : 0;
    if (bytes == 0 || bytes > FRAME_STORE_ENTRY_MAX || !text_is_utf8(q->name, bytes)) {
        return "an entry or key must be 1 to 512 bytes of UTF-8";
    }
    if (q->value_bytes > FRAME_STORE_VALUE_MAX) {
        return "a value is at most 64 KiB";
    }
    return !q->value && q->value_bytes > 0 ? "the value is NULL" : NULL;
}

/* Asks and waits. The host's outcome and its answer; a negative one has left its reason. */
static int32_t ask(struct run *run, const struct question *q, struct answer *answer) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct call call;
    struct frame_writer writer;
    int32_t result = call_begin(&call, run, FRAME_STORE_RESULT);
    if (result < 0) {
        return result;
    }
    frame_begin(&writer, &buffer, FRAME_STORE_CALL, run->handle, call.request);
    frame_put_number(&writer, q->operation);
    frame_put_number(&writer, q->scope == SNEK_SCOPE_INSTALLATION);
    frame_put_text(&writer, q->set);
    frame_put_text(&writer, q->name);
    frame_put_bytes(&writer, q->value ? q->value : "", q->value_bytes);
    bool built = frame_end(&writer) == 0;
    result = call_wait(&call, built ? &buffer : NULL, NULL, 0, answer);
    if (result == 0 && answer->outcome < 0) {
        run_leave_reason(run, answer->body.data, answer->body.bytes);
    }
    return result < 0 ? result : answer->outcome;
}

static int32_t simple(struct snek_run *shown, const struct question *q) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    const char *problem = wrong(q, q->operation <= FRAME_SET_REMOVE);
    AUTO_ANSWER struct answer answer = {0};
    return problem ? run_fail(run, SNEK_E_INVALID, "the store was asked wrongly: %s", problem)
                   : ask(run, q, &answer);
}

static int32_t store_set_has(struct snek_run *shown, uint32_t scope, const char *set,
                             const char *entry) {
    return simple(shown, &(struct question){FRAME_SET_HAS, scope, set, entry, NULL, 0});
}

static int32_t store_set_add(struct snek_run *shown, uint32_t scope, const char *set,
                             const char *entry) {
    return simple(shown, &(struct question){FRAME_SET_ADD, scope, set, entry, NULL, 0});
}

static int32_t store_set_remove(struct snek_run *shown, uint32_t scope, const char *set,
                                const char *entry) {
    return simple(shown, &(struct question){FRAME_SET_REMOVE, scope, set, entry, NULL, 0});
}

static int32_t store_get(struct snek_run *shown, uint32_t scope, const char *key,
                         struct snek_text *value) {
    const struct question q = {FRAME_KEY_GET, scope, "", key, NULL, 0};
    if (value) {
        *value = (struct snek_text){0};
    }
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    const char *problem = value ? wrong(&q, false) : "get() has nowhere to put the value";
    AUTO_ANSWER struct answer answer = {0};
    int32_t result = problem
                         ? run_fail(run, SNEK_E_INVALID, "the store was asked wrongly: %s", problem)
                         : ask(run, &q, &answer);
    if (result == 1) {
        value->data = arena_text(&run->arena, answer.body.data, answer.body.bytes);
        value->bytes = value->data ? answer.body.bytes : 0;
        if (!value->data) {
            return run_fail(run, SNEK_E_STORE, "the run's memory is used up");
        }
    }
    return result;
}

static int32_t store_put(struct snek_run *shown, uint32_t scope, const char *key, const char *value,
                         uint64_t value_bytes) {
    int32_t result =
        simple(shown, &(struct question){FRAME_KEY_PUT, scope, "", key, value, value_bytes});
    return result < 0 ? result : 0;
}

static int32_t store_remove(struct snek_run *shown, uint32_t scope, const char *key) {
    return simple(shown, &(struct question){FRAME_KEY_DELETE, scope, "", key, NULL, 0});
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
