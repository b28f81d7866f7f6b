/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "text": memory of a run or of the plugin, JSON from a pattern, and texts with {names}. */
#include "base/buffer.h"
#include "protocol/frames.h"
#include "worker/arena.h"
#include "worker/memory_limit.h"
#include "worker/pattern.h"
#include "worker/run.h"
#include "worker/services.h"
#include "worker/worker.h"

#include <snekomatic/text.h>

#include <string.h>

/* Leaves the reason, and returns NULL. */
static void *fail(const struct snek_host *host, struct snek_run *shown, int32_t code,
                  const char *sentence) {
    if (shown) {
        run_fail_text(run_of(shown), code, sentence);
    } else if (host) {
        worker_set_rejection(worker_of(host), sentence, strlen(sentence));
    }
    return NULL;
}

static void *text_allocate(const struct snek_host *host, struct snek_run *shown, uint64_t size) {
    struct arena *arena = NULL;
    if (shown) {
        arena = run_arena(run_of(shown));
    } else if (host) {
        arena = worker_arena(worker_of(host));
    }
    void *memory = arena && size <= SIZE_MAX / 2 ? arena_alloc(arena, (size_t)size) : NULL;
    if (memory) {
        return memory;
    }
    return fail(host, shown, SNEK_E_FAILED,
                shown ? "the memory of the run is used up: its texts have more than 64 MiB, or "
                        "plugin.memory_mib is too small"
                      : memory_limit_sentence());
}

static const char *keep(const struct snek_host *host, struct snek_run *shown,
                        const struct buffer *buffer) {
    char *text = text_allocate(host, shown, buffer->bytes + 1);
    if (text) {
        memcpy(text, buffer->data ? buffer->data : "", buffer->bytes);
        text[buffer->bytes] = '\0';
    }
    return text;
}

static const char *text_print(const struct snek_host *host, struct snek_run *shown,
                              const char *format, const struct snek_argument *arguments,
                              uint32_t arguments_count) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct error err;
    if (pattern_print(&text, format, arguments, arguments_count, &err) < 0) {
        return fail(host, shown, SNEK_E_INVALID, err.text);
    }
    return keep(host, shown, &text);
}

static const char *text_json(const struct snek_host *host, struct snek_run *shown,
                             const char *pattern, const struct snek_argument *arguments,
                             uint32_t arguments_count) {
    AUTO_BUFFER struct buffer json = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct error err;
    if (pattern_json(&json, pattern, arguments, arguments_count, &err) < 0) {
        return fail(host, shown, SNEK_E_INVALID, err.text);
    }
    return keep(host, shown, &json);
}

/* The parameter whose "{name}" begins at `text`; NULL when there is none. */
static const struct snek_parameter *
parameter_at(const char *text, const struct snek_parameter *parameters, uint32_t count) {
    for (uint32_t i = 0; *text == '{' && i < count; i++) {
        size_t bytes = strlen(parameters[i].name);
        if (strncmp(text + 1, parameters[i].name, bytes) == 0 && text[bytes + 1] == '}') {
            return &parameters[i];
        }
    }
    return NULL;
}

/* The text to fill is NULL, perhaps because it could not be built: then that reason stays. */
static const char *fail_null(const struct snek_host *host, struct snek_run *shown) {
    static const char sentence[] = "fill() needs a text, and got NULL";
    char reason[FRAME_REASON_MAX + 1];
    if (!shown) {
        bool is_explained = host && *worker_rejection(worker_of(host));
        return is_explained ? NULL : fail(host, shown, SNEK_E_INVALID, sentence);
    }
    int32_t code = run_fail_null(run_of(shown), sentence);
    run_copy_reason(run_of(shown), reason);
    return fail(host, shown, code, reason);
}

static const char *text_fill(const struct snek_host *host, struct snek_run *shown, const char *text,
                             const struct snek_parameter *parameters, uint32_t parameters_count) {
    AUTO_BUFFER struct buffer filled = BUFFER_INIT(FRAME_TO_HOST_MAX);
    if (!text) {
        return fail_null(host, shown);
    }
    for (uint32_t i = 0; i < parameters_count; i++) {
        if (!parameters || !parameters[i].name) {
            return fail(host, shown, SNEK_E_INVALID, "fill() got a parameter without a name");
        }
    }
    for (const char *at = text; *at;) {
        const struct snek_parameter *parameter = parameter_at(at, parameters, parameters_count);
        struct error err;
        if (parameter && !parameter->value) {
            error_set(&err, "the value of {%.100s} is NULL: did its path lead to a text?",
                      parameter->name);
            return fail(host, shown, SNEK_E_INVALID, err.text);
        }
        size_t bytes = parameter ? strlen(parameter->value) : 1;
        if (buffer_append(&filled, parameter ? parameter->value : at, bytes) < 0) {
            return fail(host, shown, SNEK_E_TOO_LARGE, "the filled text is larger than 4 MiB");
        }
        at += parameter ? strlen(parameter->name) + 2 : 1;
    }
    return keep(host, shown, &filled);
}

const struct snek_text_service service_text = {
    .bytes = sizeof(struct snek_text_service),
    .allocate = text_allocate,
    .print = text_print,
    .json = text_json,
    .fill = text_fill,
};
