/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "store": sets and values that the host keeps for the plugin. Each operation is one call.
 */
#include "base/text.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/store_call.h"

#include <snekomatic/store.h>

#include <string.h>

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
    if (!of_set && strncmp(call->name, STORE_RESERVED, strlen(STORE_RESERVED)) == 0) {
        return "keys that begin with \"" STORE_RESERVED
               "\" belong to the host: choose another name";
    }
    if (call->value_bytes > FRAME_STORE_VALUE_MAX) {
        return "a value is at most 64 KiB";
    }
    return !call->value && call->value_bytes > 0 ? "the value is NULL" : NULL;
}

static int32_t simple(struct snek_run *shown, const struct store_call *call) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    const char *problem = problem_of(call, call->operation <= FRAME_SET_REMOVE);
    AUTO_CALL_RESULT struct call_result stored = {0};
    if (problem && (!call->name || (!call->value && call->value_bytes > 0))) {
        return run_fail_null(run, "the store rejects the call: a text of it is NULL");
    }
    return problem ? run_fail(run, SNEK_E_INVALID, "the store rejects the call: %s", problem)
                   : store_call_send(run, call, &stored);
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
    return problem ? run_fail(run, SNEK_E_INVALID, "the store rejects the call: %s", problem)
                   : store_call_get(run, scope, key, value);
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
