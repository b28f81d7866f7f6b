/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of one request through the broker:
 *
 *   check -> enter (ratelimits.c) -> token -> lease check -> send -> response -> done
 *              ^                                                |
 *              '--- at once, or after a while ------------------'   another token, a limit, a
 *                                                                   temporary failure, a redirect
 */
#include "broker/request.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/graphql.h"
#include "broker/headers.h"
#include "broker/redirect.h"
#include "broker/request_check.h"
#include "broker/response.h"
#include "protocol/frames.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>

/* A fresh token may be rejected so often: over 7.5 s with the usual first wait. */
#define REJECTIONS_MAX 4
/* Responses that name a limit with a short wait each. After so many the run is deferred. */
#define LIMITED_MAX 10
#define LIMITED_FOR_MS 60000
/* Since the intent was committed, or the lease was checked. Doubled after each check. */
#define LEASE_CHECK_AFTER_MS 100
/* Without a transfer in between. */
#define LEASE_CHECKS_MAX 3
/* A multiple of the first wait: 2 s. */
#define ANNOUNCED_FACTOR 8

struct request_state {
    struct request_context *context;
    struct broker_request *request;
    struct target target;
    struct limits_waiter limit;
    struct token_waiter token;
    struct jwt_waiter jwt;
    uint32_t jwt_key;
    struct slug_waiter slug;
    struct lease_waiter lease;
    struct retry retry;
    struct http_transfer transfer;
    /* The token that it was sent with; 0: none yet. */
    uint64_t token_id;
    /* The token was created lately. */
    bool token_fresh;
    bool token_renewed, announced_retried;
    /* It passed the checks, and its turn came. */
    bool admitted;
    /* With a JWT, not with a token. */
    bool as_app;
    /* The cached response left while GitHub said that it had not changed. */
    bool unconditional;
    bool from_cache;
    /* The API version that the request names. */
    char version[32];
    unsigned tries, rejections, limited, redirects;
    int64_t lease_checked_at_ms;
    /* When the last check was submitted; and until when nobody else can have taken the run. */
    int64_t lease_asked_at_ms, trusted_until_ms;
    /* Since the last transfer. */
    unsigned lease_checks;
    int64_t begun_at_ms;
    /* When it began, then when it was first sent; and the waits until then. */
    int64_t since_ms, waited_before_ms;
    TAILQ_ENTRY(request_state) link;
};

/* ---- the end ---- */

static void on_mail(struct mail *mail) {
    struct broker_request *request = CONTAINER_OF(mail, struct broker_request, mail);
    request->on_done(request);
}

/* The request is the caller's after this. */
static void post_result(struct broker_request *request) {
    request->broker_private = NULL;
    request->mail.open = on_mail;
    mailbox_post(request->reply_to, &request->mail);
}

/* A number that is logged only above `least`. */
static struct log_field number_above(const char *name, int64_t number, int64_t least) {
    return number > least ? LOG_NUMBER(name, number) : (struct log_field){.key = name};
}

static void log_request(const struct request_state *state) {
    const struct broker_request *request = state->request;
    bool rejected = request->outcome < 0 && request->kind == BROKER_REQUEST && !state->admitted &&
                    request->outcome != SNEK_E_CANCELLED && request->outcome != SNEK_E_REQUEUE;
    if (rejected && !rejection_log_passes(&state->context->rejections, request->plugin)) {
        return;
    }
    if (request->kind == BROKER_PERMISSIONS) {
        /* It sends no request but that for a token, which has its own line. */
        return;
    }
    const char *asked_method = request->kind == BROKER_REQUEST ? request->method : "GET";
    const char *path = request->kind == BROKER_REQUEST ? state->target.path : "/app";
    char method[33], url[URL_SHOWN + 1];
    text_clean(method, sizeof method, asked_method, strlen(asked_method));
    /* No path: its URL was rejected. */
    url_show(url, path ? "" : request->url);
    bool unanswered = request->outcome < 0 && request->status == 0;
    log_event(request->kind == BROKER_TOKEN ? SNEK_LEVEL_DEBUG : SNEK_LEVEL_INFO, "request",
              LOG_TEXT("method", method), LOG_TEXT("url", path ? path : url),
              LOG_NUMBER("status", request->status),
              LOG_TEXT("reason", unanswered ? request->error.text : NULL),
              LOG_NUMBER("ms", clock_monotonic_ms() - state->begun_at_ms),
              number_above("waited_ms", atomic_load(&request->waited.total_ms), 0),
              number_above("tries", state->tries, 1),
              LOG_TEXT("cached", state->from_cache ? "true" : NULL),
              LOG_TEXT("plugin", request->plugin), LOG_TEXT("delivery", request->delivery),
              LOG_TEXT("installation", request->installation),
              LOG_NUMBER("attempt", request->attempt));
}

static void finish(struct request_state *state) {
    struct broker_request *request = state->request;
    const struct app_client *client = state->context->client;
    log_request(state);
    TAILQ_REMOVE(&state->context->list, state, link);
    limits_forget(client->limits, &state->limit);
    retry_forget(client->retries, &state->retry);
    token_cache_forget(&state->token);
    jwt_forget(client->jwt, &state->jwt);
    slug_cache_forget(&state->slug);
    lease_check_forget(&state->lease);
    http_transfer_finish(&state->transfer);
    target_finish(&state->target);
    free(state);
    post_result(request);
}

static void finish_with(struct request_state *state, int32_t outcome, int32_t status,
                        const char *reason) {
    state->request->sent = state->transfer.easy != NULL; /* it was in progress */
    state->request->outcome = outcome;
    state->request->status = status;
    error_set(&state->request->error, "%s", reason);
    finish(state);
}

static void defer(struct request_state *state, int64_t until_ms, const char *reason) {
    state->request->not_before_ms = until_ms;
    finish_with(state, SNEK_E_REQUEUE, 0, reason);
}

/* ---- sending again ---- */

static void enter(struct request_state *state) {
    limits_enter(state->context->client->limits, &state->limit);
}

static void on_retry_due(struct retry *retry) {
    enter(CONTAINER_OF(retry, struct request_state, retry));
}

static void on_deferred(struct limits_waiter *waiter, int64_t until_ms, const char *reason) {
    defer(CONTAINER_OF(waiter, struct request_state, limit), until_ms, reason);
}

/* Before the first transfer: the time left to send the request. Afterwards: the time left for its
 * transfers. Both start at `timeout_ms`, and waits for limits do not count. */
static int64_t left_ms(const struct request_state *state) {
    int64_t waited_ms = atomic_load(&state->request->waited.total_ms) - state->waited_before_ms;
    int64_t spent_ms = clock_monotonic_ms() - state->since_ms - waited_ms;
    return state->context->timeout_ms - spent_ms;
}

/* True when it is sent again after `wait_ms`. */
static bool send_again_after(struct request_state *state, int64_t wait_ms) {
    if (left_ms(state) <= wait_ms) {
        return false;
    }
    if (wait_ms == 0) {
        enter(state);
    } else if (state->context->draining) {
        defer(state, clock_wall_ms() + wait_ms, "the host stops");
    } else {
        retry_after(state->context->client->retries, &state->retry, wait_ms);
    }
    return true;
}

/* GitHub rejected the token: it has done nothing yet, whatever the method. */
static bool send_again_after_rejection(struct request_state *state) {
    const struct app_client *client = state->context->client;
    if (state->as_app) {
        jwt_change_key(client->jwt, state->jwt_key);
    } else if (!state->token_renewed &&
               (!state->token_fresh || state->rejections == REJECTIONS_MAX / 2)) {
        /* It was revoked, or expired by a clock that jumped. */
        state->token_renewed = true;
        token_cache_drop(state->context->tokens, &state->token, state->token_id);
        return send_again_after(state, 0);
    }
    /* Not all of GitHub knows the token yet. */
    return ++state->rejections <= REJECTIONS_MAX &&
           send_again_after(state, (client->retries->first_ms * 2) << (state->rejections - 1));
}

/* A mutation that reached a limit half way through: its first changes stand. */
static bool did_a_part(const struct request_state *state) {
    const struct buffer *response = &state->transfer.response;
    return state->limit.class.mutation &&
           broker_graphql_did(response->data ? response->data : "", response->bytes);
}

/* True when the response is not the last one; then the state is taken care of. */
static bool send_again(struct request_state *state, bool limited) {
    const struct http_transfer *transfer = &state->transfer;
    struct retries *retries = state->context->client->retries;
    if (limited && did_a_part(state)) {
        return false;
    }
    if (limited) {
        if (++state->limited > LIMITED_MAX || !send_again_after(state, 0)) {
            defer(state, clock_wall_ms() + LIMITED_FOR_MS, transfer->error.text);
        }
        return true;
    }
    if (transfer->status == 401) {
        return send_again_after_rejection(state);
    }
    if (transfer->status == 404 && state->request->announced && !state->announced_retried) {
        state->announced_retried = true;
        return send_again_after(state, retries->first_ms * ANNOUNCED_FACTOR);
    }
    return is_temporary(transfer) && may_repeat(&state->limit.class, transfer) &&
           state->tries < RETRY_TRIES_MAX &&
           send_again_after(state, retry_backoff_ms(retries, state->tries));
}

/* ---- the cache ---- */

static struct etag_key key_of(const struct request_state *state) {
    const struct http_transfer *transfer = &state->transfer;
    return (struct etag_key){.token_id = state->token_id,
                             .url = transfer->url,
                             .accept = transfer->accept ? transfer->accept : "",
                             .version = state->version};
}

static bool may_cache(const struct request_state *state) {
    return !state->as_app && strcmp(state->request->method, "GET") == 0;
}

/* False when the request must be made again, without a condition. */
static bool use_cache(struct request_state *state) {
    struct http_transfer *transfer = &state->transfer;
    bool conditional = transfer->etag != NULL;
    transfer->etag = NULL;
    if (!may_cache(state)) {
        return true;
    }
    struct etag_key key = key_of(state);
    if (transfer->status == 304 && conditional) {
        state->from_cache = etag_cache_use(state->context->etags, &key, transfer);
        state->unconditional = !state->from_cache;
        return state->from_cache;
    }
    etag_cache_store(state->context->etags, &key, transfer);
    return true;
}

/* ---- the response ---- */

/* True when the redirect is followed. Otherwise the response is the redirect itself: the plugin
 * reads its Location, and the token did not leave. */
static bool follow(struct request_state *state) {
    struct http_transfer *transfer = &state->transfer;
    struct target target;
    struct error err;
    int32_t outcome = SNEK_E_SERVER;
    if (++state->redirects > REDIRECTS_MAX) {
        error_set(&err, "it is one of more than five");
    } else {
        outcome = redirect_resolve(state->context->client->origin, &state->target, transfer,
                                   &target, &err);
    }
    if (outcome < 0) {
        transfer->outcome = outcome;
        error_wrap(&err, "%s %s answered %d, a redirect that is not followed", transfer->method,
                   transfer->path, (int)transfer->status);
        transfer->error = err;
        return false;
    }
    target_finish(&state->target);
    state->target = target;
    transfer->url = state->target.url;
    transfer->path = state->target.path;
    return send_again_after(state, 0);
}

/* The installation was suspended since its token was created. */
static bool is_suspended(const struct http_transfer *transfer) {
    char message[RESPONSE_MESSAGE_SHOWN + 1];
    return transfer->status == 403 &&
           response_message(&transfer->response, message, sizeof message) &&
           strcasestr(message, "installation") && strcasestr(message, "suspended");
}

static void on_response(struct http_transfer *transfer) {
    struct request_state *state = CONTAINER_OF(transfer, struct request_state, transfer);
    struct broker_request *request = state->request;
    if (state->limit.class.graphql && transfer->outcome == 0) {
        transfer->outcome = graphql_judge(&transfer->response, &transfer->error);
    }
    if (is_suspended(transfer)) {
        transfer->outcome = SNEK_E_NOT_GRANTED;
    }
    bool limited = limits_leave(state->context->client->limits, &state->limit, transfer);
    bool redirected =
        !request->no_follow && redirect_is_followed(request->method, transfer->status);
    if ((!use_cache(state) && send_again_after(state, 0)) || (redirected && follow(state)) ||
        send_again(state, limited)) {
        return;
    }
    request->outcome = transfer->outcome;
    request->status = transfer->status;
    request->sent = !transfer->unsent;
    request->error = transfer->error;
    http_transfer_take(transfer, &request->headers, &request->response);
    finish(state);
}

/* ---- sending ---- */

static void start_time(struct request_state *state) {
    state->since_ms = clock_monotonic_ms();
    state->waited_before_ms = atomic_load(&state->request->waited.total_ms);
}

/* A write of a run, which may leave only while the run's lease is held. */
static bool needs_lease(const struct request_state *state) {
    return state->request->holder.run != 0 && state->context->leases.inbox &&
           !request_reads(&state->limit.class);
}

static void send_now(struct request_state *state, const char *token) {
    if (state->tries++ == 0) {
        start_time(state);
    }
    state->lease_checks = 0;
    int64_t timeout_ms = left_ms(state);
    state->transfer.timeout_ms = timeout_ms > 0 ? timeout_ms : 1;
    state->transfer.etag = NULL;
    if (may_cache(state) && !state->unconditional) {
        struct etag_key key = key_of(state);
        state->transfer.etag = etag_cache_tag(state->context->etags, &key);
    }
    state->transfer.not_after_ms = needs_lease(state) ? state->trusted_until_ms : 0;
    limits_sent(state->context->client->limits, &state->limit);
    transport_send(state->context->client->transport, &state->transfer, token);
}

static void on_admitted(struct limits_waiter *waiter) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, limit);
    state->admitted = true;
    const struct app_client *client = state->context->client;
    if (state->as_app) {
        jwt_request(client->jwt, &state->jwt, transport_skew_s(client->transport));
    } else {
        token_cache_get(state->context->tokens, &state->token);
    }
}

static void on_lease_checked(struct lease_waiter *waiter, int32_t outcome,
                             const struct error *error) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, lease);
    if (outcome < 0) {
        finish_with(state, outcome, 0, error->text);
        return;
    }
    state->lease_checked_at_ms = clock_monotonic_ms();
    state->trusted_until_ms = state->lease_asked_at_ms + state->request->holder.lease_ms;
    /* For the token, which is cached. */
    on_admitted(&state->limit);
}

/* Has so much time passed that the run may belong to another host? A check renews the lease, so
 * each further one comes later: otherwise a slow token service could stop a request for ever. */
static bool wants_lease_check(const struct request_state *state) {
    int64_t since_ms = state->lease_checked_at_ms > state->begun_at_ms ? state->lease_checked_at_ms
                                                                       : state->begun_at_ms;
    int64_t now_ms = clock_monotonic_ms();
    return needs_lease(state) &&
           (now_ms - since_ms >= (LEASE_CHECK_AFTER_MS << state->lease_checks) ||
            (state->trusted_until_ms > 0 && now_ms >= state->trusted_until_ms));
}

static void check_lease(struct request_state *state) {
    const struct broker_request *request = state->request;
    struct lease_holder holder = {.run = request->holder.run,
                                  .token = request->holder.token,
                                  .lease_ms = request->holder.lease_ms};
    state->lease_checks++;
    state->lease_asked_at_ms = clock_monotonic_ms();
    if (lease_check_begin(&state->context->leases, &holder, &state->lease) < 0) {
        finish_with(state, SNEK_E_FAILED, 0, "no memory");
    }
}

static void give_up(struct request_state *state) {
    char shown[URL_SHOWN + 1];
    struct error err;
    text_clean(shown, sizeof shown, state->target.path, strlen(state->target.path));
    error_set(&err, "%s %s was not sent: %s", state->request->method, shown,
              state->as_app ? "the supervisor is too slow to sign for the app"
                            : "its tokens come too late, or expire before they can be used (is "
                              "this machine's clock right?)");
    finish_with(state, SNEK_E_TIMEOUT, 0, err.text);
}

static void leave(struct request_state *state, const char *token) {
    bool late = state->tries == 0 && left_ms(state) <= 0;
    bool check = wants_lease_check(state);
    if (late || (check && state->lease_checks == LEASE_CHECKS_MAX)) {
        give_up(state);
    } else if (check) {
        check_lease(state);
    } else {
        send_now(state, token);
    }
}

static void on_token(struct token_waiter *waiter, const struct token_result *result) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, token);
    if (result->outcome == SNEK_E_REQUEUE && !result->only_this &&
        ++state->limited <= LIMITED_MAX) {
        limits_hold(state->context->client->limits, &state->limit, result->until_ms);
        enter(state);
        return;
    }
    if (result->outcome == SNEK_E_REQUEUE) {
        defer(state, result->until_ms, result->error->text);
        return;
    }
    if (result->outcome < 0) {
        /* The status belongs to the token request. The plugin gets none, because it would take a
         * 404 for a response to its own request. */
        state->request->installation_gone = result->gone;
        finish_with(state, result->outcome, 0, result->error->text);
        return;
    }
    state->token_fresh = result->fresh;
    state->token_id = result->token_id;
    leave(state, result->text);
}

static void on_jwt(struct jwt_waiter *waiter, const struct jwt_result *result) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, jwt);
    if (result->outcome < 0) {
        finish_with(state, result->outcome, 0, result->error->text);
    } else {
        state->jwt_key = result->key;
        leave(state, result->jwt);
    }
}

/* ---- the beginning ---- */

static const char *given_or_null(const char *text) {
    return text && text[0] ? text : NULL;
}

static void fill_transfer(struct request_state *state) {
    const struct broker_request *request = state->request;
    struct http_transfer *transfer = &state->transfer;
    size_t bytes = strlen(TRANSPORT_API_VERSION);
    const char *version = headers_find(request->more_headers, "x-github-api-version", &bytes);
    snprintf(state->version, sizeof state->version, "%.*s", (int)bytes,
             version ? version : TRANSPORT_API_VERSION);
    transfer->method = request->method;
    transfer->url = state->target.url;
    transfer->path = state->target.path;
    transfer->accept = given_or_null(request->accept);
    transfer->content_type = given_or_null(request->content_type);
    transfer->more_headers = request->more_headers;
    transfer->body = request->body;
    transfer->body_bytes = request->body ? request->body_bytes : 0;
    transfer->entry.owner = request->plugin;
    transfer->on_done = on_response;
}

static void begin_request(struct request_state *state) {
    struct broker_request *request = state->request;
    struct error err;
    int32_t outcome = request_check(request, state->context->client->origin, &state->target, &err);
    if (outcome < 0) {
        finish_with(state, outcome, 0, err.text);
        return;
    }
    state->as_app = state->target.as_app;
    fill_transfer(state);
    state->token = (struct token_waiter){
        .plugin = request->plugin,
        .installation = request->installation,
        .permissions = request_permissions(request),
        .optional = request->optional ? request->optional : "",
        .repository = request->repository ? request->repository : "",
        .on_token = on_token,
    };
    state->limit = (struct limits_waiter){
        .installation = state->as_app ? LIMITS_APP : request->installation,
        .class = classify_request(request->method, state->target.path, request->body,
                                  state->transfer.body_bytes),
        .hold_ms = LIMITS_HOLD_MS,
        .waited = &request->waited,
        .on_admitted = on_admitted,
        .on_deferred = on_deferred,
        .entry.owner = request->plugin,
    };
    state->jwt.on_jwt = on_jwt;
    state->retry.on_due = on_retry_due;
    state->lease.on_checked = on_lease_checked;
    enter(state);
}

static void on_slug(struct slug_waiter *waiter, const char *slug,
                    const struct app_request *request) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, slug);
    if (!slug) {
        state->request->not_before_ms = request->until_ms;
        finish_with(state, request->transfer.outcome, request->transfer.status,
                    request->transfer.error.text);
        return;
    }
    bool whole = buffer_append_text(&state->request->response, slug) == 0;
    finish_with(state, whole ? 0 : SNEK_E_FAILED, 200, whole ? "" : "no memory");
}

static void on_plain_token(struct token_waiter *waiter, const struct token_result *result) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, token);
    struct buffer *out = &state->request->response;
    if (result->outcome < 0) {
        state->request->not_before_ms = result->until_ms;
        finish_with(state, result->outcome, 0, result->error->text);
        return;
    }
    /* Reserved in one piece: a buffer that grows would leave copies behind. */
    bool whole = buffer_reserve(out, TOKEN_MAX) == 0 && buffer_append_text(out, result->text) == 0;
    finish_with(state, whole ? 0 : SNEK_E_FAILED, 201, whole ? "" : "no memory");
}

static void on_permissions(struct token_waiter *waiter, const struct token_result *result) {
    struct request_state *state = CONTAINER_OF(waiter, struct request_state, token);
    struct broker_request *request = state->request;
    if (result->outcome < 0) {
        request->not_before_ms = result->until_ms;
        request->installation_gone = result->gone;
        finish_with(state, result->outcome, 0, result->error->text);
        return;
    }
    bool whole = buffer_append_text(&request->response, result->granted) == 0;
    finish_with(state, whole ? 0 : SNEK_E_FAILED, 200, whole ? "" : "no memory");
}

static void begin_token(struct request_state *state) {
    const struct broker_request *request = state->request;
    bool asks = request->kind == BROKER_PERMISSIONS;
    state->token = (struct token_waiter){
        .plugin = request->plugin,
        .installation = request->installation,
        .permissions = asks ? request_permissions(request) : request->permissions,
        .optional = request->optional ? request->optional : "",
        .repository = request->repository ? request->repository : "",
        .on_token = asks ? on_permissions : on_plain_token};
    token_cache_get(state->context->tokens, &state->token);
}

void request_begin(struct request_context *context, struct broker_request *request) {
    if (request->kind == BROKER_APP) {
        app_call_begin(context->client, &context->calls, request);
        return;
    }
    request->outcome = 0;
    request->status = 0;
    request->not_before_ms = 0;
    request->error.text[0] = '\0';
    request->headers = (struct buffer)BUFFER_INIT(TRANSPORT_HEADERS_MAX);
    request->response = (struct buffer)BUFFER_INIT(FRAME_REPLY_BODY_MAX);
    struct request_state *state = calloc(1, sizeof *state);
    if (!state) {
        request->outcome = SNEK_E_FAILED;
        error_set(&request->error, "no memory");
        post_result(request);
        return;
    }
    state->context = context;
    state->request = request;
    start_time(state);
    state->begun_at_ms = state->since_ms;
    state->trusted_until_ms = request->holder.trusted_until_ms;
    http_transfer_init(&state->transfer, FRAME_REPLY_BODY_MAX, false);
    request->broker_private = state;
    TAILQ_INSERT_TAIL(&context->list, state, link);
    if (request->kind == BROKER_SLUG) {
        state->slug.on_slug = on_slug;
        if (request->fresh) {
            slug_cache_reset(context->slug);
        }
        slug_cache_get(context->slug, &state->slug);
    } else if (request->kind == BROKER_TOKEN || request->kind == BROKER_PERMISSIONS) {
        begin_token(state);
    } else {
        begin_request(state);
    }
}

void request_drain_all(struct request_context *context) {
    struct request_state *state, *next;
    context->draining = true;
    TAILQ_FOREACH_SAFE(state, &context->list, link, next) {
        if (state->retry.waiting) {
            defer(state, clock_wall_ms(), "the host stops");
        }
    }
    limits_drain(context->client->limits);
}

void request_cancel_all(struct request_context *context) {
    struct request_state *state;
    app_calls_cancel_all(&context->calls);
    while ((state = TAILQ_FIRST(&context->list))) {
        finish_with(state, SNEK_E_CANCELLED, 0, "the host stops");
    }
}
