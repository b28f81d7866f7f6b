/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks every field, because the worker is not trusted. */
#include "worker_process/run_frames.h"

#include <string.h>

struct run_frames {
    const struct worker_process_handlers *handlers;
    void *context;
};

/* True when a text other than the body has a NUL, where other readers would stop. */
static bool has_nul(const struct http_call *request) {
    const struct frame_text *texts[] = {
        &request->method,  &request->url,        &request->accept, &request->content_type,
        &request->headers, &request->repository, &request->once};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (memchr(texts[i]->data, '\0', texts[i]->bytes)) {
            return true;
        }
    }
    return false;
}

static int parse_http_call(const struct run_frames *frames, const struct frame_head *head,
                           struct frame_reader *reader) {
    struct http_call request = {.run = head->run, .request = head->request};
    uint64_t flags = frame_get_number(reader);
    request.repeatable = flags & FRAME_HTTP_REPEATABLE;
    request.adds = flags & FRAME_HTTP_ADDS;
    request.announced = flags & FRAME_HTTP_ANNOUNCED;
    request.no_follow = flags & FRAME_HTTP_NO_FOLLOW;
    request.method = frame_get_text(reader, 10);
    request.url = frame_get_text(reader, FRAME_URL_MAX);
    request.accept = frame_get_text(reader, FRAME_MEDIA_MAX);
    request.content_type = frame_get_text(reader, FRAME_MEDIA_MAX);
    request.headers = frame_get_text(reader, FRAME_HEADERS_MAX);
    request.repository = frame_get_text(reader, FRAME_NAME_MAX * 2);
    request.once = frame_get_text(reader, FRAME_NAME_MAX);
    request.body = frame_get_text(reader, FRAME_TO_HOST_MAX);
    uint64_t known =
        FRAME_HTTP_REPEATABLE | FRAME_HTTP_ADDS | FRAME_HTTP_ANNOUNCED | FRAME_HTTP_NO_FOLLOW;
    if (!frames->handlers->on_http_call || frame_read_end(reader) < 0 || (flags & ~known) ||
        has_nul(&request)) {
        return -1;
    }
    return frames->handlers->on_http_call(frames->context, &request) ? 0 : RUN_FRAME_MUST_WAIT;
}

static int parse_store_call(const struct run_frames *frames, const struct frame_head *head,
                            struct frame_reader *reader) {
    struct store_call request = {.run = head->run, .request = head->request};
    uint64_t operation = frame_get_number(reader), per_installation = frame_get_number(reader);
    request.operation = (enum frame_store_operation)operation;
    request.per_installation = per_installation == 1;
    request.set = frame_get_text(reader, FRAME_NAME_MAX);
    request.name = frame_get_text(reader, FRAME_STORE_ENTRY_MAX);
    request.value = frame_get_text(reader, FRAME_STORE_VALUE_MAX);
    if (!frames->handlers->on_store_call || frame_read_end(reader) < 0 ||
        operation > FRAME_RESERVE || per_installation > 1) {
        return -1;
    }
    return frames->handlers->on_store_call(frames->context, &request) ? 0 : RUN_FRAME_MUST_WAIT;
}

static int parse_app_call(const struct run_frames *frames, const struct frame_head *head,
                          struct frame_reader *reader) {
    uint64_t question = frame_get_number(reader);
    struct app_call request = {
        .run = head->run, .request = head->request, .question = (enum frame_app_question)question};
    if (!frames->handlers->on_app_call || frame_read_end(reader) < 0 ||
        question > FRAME_APP_PERMISSIONS) {
        return -1;
    }
    return frames->handlers->on_app_call(frames->context, &request) ? 0 : RUN_FRAME_MUST_WAIT;
}

static int parse_log(const struct run_frames *frames, const struct frame_head *head,
                     struct frame_reader *reader) {
    uint64_t level = frame_get_number(reader);
    struct frame_text text = frame_get_text(reader, FRAME_REASON_MAX);
    if (frame_read_end(reader) < 0 || level > SNEK_LEVEL_ERROR) {
        return -1;
    }
    return frames->handlers->on_log(frames->context, head->run, (enum log_level)level, text)
               ? 0
               : RUN_FRAME_MUST_WAIT;
}

static int parse_timer(const struct run_frames *frames, const struct frame_head *head,
                       struct frame_reader *reader) {
    uint64_t delay_ms = frame_get_number(reader);
    struct frame_text key = frame_get_text(reader, FRAME_TIMER_KEY_MAX);
    struct frame_text payload = frame_get_text(reader, FRAME_TIMER_PAYLOAD_MAX);
    bool cancels = delay_ms == FRAME_TIMER_CANCEL;
    if (!frames->handlers->on_timer || frame_read_end(reader) < 0 || key.bytes == 0 ||
        cancels != (payload.bytes == 0) || (!cancels && delay_ms > FRAME_TIMER_DELAY_MAX_MS)) {
        return -1;
    }
    return frames->handlers->on_timer(frames->context, head->run, (int64_t)delay_ms, key, payload)
               ? 0
               : -1;
}

static int parse_result(const struct run_frames *frames, const struct frame_head *head,
                        struct frame_reader *reader) {
    int64_t result = (int64_t)frame_get_number(reader);
    int64_t delay_ms = (int64_t)frame_get_number(reader);
    struct frame_text reason = frame_get_text(reader, FRAME_REASON_MAX);
    struct frame_text paths = frame_get_text(reader, FRAME_PATHS_MAX);
    if (!frames->handlers->on_result || frame_read_end(reader) < 0) {
        return -1;
    }
    frames->handlers->on_result(frames->context, head->run, result, delay_ms, reason, paths);
    return 0;
}

static int parse_explained(const struct run_frames *frames, const struct frame_head *head,
                           struct frame_reader *reader) {
    struct explained *items = NULL;
    size_t n_items = 0;
    if (!frames->handlers->on_explained || explained_parse(reader, &items, &n_items) < 0) {
        return -1;
    }
    return frames->handlers->on_explained(frames->context, head->run, items, n_items) ? 0 : -1;
}

int run_frames_parse(const struct worker_process_handlers *handlers, void *context,
                     const struct frame_head *head, struct frame_reader *reader) {
    const struct run_frames frames = {.handlers = handlers, .context = context};
    switch (head->kind) {
    case FRAME_HTTP_CALL:
        return parse_http_call(&frames, head, reader);
    case FRAME_STORE_CALL:
        return parse_store_call(&frames, head, reader);
    case FRAME_APP_CALL:
        return parse_app_call(&frames, head, reader);
    case FRAME_LOG:
        return parse_log(&frames, head, reader);
    case FRAME_TIMER:
        return parse_timer(&frames, head, reader);
    case FRAME_EXPLAINED:
        return parse_explained(&frames, head, reader);
    case FRAME_RESULT:
        return parse_result(&frames, head, reader);
    default:
        return -1;
    }
}
