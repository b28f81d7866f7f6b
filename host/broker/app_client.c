/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A request as the app: enter (ratelimits.c) -> JWT -> send, and once more when GitHub's response
 * shows that our clock is wrong, or that the other key is the right one. */
#include "broker/app_client.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mailbox.h"
#include "broker/response.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <string.h>

/* A JWT is valid for minutes; a smaller skew was not the reason for its rejection. */
#define SKEW_WORTH_A_TRY_S 10
/* Each waiter for a token has a deadline of its own. */
#define RETRY_FOR_MS 10000

void app_send(struct app_request *request) {
    assert(request->on_done && !request->transfer.transport);
    limits_enter(request->client->limits, &request->limit);
}

static void on_admitted(struct limits_waiter *waiter) {
    struct app_request *request = CONTAINER_OF(waiter, struct app_request, limit);
    request->waiter.reuses = request->reuses_jwt;
    jwt_request(request->client->jwt, &request->waiter,
                transport_skew_s(request->client->transport));
}

/* Reports the deferral from the loop: app_send() must return before on_done() is called. */
static void on_deferred(struct limits_waiter *waiter, int64_t until_ms, const char *reason) {
    struct app_request *request = CONTAINER_OF(waiter, struct app_request, limit);
    request->until_ms = until_ms;
    request->transfer.outcome = SNEK_E_REQUEUE;
    request->transfer.status = 0;
    error_set(&request->transfer.error, "%s %s: %s", request->transfer.method,
              request->transfer.path, reason);
    retry_after(request->client->retries, &request->deferral, 0);
}

static void on_deferral_due(struct retry *retry) {
    struct app_request *request = CONTAINER_OF(retry, struct app_request, deferral);
    request->on_done(request);
}

static void on_retry_due(struct retry *retry) {
    app_send(CONTAINER_OF(retry, struct app_request, retry));
}

/* True when it is sent again after a while. */
static bool retry_later(struct app_request *request) {
    const struct http_transfer *transfer = &request->transfer;
    struct retries *retries = request->client->retries;
    if (!is_temporary(transfer) || (request->once && !transfer->unsent) ||
        ++request->tries >= RETRY_TRIES_MAX ||
        clock_monotonic_ms() - request->begun_at_ms > RETRY_FOR_MS) {
        return false;
    }
    retry_after(retries, &request->retry, retry_backoff_ms(retries, request->tries));
    return true;
}

static void on_jwt(struct jwt_waiter *waiter, const struct jwt_result *result) {
    struct app_request *request = CONTAINER_OF(waiter, struct app_request, waiter);
    if (result->outcome < 0) {
        request->transfer.outcome = result->outcome;
        request->transfer.status = 0;
        request->transfer.error = *result->error;
        limits_leave(request->client->limits, &request->limit, NULL);
        request->on_done(request);
        return;
    }
    request->skew_s = result->skew_s;
    request->key = result->key;
    if (request->begun_at_ms == 0) {
        request->begun_at_ms = clock_monotonic_ms();
    }
    transport_send(request->client->transport, &request->transfer, result->jwt);
}

/* After a 401. True when the request was sent again with another `iat` or another key. */
static bool send_again(struct app_request *request) {
    /* The response's own Date shows whether our clock was the reason. */
    int64_t off_s = transport_skew_s(request->client->transport) - request->skew_s;
    if (!request->skew_corrected && (off_s >= SKEW_WORTH_A_TRY_S || off_s <= -SKEW_WORTH_A_TRY_S)) {
        request->skew_corrected = true;
    } else if (!request->key_changed && jwt_change_key(request->client->jwt, request->key)) {
        request->key_changed = true;
    } else {
        return false;
    }
    request->reuses_jwt = false;
    app_send(request);
    return true;
}

/* GitHub's API gives JSON to the app, and never redirects it. Anything else comes from another
 * server: a proxy, a sign-in page, a web page of GitHub's. */
static void judge_origin(struct http_transfer *transfer) {
    struct error err = transfer->error;
    struct json_value value;
    bool redirect = transfer->status >= 300 && transfer->status < 400;
    const struct buffer *body = &transfer->response;
    if (transfer->outcome == 0 && body->bytes > 0 &&
        !json_find(body->data, body->bytes, "", &value)) {
        transfer->outcome = SNEK_E_SERVER;
        error_set(&err, "%s %s answered %d", transfer->method, transfer->path,
                  (int)transfer->status);
    } else if (!redirect || strstr(err.text, RESPONSE_UNREADABLE)) {
        return;
    }
    error_set(&transfer->error, "%s%s", err.text, RESPONSE_UNREADABLE);
}

static void on_response(struct http_transfer *transfer) {
    struct app_request *request = CONTAINER_OF(transfer, struct app_request, transfer);
    judge_origin(transfer);
    if (limits_leave(request->client->limits, &request->limit, transfer)) {
        /* It is deferred to the limit's end. */
        app_send(request);
        return;
    }
    if (transfer->status == 401) {
        jwt_drop(request->client->jwt);
        if (send_again(request)) {
            return;
        }
        error_wrap(&transfer->error,
                   "GitHub rejects the app's JWT (check the app id, the private key and this "
                   "machine's clock; `snekomatic check --online` names the place of each)");
    } else if (transfer->status > 0) {
        jwt_key_accepted(request->client->jwt, request->key);
    }
    if (!retry_later(request)) {
        request->on_done(request);
    }
}

int32_t app_request_init(struct app_request *request, const struct app_client *client,
                         const char *method, const char *path, const char *body,
                         struct error *err) {
    *request = (struct app_request){
        .client = client,
        /* No write of the app is paced: none notifies people. */
        .limit = {.installation = LIMITS_APP,
                  .class = {.pace = PACE_NONE, .resource = RESOURCE_CORE},
                  .waited = &request->waited,
                  .on_admitted = on_admitted,
                  .on_deferred = on_deferred},
        .retry = {.on_due = on_retry_due},
        .deferral = {.on_due = on_deferral_due},
        .waiter = {.on_jwt = on_jwt},
    };
    http_transfer_init(&request->transfer, RESPONSE_JSON_MAX, true);
    int32_t outcome = origin_resolve(client->origin, path, &request->target, err);
    if (outcome < 0) {
        return outcome;
    }
    char *copy = body ? strdup(body) : NULL;
    if (body && !copy) {
        error_set(err, "no memory");
        return SNEK_E_FAILED;
    }
    request->transfer.method = method;
    request->transfer.url = request->target.url;
    request->transfer.path = request->target.path;
    request->transfer.body = copy;
    request->transfer.body_bytes = copy ? strlen(copy) : 0;
    request->transfer.on_done = on_response;
    return 0;
}

void app_request_finish(struct app_request *request) {
    limits_forget(request->client->limits, &request->limit);
    retry_forget(request->client->retries, &request->retry);
    retry_forget(request->client->retries, &request->deferral);
    jwt_forget(request->client->jwt, &request->waiter);
    http_transfer_finish(&request->transfer);
    free((char *)request->transfer.body);
    target_finish(&request->target);
}
