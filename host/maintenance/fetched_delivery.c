/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the routing fields of a fetched payload, routes it, and puts it into the inbox. */
#include "maintenance/fetched_delivery.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "metrics/metrics.h"

#include <assert.h>

/* In a response of GET /app/hook/deliveries/{id}. GitHub may have no payload. */
static bool find_payload(const struct buffer *response, const char **payload, size_t *bytes) {
    struct json_value value;
    if (!response->data || !json_find(response->data, response->bytes, "request.payload", &value) ||
        value.type != JSON_OBJECT_BEGIN) {
        return false;
    }
    *payload = value.raw;
    *bytes = value.raw_bytes;
    return true;
}

int fetched_delivery_submit(struct fetched_delivery *delivery, struct buffer *response,
                            const struct fetched_source *source, struct inbox *inbox,
                            struct mailbox *reply_to,
                            void (*on_result)(struct inbox_operation *operation),
                            struct error *err) {
    const char *payload;
    size_t bytes;
    assert(delivery->router && delivery->router->route);
    if (!find_payload(response, &payload, &bytes)) {
        return 0;
    }
    if (body_read(payload, bytes, &delivery->routing, err) < 0) {
        return -1;
    }
    const struct body_routing *routing = &delivery->routing;
    int64_t now_ms = clock_wall_ms();
    delivery->source = source->name;
    delivery->response = *response;
    *response = (struct buffer){0};
    delivery->put = (struct inbox_put){
        .operation = {.kind = INBOX_PUT, .reply_to = reply_to, .on_result = on_result},
        /* Only a redelivery that a person asked for may run a known delivery again. */
        .fetched = !source->redelivery,
        .pulled = source->pulled,
        .guid = source->guid,
        .event = source->event,
        .action = routing->action,
        .installation = routing->installation,
        .repository = routing->repository,
        .sender = routing->sender,
        .repository_id = routing->repository_id,
        .item = routing->item,
        .body = payload,
        .body_bytes = bytes,
        .received_ms = now_ms,
        .due_ms = source->due_ms > now_ms ? source->due_ms : now_ms,
        .runs = delivery->runs,
    };
    if (*routing->installation) {
        delivery->router->route(delivery->router->context, &delivery->put);
    }
    assert(delivery->put.n_runs <= FETCHED_ROUTES_MAX);
    inbox_submit(inbox, &delivery->put.operation);
    return 1;
}

static void report(const struct fetched_delivery *delivery) {
    static const struct {
        const char *message;
        enum metrics_taken metric;
    } outcomes[] = {[INBOX_STORED] = {"stored", METRICS_STORED},
                    [INBOX_DUPLICATE] = {"duplicate", METRICS_DUPLICATE},
                    [INBOX_REDELIVERED] = {"redelivered", METRICS_REDELIVERED}};
    const struct inbox_put *put = &delivery->put;
    metrics_delivery_fetched(put->event, outcomes[put->operation.result].metric);
    log_event(SNEK_LEVEL_INFO, outcomes[put->operation.result].message,
              LOG_TEXT("delivery", put->guid), LOG_TEXT("event", put->event),
              LOG_TEXT("action", text_or_null(put->action)),
              LOG_TEXT("installation", text_or_null(put->installation)),
              LOG_TEXT("source", delivery->source), LOG_NUMBER("bytes", (int64_t)put->body_bytes),
              LOG_NUMBER("runs", (int64_t)put->n_runs));
}

void fetched_delivery_finish(struct fetched_delivery *delivery, bool inform) {
    const struct delivery_router *router = delivery->router;
    if (delivery->put.operation.result >= 0) {
        report(delivery);
    }
    if (inform && delivery->put.n_runs > 0) {
        router->on_stored(router->context, &delivery->put, &delivery->response);
    }
    inbox_put_finish(&delivery->put);
    buffer_finish(&delivery->response);
    delivery->put.n_runs = 0;
}
