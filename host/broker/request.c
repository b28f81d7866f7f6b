/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of one request through the broker:
 *
 *   check -> enter (ratelimits.c) -> token -> send -> answer -> done
 *              ^                                   |
 *              '--- at once, or after a while -----'   another token, a limit, a passing failure,
 *                                                      a redirect
 */
#include "broker/request.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/answer.h"
#include "broker/headers.h"
#include "inbox/leases.h"
#include "inbox/limits.h"
#include "protocol/frames.h"

#include <snekomatic/types.h>

#include <string.h>

#define INSTALLATION_MAX INBOX_NAME_MAX
#define PERMISSIONS_MAX 65536
#define REJECTIONS_MAX 4     /* of a fresh token: over 7.5 s with the usual first wait */
#define LIMITED_MAX 10       /* answers that name a limit with a short wait each */
#define LIMITED_FOR_MS 60000 /* then the run is put off for so long */
#define REDIRECTS_MAX 5
#define FENCE_AFTER_MS 100 /* since its intent was committed, or it was asked whose the run is */
#define FENCES_MAX 3       /* without a sending */
#define ANNOUNCED_FACTOR 8 /* of the first wait: 2 s */

struct job {
    struct workshop *workshop;
    struct broker_request *request;
    struct target target;
    struct limits_waiter limit;
    struct token_waiter token;
    struct jwt_waiter jwt;
    uint32_t jwt_key;
    struct slug_waiter slug;
    struct retry retry;
    struct exchange exchange;
    uint64_t mint; /* the token that it was sent with; 0 none yet */
    bool fresh;    /* that token was made lately */
    bool renewed, looked_again;
    bool as_app;        /* with a JWT, not with a token */
    bool unconditional; /* what was kept went while GitHub said that it had not changed */
    bool from_kept;
    char version[32]; /* of the API, as the request names it */
    unsigned tries, rejections, limited, redirects;
    struct fence *fence; /* NULL: nothing is asked */
    int64_t fenced_at_ms;
    unsigned fences; /* since it was sent last */
    int64_t begun_at_ms;
    int64_t since_ms, waited_before_ms; /* begun, then first sent; the waits until then */
    TAILQ_ENTRY(job) link;
};

/* Is its run still ours? Outlives the job when that is cancelled. */
struct fence {
    struct inbox_lease_check ask;
    struct workshop *workshop;
    struct job *job; /* NULL: gone */
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

static void log_request(const struct job *job) {
    const struct broker_request *request = job->request;
    bool asked = request->kind == BROKER_REQUEST;
    const char *path = asked ? job->target.path : "/app"; /* NULL: its URL was rejected */
    char method[33], url[ANSWER_URL_SHOWN + 1];
    text_clean(method, sizeof method, asked ? request->method : "GET",
               asked ? strlen(request->method) : 3);
    url_show(url, path ? "" : request->url);
    log_event(
        request->kind == BROKER_TOKEN ? SNEK_LEVEL_DEBUG : SNEK_LEVEL_INFO, "request",
        LOG_TEXT("method", method), LOG_TEXT("url", path ? path : url),
        LOG_NUMBER("status", request->status),
        LOG_TEXT("reason",
                 request->outcome < 0 && request->status == 0 ? request->error.text : NULL),
        LOG_NUMBER("ms", clock_monotonic_ms() - job->begun_at_ms),
        number_above("waited_ms", atomic_load(&request->waited.total_ms), 0),
        number_above("tries", job->tries, 1), LOG_TEXT("kept", job->from_kept ? "true" : NULL),
        LOG_TEXT("plugin", request->plugin), LOG_TEXT("delivery", request->delivery),
        LOG_TEXT("installation", request->installation), LOG_NUMBER("attempt", request->attempt));
}

static void finish(struct job *job) {
    struct broker_request *request = job->request;
    log_request(job);
    TAILQ_REMOVE(&job->workshop->jobs, job, link);
    limits_forget(job->workshop->way->limits, &job->limit);
    retry_forget(job->workshop->way->retries, &job->retry);
    tokens_forget(&job->token);
    jwt_forget(job->workshop->way->jwt, &job->jwt);
    slug_forget(&job->slug);
    if (job->fence) {
        job->fence->job = NULL;
    }
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
    limits_enter(job->workshop->way->limits, &job->limit);
}

static void take_retry(struct retry *retry) {
    enter(CONTAINER_OF(retry, struct job, retry));
}

/* What is left of the time to have it ready, then of the request's own: as much each. Waits for
 * limits do not count. */
static int64_t left_ms(const struct job *job) {
    int64_t waited_ms = atomic_load(&job->request->waited.total_ms) - job->waited_before_ms;
    int64_t spent_ms = clock_monotonic_ms() - job->since_ms - waited_ms;
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
        retry_after(job->workshop->way->retries, &job->retry, wait_ms);
    }
    return true;
}

/* GitHub did not take the token: nothing has happened yet, whatever the method. */
static bool again_after_rejection(struct job *job) {
    if (job->as_app) {
        (void)jwt_change_key(job->workshop->way->jwt, job->jwt_key);
    }
    if (!job->as_app && !job->renewed && (!job->fresh || job->rejections == REJECTIONS_MAX / 2)) {
        job->renewed = true; /* it was revoked, or expired by a clock that jumped */
        tokens_drop(job->workshop->tokens, &job->token, job->mint);
        return again(job, 0);
    }
    /* Not known everywhere at GitHub yet. */
    return ++job->rejections <= REJECTIONS_MAX &&
           again(job, (job->workshop->way->retries->first_ms * 2) << (job->rejections - 1));
}

/* Reached a limit half way through: the first of its changes stand. */
static bool did_a_part(const struct job *job) {
    const struct buffer *answer = &job->exchange.answer;
    return job->limit.kind.mutation &&
           broker_graphql_did(answer->data ? answer->data : "", answer->bytes);
}

/* True when the answer is not the last word, and the job has been seen to. */
static bool send_again(struct job *job, bool limited) {
    const struct exchange *exchange = &job->exchange;
    struct retries *retries = job->workshop->way->retries;
    if (limited && did_a_part(job)) {
        return false;
    }
    if (limited) {
        if (++job->limited > LIMITED_MAX || !again(job, 0)) {
            put_off(job, clock_wall_ms() + LIMITED_FOR_MS, exchange->error.text);
        }
        return true;
    }
    if (exchange->status == 401) {
        return again_after_rejection(job);
    }
    if (exchange->status == 404 && job->request->announced && !job->looked_again) {
        job->looked_again = true;
        return again(job, retries->first_ms * ANNOUNCED_FACTOR);
    }
    return is_passing(exchange) && may_repeat(&job->limit.kind, exchange) &&
           job->tries < RETRY_TRIES_MAX && again(job, retry_backoff_ms(retries, job->tries));
}

/* ---- what is kept ---- */

static struct etag_key key_of(const struct job *job) {
    const struct exchange *exchange = &job->exchange;
    return (struct etag_key){.mint = job->mint,
                             .url = exchange->url,
                             .accept = exchange->accept ? exchange->accept : "",
                             .version = job->version};
}

static bool may_keep(const struct job *job) {
    return !job->as_app && strcmp(job->request->method, "GET") == 0;
}

/* False when the request must be made again, without a condition. */
static bool use_kept(struct job *job) {
    struct exchange *exchange = &job->exchange;
    struct etag_key key = key_of(job);
    bool conditional = exchange->tag != NULL;
    exchange->tag = NULL;
    if (exchange->status == 304 && conditional) {
        job->from_kept = etags_use(job->workshop->etags, &key, exchange);
        job->unconditional = !job->from_kept;
        return job->from_kept;
    }
    if (may_keep(job)) {
        etags_keep(job->workshop->etags, &key, exchange);
    }
    return true;
}

/* ---- redirects ---- */

/* A redirect that may be followed: of a GET or HEAD any, of others those that keep the method. */
static bool is_redirect(const struct job *job) {
    switch (job->exchange.status) {
    case 301:
    case 302:
    case 303:
        return strcmp(job->request->method, "GET") == 0 ||
               strcmp(job->request->method, "HEAD") == 0;
    case 307:
    case 308:
        return true;
    default:
        return false;
    }
}

static int32_t redirected_target(struct job *job, struct target *target, struct error *err) {
    char location[URL_MAX + 1];
    size_t bytes;
    const char *value = answer_header(&job->exchange.headers, "location", &bytes);
    if (!value || bytes >= sizeof location || ++job->redirects > REDIRECTS_MAX) {
        (void)error_set(err, !value                     ? "it names no Location"
                             : bytes >= sizeof location ? "its Location is too long"
                                                        : "it is one of more than five");
        return SNEK_E_SERVER;
    }
    memcpy(location, value, bytes);
    location[bytes] = '\0';
    int32_t outcome =
        origin_redirect(job->workshop->way->origin, &job->target, location, target, err);
    if (outcome == 0 && target->of_tokens) {
        target_finish(target);
        (void)error_set(err, "it leads to the host's tokens");
        outcome = SNEK_E_FORBIDDEN;
    }
    if (outcome == 0 && target->as_app != job->as_app) {
        target_finish(target);
        (void)error_set(err, "it leads from a token's part of the API to the app's, or back");
        outcome = SNEK_E_FOREIGN_ORIGIN;
    }
    return outcome;
}

/* True when it is followed; else the answer is the redirect itself, from which the plugin has its
 * Location, and the token stayed here. */
static bool follow(struct job *job) {
    struct exchange *exchange = &job->exchange;
    struct target target;
    struct error err;
    int32_t outcome = redirected_target(job, &target, &err);
    if (outcome < 0) {
        exchange->outcome = outcome;
        (void)error_wrap(&err, "%s %s answered %d, a redirect that is not followed",
                         exchange->method, exchange->path, (int)exchange->status);
        exchange->error = err;
        return false;
    }
    target_finish(&job->target);
    job->target = target;
    exchange->url = job->target.url;
    exchange->path = job->target.path;
    return again(job, 0);
}

/* ---- the answer ---- */

static void take_answer(struct exchange *exchange) {
    struct job *job = CONTAINER_OF(exchange, struct job, exchange);
    struct broker_request *request = job->request;
    if (job->limit.kind.graphql && exchange->outcome == 0) {
        exchange->outcome = answer_judge_graphql(&exchange->answer, &exchange->error);
    }
    bool limited = limits_leave(job->workshop->way->limits, &job->limit, exchange);
    if ((!use_kept(job) && again(job, 0)) || (is_redirect(job) && follow(job)) ||
        send_again(job, limited)) {
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

/* ---- leaving ---- */

static void start_time(struct job *job) {
    job->since_ms = clock_monotonic_ms();
    job->waited_before_ms = atomic_load(&job->request->waited.total_ms);
}

static void send_off(struct job *job, const char *token) {
    if (job->tries++ == 0) {
        start_time(job);
    }
    job->fences = 0;
    int64_t timeout_ms = left_ms(job);
    job->exchange.timeout_ms = timeout_ms > 0 ? timeout_ms : 1;
    struct etag_key key = key_of(job);
    job->exchange.tag =
        may_keep(job) && !job->unconditional ? etags_tag(job->workshop->etags, &key) : NULL;
    limits_sent(job->workshop->way->limits, &job->limit);
    transport_send(job->workshop->way->transport, &job->exchange, token);
}

static void take_admission(struct limits_waiter *waiter);

static void fenced(struct inbox_operation *operation) {
    struct inbox_lease_check *ask = CONTAINER_OF(operation, struct inbox_lease_check, operation);
    struct fence *fence = CONTAINER_OF(ask, struct fence, ask);
    struct job *job = fence->job;
    fence->workshop->fencing--;
    if (job) {
        job->fence = NULL;
    }
    if (job && operation->result < 0) {
        finish_with(job, SNEK_E_STORE, 0, operation->error.text);
    } else if (job && operation->result == INBOX_STALE) {
        finish_with(job, SNEK_E_STALE, 0,
                    "while it waited, its run was ended, or taken over by another host");
    } else if (job) {
        job->fenced_at_ms = clock_monotonic_ms();
        take_admission(&job->limit); /* for the token, which is at hand */
    }
    free(fence);
}

/* Time enough has passed for the run to be another's; after an answer of the inbox, which has
 * renewed its lease, it may be longer: else who is slow to give a token would never be in time. */
static bool wants_fence(const struct job *job) {
    const struct broker_request *request = job->request;
    int64_t since_ms = job->fenced_at_ms > job->begun_at_ms ? job->fenced_at_ms : job->begun_at_ms;
    return request->holder.run != 0 && job->workshop->inbox && !request_reads(&job->limit.kind) &&
           clock_monotonic_ms() - since_ms >= (FENCE_AFTER_MS << job->fences);
}

static void fence(struct job *job) {
    struct workshop *workshop = job->workshop;
    const struct broker_request *request = job->request;
    job->fences++;
    job->fence = calloc(1, sizeof *job->fence);
    if (!job->fence) {
        finish_with(job, SNEK_E_FAILED, 0, "no memory");
        return;
    }
    *job->fence = (struct fence){.workshop = workshop,
                                 .job = job,
                                 .ask = {.operation = {.kind = INBOX_LEASE_CHECK,
                                                       .reply_to = workshop->mailbox,
                                                       .on_result = fenced},
                                         .run = request->holder.run,
                                         .attempt = request->holder.attempt,
                                         .lease = request->holder.lease,
                                         .lease_ms = request->holder.lease_ms}};
    workshop->fencing++;
    inbox_submit(workshop->inbox, &job->fence->ask.operation);
}

static void give_up(struct job *job) {
    char shown[ANSWER_URL_SHOWN + 1];
    struct error err;
    text_clean(shown, sizeof shown, job->target.path, strlen(job->target.path));
    (void)error_set(&err, "%s %s was not sent: %s", job->request->method, shown,
                    job->as_app ? "the supervisor is too slow to sign for the app"
                                : "its tokens come too late, or expire before they can be used (is "
                                  "this machine's clock right?)");
    finish_with(job, SNEK_E_TIMEOUT, 0, err.text);
}

static void leave(struct job *job, const char *token) {
    bool late = job->tries == 0 && left_ms(job) <= 0;
    bool ask = wants_fence(job);
    if (late || (ask && job->fences == FENCES_MAX)) {
        give_up(job);
    } else if (ask) {
        fence(job);
    } else {
        send_off(job, token);
    }
}

static void take_token(struct token_waiter *waiter, const struct token_answer *answer) {
    struct job *job = CONTAINER_OF(waiter, struct job, token);
    if (answer->outcome == SNEK_E_REQUEUE && ++job->limited <= LIMITED_MAX) {
        limits_hold(job->workshop->way->limits, &job->limit, answer->until_ms);
        enter(job);
        return;
    }
    if (answer->outcome == SNEK_E_REQUEUE) {
        put_off(job, answer->until_ms, answer->error->text);
        return;
    }
    if (answer->outcome < 0) {
        /* No status: it is not that of the plugin's request, whose 404 would mean something else.
         */
        job->request->installation_gone = answer->gone;
        finish_with(job, answer->outcome, 0, answer->error->text);
        return;
    }
    job->fresh = answer->fresh;
    job->mint = answer->mint;
    leave(job, answer->text);
}

static void take_jwt(struct jwt_waiter *waiter, const struct jwt_answer *answer) {
    struct job *job = CONTAINER_OF(waiter, struct job, jwt);
    if (answer->outcome < 0) {
        finish_with(job, answer->outcome, 0, answer->error->text);
    } else {
        job->jwt_key = answer->key;
        leave(job, answer->jwt);
    }
}

static void take_admission(struct limits_waiter *waiter) {
    struct job *job = CONTAINER_OF(waiter, struct job, limit);
    const struct app_way *way = job->workshop->way;
    if (job->as_app) {
        jwt_ask(way->jwt, &job->jwt, transport_skew_s(way->transport));
    } else {
        tokens_get(job->workshop->tokens, &job->token);
    }
}

/* ---- the question ---- */

static bool is_one_of(const char *text, const char *const *texts) {
    for (; *texts; texts++) {
        if (strcmp(*texts, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_given(const char *text) {
    return text && text[0];
}

/* What came from a worker, which is not trusted. 0, or SNEK_E_INVALID. */
static int32_t check_texts(const struct job *job, struct error *err) {
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", NULL};
    const struct broker_request *request = job->request;
    const char *slash = is_given(request->repository) ? strchr(request->repository, '/') : NULL;
    int result = 0;
    if (!is_one_of(request->method, methods)) {
        result = error_set(err, "the method is none of GET, HEAD, PUT, POST, PATCH, DELETE");
    } else if ((request->method[0] == 'G' || request->method[0] == 'H') &&
               request->body_bytes > 0) {
        result = error_set(err, "a GET takes no body");
    } else if (!is_given(request->installation) ||
               strnlen(request->installation, INSTALLATION_MAX + 1) > INSTALLATION_MAX ||
               strnlen(job->token.permissions, PERMISSIONS_MAX + 1) > PERMISSIONS_MAX) {
        result = error_set(err, "the run has no installation to act for");
    } else if ((request->accept && !headers_is_value(request->accept)) ||
               (request->content_type && !headers_is_value(request->content_type))) {
        result = error_set(err, "the media type is none");
    } else if (is_given(request->repository) &&
               (!slash || slash == request->repository || !slash[1] || strchr(slash + 1, '/'))) {
        result = error_set(err, "the repository is not owner/name");
    } else {
        result = headers_check(request->more_headers, err);
    }
    return result < 0 ? SNEK_E_INVALID : 0;
}

/* 0, or a negative enum snek_error: what can be said without asking anyone. */
static int32_t check(struct job *job, struct error *err) {
    const struct broker_request *request = job->request;
    int32_t outcome = check_texts(job, err);
    if (outcome == 0) {
        outcome = origin_resolve(job->workshop->way->origin, request->url, &job->target, err);
    }
    if (outcome < 0) {
        return outcome;
    }
    char shown[ANSWER_URL_SHOWN + 1];
    text_clean(shown, sizeof shown, job->target.path, strlen(job->target.path));
    job->as_app = job->target.as_app;
    if (job->target.of_tokens) {
        (void)error_set(err,
                        "%s %s: tokens are the host's: it makes one for each request, and revokes "
                        "none",
                        request->method, shown);
        return SNEK_E_FORBIDDEN;
    }
    if (job->as_app && !request->app_requests) {
        (void)error_set(err,
                        "%s %s: plugin %s may make no requests as the app; plugin.app_requests = "
                        "true allows it",
                        request->method, shown, request->plugin ? request->plugin : "?");
        return SNEK_E_FORBIDDEN;
    }
    return 0;
}

static void fill_exchange(struct job *job) {
    const struct broker_request *request = job->request;
    size_t bytes;
    const char *version = headers_find(request->more_headers, "x-github-api-version", &bytes);
    (void)snprintf(job->version, sizeof job->version, "%.*s", version ? (int)bytes : 100,
                   version ? version : TRANSPORT_API_VERSION);
    job->exchange.method = request->method;
    job->exchange.url = job->target.url;
    job->exchange.path = job->target.path;
    job->exchange.accept = is_given(request->accept) ? request->accept : NULL;
    job->exchange.content_type = is_given(request->content_type) ? request->content_type : NULL;
    job->exchange.more_headers = request->more_headers;
    job->exchange.body = request->body;
    job->exchange.body_bytes = request->body ? request->body_bytes : 0;
    job->exchange.turn.owner = request->plugin;
    job->exchange.done = take_answer;
}

static void begin_request(struct job *job) {
    struct broker_request *request = job->request;
    struct error err;
    /* No permissions at all would mean all of them to GitHub. */
    bool none = !is_given(request->permissions) || strcmp(request->permissions, "{}") == 0;
    job->token = (struct token_waiter){
        .plugin = request->plugin,
        .installation = request->installation,
        .permissions = none ? "{\"metadata\":\"read\"}" : request->permissions,
        .repository = request->repository ? request->repository : "",
        .answered = take_token,
    };
    int32_t outcome = check(job, &err);
    if (outcome < 0) {
        finish_with(job, outcome, 0, err.text);
        return;
    }
    fill_exchange(job);
    job->limit = (struct limits_waiter){
        .installation = job->as_app ? LIMITS_APP : request->installation,
        .kind = request_kind_of(request->method, job->target.path, request->body,
                                job->exchange.body_bytes),
        .hold_ms = LIMITS_HOLD_MS,
        .waited = &request->waited,
        .admitted = take_admission,
        .put_off = take_put_off,
        .turn.owner = request->plugin,
    };
    job->jwt.answered = take_jwt;
    job->retry.due = take_retry;
    enter(job);
}

static void take_slug(struct slug_waiter *waiter, const char *slug,
                      const struct app_request *asking) {
    struct job *job = CONTAINER_OF(waiter, struct job, slug);
    if (!slug) {
        job->request->not_before_ms = asking->until_ms;
        finish_with(job, asking->exchange.outcome, asking->exchange.status,
                    asking->exchange.error.text);
        return;
    }
    bool whole = buffer_append_text(&job->request->answer, slug) == 0;
    finish_with(job, whole ? 0 : SNEK_E_FAILED, 200, whole ? "" : "no memory");
}

static void take_token_itself(struct token_waiter *waiter, const struct token_answer *answer) {
    struct job *job = CONTAINER_OF(waiter, struct job, token);
    struct buffer *out = &job->request->answer;
    if (answer->outcome < 0) {
        job->request->not_before_ms = answer->until_ms;
        finish_with(job, answer->outcome, 0, answer->error->text);
        return;
    }
    /* In one piece: a buffer that grows would leave copies behind. */
    bool whole = buffer_reserve(out, TOKEN_MAX) == 0 && buffer_append_text(out, answer->text) == 0;
    finish_with(job, whole ? 0 : SNEK_E_FAILED, 201, whole ? "" : "no memory");
}

static void begin_token(struct job *job) {
    const struct broker_request *request = job->request;
    job->token = (struct token_waiter){.plugin = request->plugin,
                                       .installation = request->installation,
                                       .permissions = request->permissions,
                                       .repository = request->repository,
                                       .answered = take_token_itself};
    tokens_get(job->workshop->tokens, &job->token);
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
    start_time(job);
    job->begun_at_ms = job->since_ms;
    exchange_init(&job->exchange, FRAME_REPLY_BODY_MAX, false);
    request->broker_private = job;
    TAILQ_INSERT_TAIL(&workshop->jobs, job, link);
    if (request->kind == BROKER_SLUG) {
        job->slug.answered = take_slug;
        slug_get(workshop->slug, &job->slug);
    } else if (request->kind == BROKER_TOKEN) {
        begin_token(job);
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
    limits_drain(workshop->way->limits);
}

void request_cancel_all(struct workshop *workshop) {
    struct job *job;
    errands_cancel_all(&workshop->errands);
    while ((job = TAILQ_FIRST(&workshop->jobs))) {
        finish_with(job, SNEK_E_CANCELLED, 0, "the host stops");
    }
}
