/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of one request through the broker:
 *
 *   check -> enter (ratelimits.c) -> token -> send -> answer -> done
 *              ^                                   |
 *              '--- at once, or after a while -----'   another token, a limit, a passing failure
 */
#include "broker/request.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/answer.h"
#include "runner/frames.h"

#include <snekomatic/types.h>

#include <string.h>

#define INSTALLATION_MAX INBOX_NAME_MAX
#define PERMISSIONS_MAX 65536
#define REFUSALS_MAX 4     /* of a fresh token: over 7.5 s with the usual first wait */
#define LIMITED_MAX 10     /* answers that name a limit with a short wait each */
#define ANNOUNCED_FACTOR 8 /* of the first wait: 2 s */

struct job {
    struct workshop *workshop;
    struct broker_request *request;
    struct target target;
    struct limits_waiter limit;
    struct token_waiter token;
    struct slug_waiter slug;
    struct retry retry;
    struct exchange exchange;
    uint64_t mint; /* the token that it was sent with; 0 none yet */
    bool fresh;    /* that token was made lately */
    bool renewed, looked_again;
    unsigned tries, refusals, limited;
    int64_t begun_at_ms;
    int64_t first_sent_ms, waited_before_ms; /* 0: not sent yet; the waits until then */
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

/* A number that is shown when it tells something. */
static struct log_field number_above(const char *name, int64_t number, int64_t least) {
    return number > least ? LOG_NUMBER(name, number) : (struct log_field){.key = name};
}

static void finish(struct job *job) {
    struct broker_request *request = job->request;
    bool asked = request->kind == BROKER_REQUEST;
    log_event(
        LOG_INFO, "request", LOG_TEXT("method", asked ? request->method : "GET"),
        LOG_TEXT("url", asked ? job->target.path : "/app"), LOG_NUMBER("status", request->status),
        LOG_NUMBER("ms", clock_monotonic_ms() - job->begun_at_ms),
        number_above("waited_ms", atomic_load(&request->waited.total_ms), 0),
        number_above("tries", job->tries, 1), LOG_TEXT("plugin", request->plugin),
        LOG_TEXT("delivery", request->delivery), LOG_TEXT("installation", request->installation),
        LOG_NUMBER("attempt", request->attempt));
    TAILQ_REMOVE(&job->workshop->jobs, job, link);
    limits_forget(job->workshop->limits, &job->limit);
    retry_forget(&job->workshop->retries, &job->retry);
    tokens_forget(&job->token);
    slug_forget(&job->slug);
    exchange_finish(&job->exchange);
    target_finish(&job->target);
    free(job);
    post_answer(request);
}

static void finish_with(struct job *job, int32_t outcome, int32_t status, const char *why) {
    job->request->sent = job->exchange.easy != NULL; /* cut off under way */
    job->request->outcome = outcome;
    job->request->status = status;
    (void)error_set(&job->request->error, "%s", why);
    finish(job);
}

static void put_off(struct job *job, int64_t until_ms, const char *why) {
    job->request->not_before_ms = until_ms;
    finish_with(job, SNEK_E_REQUEUE, 0, why);
}

static void take_put_off(struct limits_waiter *waiter, int64_t until_ms, const char *why) {
    put_off(CONTAINER_OF(waiter, struct job, limit), until_ms, why);
}

static void enter(struct job *job) {
    limits_enter(job->workshop->limits, &job->limit);
}

static void take_retry(struct retry *retry) {
    enter(CONTAINER_OF(retry, struct job, retry));
}

/* What is left of the request's time, in which waits for limits do not count. */
static int64_t left_ms(const struct job *job) {
    int64_t waited_ms = atomic_load(&job->request->waited.total_ms) - job->waited_before_ms;
    int64_t spent_ms = clock_monotonic_ms() - job->first_sent_ms - waited_ms;
    return job->workshop->timeout_ms - spent_ms;
}

/* True when it is sent again, then or now. */
static bool again(struct job *job, int64_t wait_ms) {
    if (left_ms(job) <= wait_ms) {
        return false;
    }
    if (wait_ms == 0) {
        enter(job);
    } else if (job->workshop->draining) {
        put_off(job, clock_wall_ms() + wait_ms, "the host stops");
    } else {
        retry_after(&job->workshop->retries, &job->retry, wait_ms);
    }
    return true;
}

/* GitHub did not take the token: nothing has happened yet, whatever the method. */
static bool again_after_refusal(struct job *job) {
    if (!job->renewed && (!job->fresh || job->refusals == REFUSALS_MAX / 2)) {
        job->renewed = true; /* it was revoked, or expired by a clock that jumped */
        tokens_drop(job->workshop->tokens, job->request->installation, job->token.permissions,
                    job->mint);
        return again(job, 0);
    }
    /* Not known everywhere at GitHub yet. */
    return ++job->refusals <= REFUSALS_MAX &&
           again(job, (job->workshop->retries.first_ms * 2) << (job->refusals - 1));
}

/* True when the answer is not the last word, and the job has been seen to. */
static bool send_again(struct job *job, bool limited) {
    const struct exchange *exchange = &job->exchange;
    struct retries *retries = &job->workshop->retries;
    if (limited) {
        return ++job->limited <= LIMITED_MAX && again(job, 0);
    }
    if (exchange->status == 401) {
        return again_after_refusal(job);
    }
    if (exchange->status == 404 && job->request->announced && !job->looked_again) {
        job->looked_again = true;
        return again(job, retries->first_ms * ANNOUNCED_FACTOR);
    }
    return is_passing(exchange) && may_repeat(&job->limit.kind, exchange) &&
           job->tries < RETRY_TRIES_MAX && again(job, retry_backoff_ms(retries, job->tries));
}

static void take_answer(struct exchange *exchange) {
    struct job *job = CONTAINER_OF(exchange, struct job, exchange);
    struct broker_request *request = job->request;
    bool limited = limits_leave(job->workshop->limits, &job->limit, exchange);
    if (send_again(job, limited)) {
        return;
    }
    request->outcome = exchange->outcome;
    request->status = exchange->status;
    request->sent = !exchange->unsent;
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
    job->fresh = answer->fresh;
    job->mint = answer->mint;
    job->tries++;
    if (job->first_sent_ms == 0) {
        job->first_sent_ms = clock_monotonic_ms();
        job->waited_before_ms = atomic_load(&job->request->waited.total_ms);
    }
    int64_t timeout_ms = left_ms(job);
    job->exchange.timeout_ms = timeout_ms > 0 ? timeout_ms : 1;
    limits_sent(job->workshop->limits, &job->limit);
    transport_send(job->workshop->way->transport, &job->exchange, answer->text);
}

static void take_admission(struct limits_waiter *waiter) {
    struct job *job = CONTAINER_OF(waiter, struct job, limit);
    tokens_get(job->workshop->tokens, &job->token);
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
    job->exchange.turn.owner = request->plugin;
    job->exchange.done = take_answer;
    job->limit = (struct limits_waiter){
        .installation = request->installation,
        .kind = request_kind_of(request->method, job->target.path, request->body,
                                job->exchange.body_bytes),
        .waited = &job->request->waited,
        .admitted = take_admission,
        .put_off = take_put_off,
        .turn.owner = request->plugin,
    };
    job->retry.due = take_retry;
    enter(job);
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
    if (request->kind == BROKER_APP) {
        errand_begin(workshop->way, &workshop->errands, request);
        return;
    }
    request->outcome = 0;
    request->status = 0;
    request->not_before_ms = 0;
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

void request_drain_all(struct workshop *workshop) {
    struct job *job, *next;
    workshop->draining = true;
    for (job = TAILQ_FIRST(&workshop->jobs); job; job = next) {
        next = TAILQ_NEXT(job, link);
        if (job->retry.waiting) {
            put_off(job, clock_wall_ms(), "the host stops");
        }
    }
    limits_drain(workshop->limits);
}

void request_cancel_all(struct workshop *workshop) {
    struct job *job;
    errands_cancel_all(&workshop->errands);
    while ((job = TAILQ_FIRST(&workshop->jobs))) {
        finish_with(job, SNEK_E_CANCELLED, 0, "the host stops");
    }
}
