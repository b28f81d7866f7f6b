/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests as the app itself: each with a fresh JWT, under the app's own rate limits, and retried
 * after a temporary failure. Plugins have no access to it; the broker uses it for tokens, the slug
 * and the host's own calls.
 *
 * Threads: the broker's alone. app_send() never calls on_done(). */
#ifndef SNEK_BROKER_APP_CLIENT_H
#define SNEK_BROKER_APP_CLIENT_H

#include "broker/jwt.h"
#include "broker/ratelimits.h"
#include "broker/retry.h"
#include "broker/transport.h"
#include "broker/url.h"

/* The parts of this room that every request uses. All borrowed. */
struct app_client {
    const struct origin *origin;
    struct transport *transport;
    struct jwt_source *jwt;
    struct limits *limits;
    struct retries *retries;
};

struct app_request {
    /* May finish and free the request. */
    void (*on_done)(struct app_request *request);
    /* The caller's. */
    void *context;
    /* GitHub must not receive it twice. */
    bool once;
    /* A JWT that another request had some seconds ago is good enough: it only reads. */
    bool reuses_jwt;
    /* Holds the response, also of a failure. SNEK_E_REQUEUE: the request was not sent, or GitHub
     * only rejected it, because the app is at a limit until `until_ms` (wall) or the host stops. */
    struct http_transfer transfer;
    int64_t until_ms;

    /* app_client.c's. */
    const struct app_client *client;
    struct limits_waiter limit;
    /* The rate limits write it. No other code reads it, because no run waits for this request. */
    struct broker_waited waited;
    struct retry retry, deferral;
    /* Monotonic; 0: not sent yet. */
    int64_t begun_at_ms;
    unsigned tries;
    struct jwt_waiter waiter;
    struct target target;
    int32_t skew_s;
    uint32_t key;
    bool skew_corrected, key_changed;
};

/* `path` below the API's root, `body` JSON or NULL: copied. 0, or a negative enum snek_error and a
 * sentence; app_request_finish() in either case. */
int32_t app_request_init(struct app_request *request, const struct app_client *client,
                         const char *method, const char *path, const char *body, struct error *err);
void app_send(struct app_request *request);
/* Wipes and frees; on_done() is not called any more. */
void app_request_finish(struct app_request *request);

#endif
