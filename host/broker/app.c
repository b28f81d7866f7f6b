/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests as the app: enter (ratelimits.c) -> JWT -> send, and once more when the clock turned out
 * to be wrong. */
#include "broker/app.h"

#include "base/clock.h"
#include "base/mailbox.h"
#include "broker/answer.h"

#include <snekomatic/types.h>

#include <string.h>

#define SKEW_WORTH_A_TRY_S 10 /* a JWT is valid for minutes; less than this was not the reason */
#define AGAIN_FOR_MS 10000    /* whoever waits for a token has a deadline */

void app_send(struct app_request *request) {
    limits_enter(request->way->limits, &request->limit);
}

static void take_admission(struct limits_waiter *waiter) {
    struct app_request *request = CONTAINER_OF(waiter, struct app_request, limit);
    jwt_ask(request->way->jwt, &request->waiter, transport_skew_s(request->way->transport));
}

/* Not at once: who sends it is not told before app_send() has returned. */
static void take_put_off(struct limits_waiter *waiter, int64_t until_ms, const char *why) {
    struct app_request *request = CONTAINER_OF(waiter, struct app_request, limit);
    request->until_ms = until_ms;
    request->exchange.outcome = SNEK_E_REQUEUE;
    request->exchange.status = 0;
    (void)error_set(&request->exchange.error, "%s %s: %s", request->exchange.method,
                    request->exchange.path, why);
    retry_after(request->way->retries, &request->put_off, 0);
}

static void tell(struct retry *retry) {
    struct app_request *request = CONTAINER_OF(retry, struct app_request, put_off);
    request->done(request);
}

static void take_retry(struct retry *retry) {
    app_send(CONTAINER_OF(retry, struct app_request, retry));
}

/* True when it is made again after a while. */
static bool again(struct app_request *request) {
    const struct exchange *exchange = &request->exchange;
    struct retries *retries = request->way->retries;
    if (!is_passing(exchange) || (request->once && !exchange->unsent) ||
        ++request->tries >= RETRY_TRIES_MAX ||
        clock_monotonic_ms() - request->begun_at_ms > AGAIN_FOR_MS) {
        return false;
    }
    retry_after(retries, &request->retry, retry_backoff_ms(retries, request->tries));
    return true;
}

static void take_jwt(struct jwt_waiter *waiter, const struct jwt_answer *answer) {
    struct app_request *request = CONTAINER_OF(waiter, struct app_request, waiter);
    if (answer->outcome < 0) {
        request->exchange.outcome = answer->outcome;
        request->exchange.status = 0;
        request->exchange.error = *answer->error;
        (void)limits_leave(request->way->limits, &request->limit, NULL);
        request->done(request);
        return;
    }
    request->skew_s = answer->skew_s;
    request->key = answer->key;
    if (request->begun_at_ms == 0) {
        request->begun_at_ms = clock_monotonic_ms();
    }
    transport_send(request->way->transport, &request->exchange, answer->jwt);
}

static void answered(struct exchange *exchange) {
    struct app_request *request = CONTAINER_OF(exchange, struct app_request, exchange);
    if (limits_leave(request->way->limits, &request->limit, exchange)) {
        app_send(request); /* to be put off until the limit's end */
        return;
    }
    if (exchange->status == 401) {
        /* The rejection's own Date tells whether our clock was the reason. */
        int64_t off_s = transport_skew_s(request->way->transport) - request->skew_s;
        if (!request->again && (off_s >= SKEW_WORTH_A_TRY_S || off_s <= -SKEW_WORTH_A_TRY_S)) {
            request->again = true;
            app_send(request);
            return;
        }
        if (!request->other_key && jwt_change_key(request->way->jwt, request->key)) {
            request->other_key = true;
            app_send(request);
            return;
        }
        (void)error_wrap(&exchange->error, "GitHub rejects the app's JWT (check the app id, the "
                                           "private key and this machine's clock)");
    } else if (exchange->status > 0) {
        jwt_took_key(request->way->jwt, request->key);
    }
    if (!again(request)) {
        request->done(request);
    }
}

int32_t app_request_init(struct app_request *request, const struct app_way *way, const char *method,
                         const char *path, const char *body, struct error *err) {
    *request = (struct app_request){
        .way = way,
        /* Nothing of what it asks for is paced: no person hears of a token. */
        .limit = {.installation = LIMITS_APP,
                  .kind = {.pace = PACE_NONE, .bucket = BUCKET_ALL},
                  .waited = &request->waited,
                  .admitted = take_admission,
                  .put_off = take_put_off},
        .retry = {.due = take_retry},
        .put_off = {.due = tell},
        .waiter = {.answered = take_jwt},
    };
    exchange_init(&request->exchange, ANSWER_JSON_MAX, true);
    int32_t outcome = origin_resolve(way->origin, path, &request->target, err);
    if (outcome < 0) {
        return outcome;
    }
    char *copy = body ? strdup(body) : NULL;
    if (body && !copy) {
        (void)error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    request->exchange.method = method;
    request->exchange.url = request->target.url;
    request->exchange.path = request->target.path;
    request->exchange.body = copy;
    request->exchange.body_bytes = copy ? strlen(copy) : 0;
    request->exchange.done = answered;
    return 0;
}

void app_request_finish(struct app_request *request) {
    limits_forget(request->way->limits, &request->limit);
    retry_forget(request->way->retries, &request->retry);
    retry_forget(request->way->retries, &request->put_off);
    jwt_forget(request->way->jwt, &request->waiter);
    exchange_finish(&request->exchange);
    free((char *)request->exchange.body);
    target_finish(&request->target);
}
