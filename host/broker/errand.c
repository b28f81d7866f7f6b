/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "broker/errand.h"

#include "base/clock.h"
#include "base/log.h"

#include <snekomatic/types.h>

#include <string.h>

#define ERRAND_ANSWER_MAX (1u << 20) /* a page of 100 deliveries has some 50 kB */

struct errand {
    struct errands *all;
    struct broker_request *request;
    struct app_request app;
    int64_t begun_at_ms;
    TAILQ_ENTRY(errand) link;
};

static void deliver(struct mail *mail) {
    struct broker_request *request = CONTAINER_OF(mail, struct broker_request, mail);
    request->done(request);
}

/* Nobody touches the request after this. */
static void post(struct broker_request *request) {
    request->broker_private = NULL;
    request->mail.open = deliver;
    mailbox_post(request->reply_to, &request->mail);
}

static void end(struct errand *errand) {
    struct broker_request *request = errand->request;
    log_event(SNEK_LEVEL_INFO, "request", LOG_TEXT("method", request->method),
              LOG_TEXT("url", errand->app.target.path), LOG_NUMBER("status", request->status),
              LOG_NUMBER("ms", clock_monotonic_ms() - errand->begun_at_ms));
    TAILQ_REMOVE(errand->all, errand, link);
    app_request_finish(&errand->app);
    free(errand);
    post(request);
}

static void answered(struct app_request *app) {
    struct errand *errand = app->context;
    struct broker_request *request = errand->request;
    struct exchange *exchange = &app->exchange;
    request->outcome = exchange->outcome;
    request->not_before_ms = app->until_ms;
    request->status = exchange->status;
    request->error = exchange->error;
    request->headers = exchange->headers;
    request->answer = exchange->answer;
    exchange->headers = (struct buffer)BUFFER_INIT(exchange->headers.max);
    exchange->answer = (struct buffer)BUFFER_INIT(exchange->answer.max);
    end(errand);
}

void errand_begin(const struct app_way *way, struct errands *errands,
                  struct broker_request *request) {
    struct errand *errand = calloc(1, sizeof *errand);
    request->outcome = 0;
    request->status = 0;
    request->error.text[0] = '\0';
    request->headers = (struct buffer)BUFFER_INIT(TRANSPORT_HEADERS_MAX);
    request->answer = (struct buffer)BUFFER_INIT(ERRAND_ANSWER_MAX);
    if (!errand) {
        request->outcome = SNEK_E_FAILED;
        (void)error_set(&request->error, "no memory");
        post(request);
        return;
    }
    errand->all = errands;
    errand->request = request;
    errand->begun_at_ms = clock_monotonic_ms();
    TAILQ_INSERT_TAIL(errands, errand, link);
    request->outcome = app_request_init(&errand->app, way, request->method, request->url,
                                        request->body, &request->error);
    if (request->outcome < 0) {
        end(errand);
        return;
    }
    errand->app.once = strcmp(request->method, "GET") != 0;
    errand->app.exchange.secret = false;
    errand->app.exchange.answer.max = ERRAND_ANSWER_MAX;
    errand->app.done = answered;
    errand->app.context = errand;
    app_send(&errand->app);
}

void errands_cancel_all(struct errands *errands) {
    struct errand *errand;
    while ((errand = TAILQ_FIRST(errands))) {
        errand->request->outcome = SNEK_E_CANCELLED;
        errand->request->status = 0;
        (void)error_set(&errand->request->error, "the host stops");
        end(errand);
    }
}
