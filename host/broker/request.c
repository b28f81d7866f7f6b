/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of one request through the broker. Rate limits, retries and effects will stand between
 * begin_request() and take_token(), and around take_answer(). */
#include "broker/request.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/answer.h"
#include "runner/frames.h"

#include <snekomatic/types.h>

#include <string.h>

#define INSTALLATION_MAX 200 /* bytes; opaque, but not without end */
#define PERMISSIONS_MAX 65536

struct job {
    struct workshop *workshop;
    struct broker_request *request;
    struct target target;
    struct token_waiter token;
    struct slug_waiter slug;
    struct exchange exchange;
    uint64_t mint; /* the token that it was sent with */
    bool fresh;    /* made for it: a 401 is final then */
    int64_t begun_at_ms;
    TAILQ_ENTRY(job) link;
};

static void deliver(struct mail *mail) {
    struct broker_request *request = CONTAINER_OF(mail, struct broker_request, mail);
    request->done(request);
}

/* Nobody touches the request after this. */
static void post_answer(struct broker_request *request) {
    request->broker_private = NULL;
    request->mail.open = deliver;
    mailbox_post(request->reply_to, &request->mail);
}

static void finish(struct job *job) {
    struct broker_request *request = job->request;
    bool asked = request->kind == BROKER_REQUEST;
    log_event(
        LOG_INFO, "request", LOG_TEXT("method", asked ? request->method : "GET"),
        LOG_TEXT("url", asked ? job->target.path : "/app"), LOG_NUMBER("status", request->status),
        LOG_NUMBER("ms", clock_monotonic_ms() - job->begun_at_ms),
        LOG_TEXT("plugin", request->plugin), LOG_TEXT("delivery", request->delivery),
        LOG_TEXT("installation", request->installation), LOG_NUMBER("attempt", request->attempt));
    TAILQ_REMOVE(&job->workshop->jobs, job, link);
    tokens_forget(&job->token);
    slug_forget(&job->slug);
    exchange_finish(&job->exchange);
    target_finish(&job->target);
    free(job);
    post_answer(request);
}

static void finish_with(struct job *job, int32_t outcome, int32_t status, const char *why) {
    job->request->outcome = outcome;
    job->request->status = status;
    (void)error_set(&job->request->error, "%s", why);
    finish(job);
}

static void take_answer(struct exchange *exchange) {
    struct job *job = CONTAINER_OF(exchange, struct job, exchange);
    struct broker_request *request = job->request;
    if (exchange->status == 401 && !job->fresh) {
        /* Revoked, or expired by a clock that jumped: at GitHub nothing has happened yet. */
        tokens_drop(job->workshop->tokens, request->installation, job->token.permissions,
                    job->mint);
        tokens_get(job->workshop->tokens, &job->token);
        return;
    }
    request->outcome = exchange->outcome;
    request->status = exchange->status;
    request->error = exchange->error;
    request->headers = exchange->headers;
    request->answer = exchange->answer;
    exchange->headers = (struct buffer)BUFFER_INIT(exchange->headers.max);
    exchange->answer = (struct buffer)BUFFER_INIT(exchange->answer.max);
    finish(job);
}

static void take_token(struct token_waiter *waiter, const struct token_answer *answer) {
    struct job *job = CONTAINER_OF(waiter, struct job, token);
    if (answer->outcome < 0) {
        /* No status: it is not that of the plugin's request, whose 404 would mean something else.
         */
        job->request->installation_gone = answer->gone;
        finish_with(job, answer->outcome, 0, answer->error->text);
        return;
    }
    /* A second 401 is final, even if the second token was made for someone else meanwhile. */
    job->fresh = answer->fresh || job->mint != 0;
    job->mint = answer->mint;
    transport_send(job->workshop->way->transport, &job->exchange, answer->text);
}

/* 0, or a negative enum snek_error: what can be said without asking anyone. */
static int32_t check(struct job *job, struct error *err) {
    static const char *const methods[] = {"GET", "PUT", "POST", "PATCH", "DELETE"};
    const struct broker_request *request = job->request;
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        known = known || strcmp(request->method, methods[i]) == 0;
    }
    if (!known || (request->method[0] == 'G' && request->body_bytes > 0)) {
        (void)error_set(err, known ? "a GET takes no body"
                                   : "the method is none of GET, PUT, POST, PATCH, DELETE");
        return SNEK_E_INVALID;
    }
    if (!request->installation || !request->installation[0] ||
        strnlen(request->installation, INSTALLATION_MAX + 1) > INSTALLATION_MAX ||
        strnlen(job->token.permissions, PERMISSIONS_MAX + 1) > PERMISSIONS_MAX) {
        (void)error_set(err, "the run has no installation to act for");
        return SNEK_E_INVALID;
    }
    int32_t outcome = origin_resolve(job->workshop->way->origin, request->url, &job->target, err);
    if (outcome == 0 && job->target.as_app) {
        char shown[ANSWER_URL_SHOWN + 1];
        answer_clean(shown, sizeof shown, job->target.path, strlen(job->target.path));
        (void)error_set(err, "%s %s: plugins make no requests as the app", request->method, shown);
        return SNEK_E_FORBIDDEN;
    }
    return outcome;
}

static void begin_request(struct job *job) {
    const struct broker_request *request = job->request;
    struct error err;
    /* No permissions at all would mean all of them to GitHub. */
    bool none = !request->permissions || !request->permissions[0] ||
                strcmp(request->permissions, "{}") == 0;
    job->token = (struct token_waiter){
        .plugin = request->plugin,
        .installation = request->installation,
        .permissions = none ? "{\"metadata\":\"read\"}" : request->permissions,
        .answered = take_token,
    };
    int32_t outcome = check(job, &err);
    if (outcome < 0) {
        finish_with(job, outcome, 0, err.text);
        return;
    }
    job->exchange.method = request->method;
    job->exchange.url = job->target.url;
    job->exchange.path = job->target.path;
    job->exchange.body = request->body;
    job->exchange.body_bytes = request->body ? request->body_bytes : 0;
    job->exchange.owner = request->plugin;
    job->exchange.done = take_answer;
    tokens_get(job->workshop->tokens, &job->token);
}

static void take_slug(struct slug_waiter *waiter, const char *slug,
                      const struct exchange *exchange) {
    struct job *job = CONTAINER_OF(waiter, struct job, slug);
    if (!slug) {
        finish_with(job, exchange->outcome, exchange->status, exchange->error.text);
        return;
    }
    bool whole = buffer_append_text(&job->request->answer, slug) == 0;
    finish_with(job, whole ? 0 : SNEK_E_FAILED, 200, whole ? "" : "no memory");
}

void request_begin(struct workshop *workshop, struct broker_request *request) {
    request->outcome = 0;
    request->status = 0;
    request->error.text[0] = '\0';
    request->headers = (struct buffer)BUFFER_INIT(TRANSPORT_HEADERS_MAX);
    request->answer = (struct buffer)BUFFER_INIT(FRAME_REPLY_BODY_MAX);
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        request->outcome = SNEK_E_FAILED;
        (void)error_set(&request->error, "no memory");
        post_answer(request);
        return;
    }
    job->workshop = workshop;
    job->request = request;
    job->begun_at_ms = clock_monotonic_ms();
    exchange_init(&job->exchange, FRAME_REPLY_BODY_MAX, false);
    request->broker_private = job;
    TAILQ_INSERT_TAIL(&workshop->jobs, job, link);
    if (request->kind == BROKER_SLUG) {
        job->slug.answered = take_slug;
        slug_get(workshop->slug, &job->slug);
    } else {
        begin_request(job);
    }
}

void request_cancel_all(struct workshop *workshop) {
    struct job *job;
    while ((job = TAILQ_FIRST(&workshop->jobs))) {
        finish_with(job, SNEK_E_CANCELLED, 0, "the host stops");
    }
}
