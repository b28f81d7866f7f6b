/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the frame of an HTTP call, and puts its result into a response. */
#include "worker/http_send.h"

#include "worker/calls.h"
#include "worker/memory_limit.h"
#include "worker/permanent.h"
#include "worker/response.h"
#include "worker/run.h"

#include <string.h>

/* Does the payload name this URL? GitHub's views lag behind its webhooks, so the host retries a 404
 * of such a URL. */
static bool is_announced(const struct run *run, const char *url) {
    size_t bytes = strcspn(url, "?");
    struct snek_text payload = run_payload(run);
    const char *at = payload.data, *end = at + payload.bytes;
    while (bytes > 1 && (at = memmem(at, (size_t)(end - at), url, bytes))) {
        at += bytes;
        if (at < end && *at == '"') {
            return true;
        }
    }
    return false;
}

static int32_t exchange(struct run *run, const struct http_call *http, struct call_result *result) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    struct call call;
    int32_t begun = call_begin(&call, run, FRAME_HTTP_RESPONSE);
    if (begun < 0) {
        return begun;
    }
    const char *url = http->url.data, *headers = http->headers.data;
    unsigned flags = http->repeatable ? FRAME_HTTP_REPEATABLE : 0;
    flags |= http->adds ? FRAME_HTTP_ADDS : 0;
    flags |= is_announced(run, url) ? FRAME_HTTP_ANNOUNCED : 0;
    flags |= http->no_follow ? FRAME_HTTP_NO_FOLLOW : 0;
    frame_begin(&writer, &buffer, FRAME_HTTP_CALL, run_handle(run), call.request);
    frame_put_number(&writer, flags);
    frame_put_text(&writer, http->method);
    frame_put_text(&writer, url);
    frame_put_text(&writer, http->accept);
    frame_put_text(&writer, http->content_type);
    frame_put_text(&writer, headers ? headers : "");
    frame_put_text(&writer, http->repository);
    frame_put_text(&writer, http->once);
    frame_put_bytes_apart(&writer, http->body_bytes);
    /* The body counts towards the frame, but is not in the buffer. */
    bool built = frame_end(&writer) == 0 &&
                 buffer.bytes - sizeof(struct frame_head) + http->body_bytes <= FRAME_TO_HOST_MAX;
    return call_wait(&call, built ? &buffer : NULL, http->body, http->body_bytes, result);
}

int32_t http_send(struct run *run, const struct http_call *call, struct snek_response **response) {
    /* Before the request leaves: a change at GitHub must not end as "out of memory". */
    struct snek_response *kept = response ? response_new(run) : NULL;
    if (response && !kept) {
        return run_fail(run, SNEK_E_FAILED, "%s", memory_limit_sentence());
    }
    AUTO_CALL_RESULT struct call_result result = {0};
    int32_t outcome = exchange(run, call, &result);
    if (outcome == 0 && result.outcome < 0) {
        run_leave_reason(run, result.sentence.data, result.sentence.bytes);
        outcome = result.outcome;
        bool reads = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
        if (!reads && permanent_response(result.status, result.body.data, result.body.bytes)) {
            run_mark_permanent(run, outcome);
        }
    }
    if (kept && result.frame && result.status > 0) {
        response_fill(kept, &result);
        *response = kept;
    } else {
        response_free(kept);
    }
    return outcome;
}
