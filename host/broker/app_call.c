/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One call: from a submitted request to its response. */
#include "broker/app_call.h"

#include "base/clock.h"
#include "base/log.h"

#include <snekomatic/types.h>

#include <string.h>

/* A page of 100 deliveries has some 50 kB. */
#define APP_CALL_RESPONSE_MAX (1u << 20)

struct app_call {
    struct app_calls *calls;
    struct broker_request *request;
    struct app_request app;
    int64_t begun_at_ms;
    TAILQ_ENTRY(app_call) link;
};

static size_t response_max(const struct broker_request *request) {
    return request->response_max ? request->response_max : APP_CALL_RESPONSE_MAX;
}

static void on_mail(struct mail *mail) {
    struct broker_request *request = CONTAINER_OF(mail, struct broker_request, mail);
    request->on_done(request);
}

/* Nobody touches the request after this. */
static void post(struct broker_request *request) {
    request->broker_private = NULL;
    request->mail.open = on_mail;
    mailbox_post(request->reply_to, &request->mail);
}

static void end(struct app_call *call) {
    struct broker_request *request = call->request;
    log_event(SNEK_LEVEL_INFO, "request", LOG_TEXT("method", request->method),
              LOG_TEXT("url", call->app.target.path), LOG_NUMBER("status", request->status),
              LOG_NUMBER("ms", clock_monotonic_ms() - call->begun_at_ms));
    TAILQ_REMOVE(call->calls, call, link);
    app_request_finish(&call->app);
    free(call);
    post(request);
}

static void on_app_response(struct app_request *app) {
    struct app_call *call = app->context;
    struct broker_request *request = call->request;
    struct http_transfer *transfer = &app->transfer;
    request->outcome = transfer->outcome;
    request->not_before_ms = app->until_ms;
    request->status = transfer->status;
    /* In doubt, it may have reached GitHub. */
    request->sent = !transfer->unsent;
    request->error = transfer->error;
    http_transfer_take(transfer, &request->headers, &request->response);
    end(call);
}

void app_call_begin(const struct app_client *client, struct app_calls *calls,
                    struct broker_request *request) {
    struct app_call *call = calloc(1, sizeof *call);
    request->outcome = 0;
    request->status = 0;
    request->error.text[0] = '\0';
    request->headers = (struct buffer)BUFFER_INIT(TRANSPORT_HEADERS_MAX);
    request->response = (struct buffer)BUFFER_INIT(response_max(request));
    if (!call) {
        request->outcome = SNEK_E_FAILED;
        error_set(&request->error, "no memory");
        post(request);
        return;
    }
    call->calls = calls;
    call->request = request;
    call->begun_at_ms = clock_monotonic_ms();
    TAILQ_INSERT_TAIL(calls, call, link);
    request->outcome = app_request_init(&call->app, client, request->method, request->url,
                                        request->body, &request->error);
    if (request->outcome < 0) {
        end(call);
        return;
    }
    call->app.once = strcmp(request->method, "GET") != 0;
    call->app.reuses_jwt = !call->app.once;
    call->app.transfer.secret = false;
    call->app.transfer.response.max = response_max(request);
    call->app.on_done = on_app_response;
    call->app.context = call;
    app_send(&call->app);
}

void app_calls_cancel_all(struct app_calls *calls) {
    struct app_call *call;
    while ((call = TAILQ_FIRST(calls))) {
        call->request->outcome = SNEK_E_CANCELLED;
        call->request->status = 0;
        error_set(&call->request->error, "the host stops");
        end(call);
    }
}
