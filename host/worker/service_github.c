/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "github": requests, and the answers to them. What goes into a request is in request.c. */
#include "worker/calls.h"
#include "worker/request.h"
#include "worker/services.h"
#include "worker/value.h"

#include <string.h>

#define RESPONSE_TEXTS_MAX (32u << 20) /* bytes that find() hands out of one response */

struct snek_response {
    struct snek_response *next, **at; /* the run's list, under its lock */
    struct run *run;
    struct arena arena;
    struct answer answer;
};

/* ---- responses ---- */

static struct snek_response *response_new(struct run *run) {
    struct snek_response *response = calloc(1, sizeof *response);
    if (response) {
        response->run = run;
        arena_init(&response->arena, RESPONSE_TEXTS_MAX);
        (void)pthread_mutex_lock(&run->lock);
        response->next = run->responses;
        response->at = &run->responses;
        if (response->next) {
            response->next->at = &response->next;
        }
        run->responses = response;
        (void)pthread_mutex_unlock(&run->lock);
    }
    return response;
}

static void github_free_response(struct snek_response *response) {
    if (!response) {
        return;
    }
    (void)pthread_mutex_lock(&response->run->lock);
    *response->at = response->next;
    if (response->next) {
        response->next->at = response->at;
    }
    (void)pthread_mutex_unlock(&response->run->lock);
    arena_finish(&response->arena);
    answer_finish(&response->answer);
    free(response);
}

void services_release(struct run *run) {
    while (run->lists) {
        pages_free(run->lists); /* they hold responses */
    }
    while (run->responses) {
        github_free_response(run->responses);
    }
}

static int32_t github_status(const struct snek_response *response) {
    return response ? response->answer.status : 0;
}

/* It is the frame's last field, behind which wire_read() put a NUL. */
static struct snek_text github_body(const struct snek_response *response) {
    return response ? (struct snek_text){.data = response->answer.body.data,
                                         .bytes = response->answer.body.bytes}
                    : (struct snek_text){0};
}

/* Lines "name: value\n". */
static struct snek_text github_header(struct snek_response *response, const char *name) {
    struct snek_text found = {0};
    if (!response || !name) {
        return found;
    }
    size_t name_bytes = strlen(name);
    const char *at = response->answer.headers.data, *end = at + response->answer.headers.bytes;
    while (at < end && !found.data) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline ? newline : end;
        size_t line_bytes = (size_t)(line_end - at);
        if (line_bytes > name_bytes && memcmp(at, name, name_bytes) == 0 && at[name_bytes] == ':') {
            const char *value = at + name_bytes + 1;
            value += value < line_end && *value == ' ';
            found.bytes = (uint64_t)(line_end - value);
            found.data = arena_text(&response->arena, value, found.bytes);
        }
        at = newline ? newline + 1 : end;
    }
    return found.data ? found : (struct snek_text){0};
}

static uint32_t github_find(struct snek_response *response, const char *path,
                            struct snek_value *value) {
    return response ? value_find(&response->arena, response->answer.body.data,
                                 response->answer.body.bytes, path, value)
                    : value_find(NULL, "", 0, NULL, value);
}

uint32_t response_find(struct snek_response *response, const char *json, size_t bytes,
                       const char *path, struct snek_value *value) {
    return value_find(&response->arena, json, bytes, path, value);
}

/* ---- sending ---- */

/* Does the webhook name this URL? GitHub's views lag behind its webhooks, so a 404 may pass. */
static bool is_announced(const struct run *run, const char *url) {
    size_t bytes = strcspn(url, "?");
    const char *at = run->payload.data, *end = at + run->payload.bytes;
    while (bytes > 1 && (at = memmem(at, (size_t)(end - at), url, bytes))) {
        at += bytes;
        if (at < end && *at == '"') {
            return true;
        }
    }
    return false;
}

static int32_t exchange(struct run *run, const struct outgoing *outgoing, struct answer *answer) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct frame_writer writer;
    struct call call;
    int32_t result = call_begin(&call, run, FRAME_HTTP_RESPONSE);
    if (result < 0) {
        return result;
    }
    const char *url = outgoing->url.data, *headers = outgoing->headers.data;
    frame_begin(&writer, &buffer, FRAME_HTTP_CALL, run->handle, call.request);
    frame_put_number(&writer, (outgoing->repeatable ? FRAME_HTTP_REPEATABLE : 0u) |
                                  (is_announced(run, url) ? FRAME_HTTP_ANNOUNCED : 0u));
    frame_put_text(&writer, outgoing->method);
    frame_put_text(&writer, url);
    frame_put_text(&writer, outgoing->accept);
    frame_put_text(&writer, outgoing->content_type);
    frame_put_text(&writer, headers ? headers : "");
    frame_put_text(&writer, outgoing->repository);
    frame_put_bytes_apart(&writer, outgoing->body_bytes);
    /* What goes apart counts towards the frame, but not towards the buffer's maximum. */
    bool built =
        frame_end(&writer) == 0 &&
        buffer.bytes - sizeof(struct frame_head) + outgoing->body_bytes <= FRAME_TO_HOST_MAX;
    return call_wait(&call, built ? &buffer : NULL, outgoing->body, outgoing->body_bytes, answer);
}

int32_t github_send(struct run *run, const struct outgoing *outgoing,
                    struct snek_response **response) {
    /* Before the request is out: what GitHub did must not end as "out of memory". */
    struct snek_response *kept = response ? response_new(run) : NULL;
    if (response && !kept) {
        return run_fail(run, SNEK_E_FAILED, "the worker is out of memory");
    }
    AUTO_ANSWER struct answer answer = {0};
    int32_t result = exchange(run, outgoing, &answer);
    if (result == 0 && answer.outcome < 0) {
        run_leave_reason(run, answer.sentence.data, answer.sentence.bytes);
        result = answer.outcome;
    }
    if (kept && answer.frame && answer.status > 0) {
        kept->answer = answer;
        answer = (struct answer){0};
        *response = kept;
    } else {
        github_free_response(kept);
    }
    return result;
}

static int32_t github_send_request(struct snek_run *shown, const struct snek_request *request,
                                   struct snek_response **response) {
    if (response) {
        *response = NULL;
    }
    if (!shown) {
        return SNEK_E_INVALID;
    }
    AUTO_OUTGOING struct outgoing outgoing;
    outgoing_init(&outgoing);
    int32_t result = request_build(run_of(shown), request, &outgoing);
    return result < 0 ? result : github_send(run_of(shown), &outgoing, response);
}

static int32_t github_graphql(struct snek_run *shown, const struct snek_graphql *query,
                              struct snek_response **response) {
    if (response) {
        *response = NULL;
    }
    if (!shown) {
        return SNEK_E_INVALID;
    }
    AUTO_OUTGOING struct outgoing outgoing;
    outgoing_init(&outgoing);
    int32_t result = request_build_graphql(run_of(shown), query, false, &outgoing);
    return result < 0 ? result : github_send(run_of(shown), &outgoing, response);
}

const struct snek_github_service service_github = {
    .bytes = sizeof(struct snek_github_service),
    .request_bytes = sizeof(struct snek_request),
    .send = github_send_request,
    .free_response = github_free_response,
    .status = github_status,
    .body = github_body,
    .header = github_header,
    .find = github_find,
    .graphql = github_graphql,
    .pages = pages_begin,
    .graphql_pages = pages_begin_graphql,
    .next = pages_next,
    .item = pages_item,
    .page = pages_page,
    .free_pages = pages_free,
};
