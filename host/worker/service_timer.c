/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "timer": tells the host which timers the run sets when it ends well. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "worker/descriptor.h"
#include "worker/memory_limit.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/wire.h"
#include "worker/worker.h"

#include <snekomatic/timer.h>

#include <string.h>

/* Appends `,"name":VALUE`, the JSON of what `path` leads to in the payload; nothing when there is
 * none. */
static int append_value(struct buffer *json, struct run *run, const char *path, const char *name) {
    struct snek_value value;
    uint32_t kind = run_find(run, path, &value);
    if (kind == SNEK_ABSENT || kind == SNEK_NULL) {
        return 0;
    }
    int result =
        buffer_printf(json, "%s\"%s\":", json->data[json->bytes - 1] == '{' ? "" : ",", name);
    return result |
           (kind == SNEK_STRING ? buffer_append_json_string(json, value.text.data, value.text.bytes)
                                : buffer_append(json, value.text.data, value.text.bytes));
}

/* The parts of the payload that say what the run is about. */
static int append_subject(struct buffer *json, struct run *run) {
    static const char *const items[] = {"issue", "pull_request", "discussion"};
    int result = buffer_append_text(json, ",\"installation\":{");
    result |= append_value(json, run, "installation.id", "id");
    result |= buffer_append_text(json, "}");
    if (run_find(run, "repository.id", NULL) == SNEK_NUMBER) {
        result |= buffer_append_text(json, ",\"repository\":{");
        result |= append_value(json, run, "repository.id", "id");
        result |= append_value(json, run, "repository.name", "name");
        result |= append_value(json, run, "repository.full_name", "full_name");
        result |= append_value(json, run, "repository.default_branch", "default_branch");
        if (run_find(run, "repository.owner.login", NULL) == SNEK_STRING) {
            result |= buffer_append_text(json, ",\"owner\":{");
            result |= append_value(json, run, "repository.owner.login", "login");
            result |= buffer_append_text(json, "}");
        }
        result |= buffer_append_text(json, "}");
    }
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        char path[40];
        snprintf(path, sizeof path, "%s.number", items[i]);
        if (run_find(run, path, NULL) == SNEK_NUMBER) {
            result |= buffer_printf(json, ",\"%s\":{", items[i]);
            result |= append_value(json, run, path, "number");
            result |= buffer_append_text(json, "}");
            return result;
        }
    }
    return result;
}

static int build_payload(struct buffer *json, struct run *run, const char *key, const char *data) {
    int result = buffer_append_text(json, "{\"timer\":{\"key\":");
    result |= buffer_append_json_string(json, key, strlen(key));
    result |= buffer_append_text(json, ",\"data\":");
    result |= buffer_append_text(json, data ? data : "null");
    result |= buffer_append_text(json, "}");
    return result | append_subject(json, run) | buffer_append_text(json, "}");
}

static int32_t send(struct run *run, const char *key, uint64_t delay_ms,
                    const struct buffer *payload) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    frame_begin(&writer, &buffer, FRAME_TIMER, run_handle(run), 0);
    frame_put_number(&writer, delay_ms);
    frame_put_text(&writer, key);
    frame_put_bytes(&writer, payload ? payload->data : "", payload ? payload->bytes : 0);
    if (frame_end(&writer) < 0 || wire_send(worker_wire(run_worker(run)), &buffer, NULL, 0) < 0) {
        return run_fail(run, SNEK_E_FAILED, "a timer could not be sent: %s",
                        memory_limit_sentence());
    }
    return 0;
}

static bool subscribes(const struct snek_plugin *plugin) {
    for (uint32_t i = 0; i < plugin->subscriptions_count; i++) {
        if (strcmp(plugin->subscriptions[i].event, SNEK_TIMER_EVENT) == 0) {
            return true;
        }
    }
    return false;
}

/* 0, or a negative error. */
static int32_t check_key(struct run *run, const char *key) {
    if (!key) {
        return run_fail_null(run, "a timer needs a key, and got NULL");
    }
    if (!text_is_line(key, FRAME_TIMER_KEY_MAX)) {
        return run_fail(run, SNEK_E_INVALID,
                        "a timer's key must be a line of 1 to %d bytes of UTF-8",
                        FRAME_TIMER_KEY_MAX);
    }
    if (!subscribes(worker_plugin(run_worker(run)))) {
        return run_fail(run, SNEK_E_INVALID,
                        "a timer would reach nobody: add a subscription to \"" SNEK_TIMER_EVENT
                        "\"");
    }
    return 0;
}

static int32_t check_data(struct run *run, int64_t delay_ms, const char *data) {
    const char *why;
    size_t at;
    if (delay_ms < 0 || delay_ms > FRAME_TIMER_DELAY_MAX_MS) {
        return run_fail(run, SNEK_E_INVALID, "a timer's delay must be 0 to 90 days");
    }
    if (data && strlen(data) > FRAME_TIMER_DATA_MAX) {
        return run_fail(run, SNEK_E_INVALID, "a timer's data may have 64 KiB");
    }
    if (data && json_check(data, strlen(data), &why, &at) < 0) {
        return run_fail(run, SNEK_E_INVALID, "a timer's data is not JSON: %s at byte %zu", why, at);
    }
    return 0;
}

static int32_t count_timer(struct run *run, size_t bytes) {
    return run_count_timer(run, bytes)
               ? 0
               : run_fail(run, SNEK_E_TOO_LARGE,
                          "a run may set and cancel %d timers, with %u bytes in all",
                          FRAME_TIMERS_MAX, FRAME_TIMERS_BYTES_MAX);
}

static int32_t timer_set(struct snek_run *shown, const char *key, int64_t delay_ms,
                         const char *data) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    AUTO_BUFFER struct buffer payload = BUFFER_INIT(FRAME_TIMER_PAYLOAD_MAX);
    int32_t result = check_key(run, key);
    result = result < 0 ? result : check_data(run, delay_ms, data);
    if (result < 0) {
        return result;
    }
    if (build_payload(&payload, run, key, data) != 0) {
        return run_fail(run, SNEK_E_FAILED, "a timer could not be built: %s",
                        memory_limit_sentence());
    }
    result = count_timer(run, payload.bytes);
    return result < 0 ? result : send(run, key, (uint64_t)delay_ms, &payload);
}

static int32_t timer_cancel(struct snek_run *shown, const char *key) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t result = check_key(run, key);
    result = result < 0 ? result : count_timer(run, 0);
    return result < 0 ? result : send(run, key, FRAME_TIMER_CANCEL, NULL);
}

const struct snek_timer_service service_timer = {
    .bytes = sizeof(struct snek_timer_service),
    .set = timer_set,
    .cancel = timer_cancel,
};
