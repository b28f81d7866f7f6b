/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests as the app itself: each with a fresh JWT, under the app's own rate limits, and made
 * again after a failure that passes. Plugins have no way here; the broker uses it for tokens, the
 * slug and the host's errands.
 *
 * Threads: the broker's alone. app_send() never calls done(). */
#ifndef SNEK_BROKER_APP_H
#define SNEK_BROKER_APP_H

#include "broker/jwt.h"
#include "broker/ratelimits.h"
#include "broker/retry.h"
#include "broker/transport.h"
#include "broker/url.h"

/* The way out, as the parts of this room share it. All borrowed. */
struct app_way {
    const struct origin *origin;
    struct transport *transport;
    struct jwt_source *jwt;
    struct limits *limits;
    struct retries *retries;
};

struct app_request {
    void (*done)(struct app_request *request); /* may finish and free it */
    void *context;                             /* the asker's */
    bool once;                                 /* GitHub is not to hear of it twice */
    /* The answer is in it, failures too. SNEK_E_REQUEUE: it was not sent, or GitHub did nothing
     * but reject it, since the app is at a limit until `until_ms` (wall), or the host stops. */
    struct exchange exchange;
    int64_t until_ms;

    /* app.c's */
    const struct app_way *way;
    struct limits_waiter limit;
    struct broker_waited waited; /* nobody asks: it is never held */
    struct retry retry, put_off;
    int64_t begun_at_ms; /* monotonic; 0: not sent yet */
    unsigned tries;
    struct jwt_waiter waiter;
    struct target target;
    int32_t skew_s;
    uint32_t key;
    bool again, other_key;
};

/* `path` below the API's root, `body` JSON or NULL: copied. 0, or a negative enum snek_error and a
 * sentence; app_request_finish() in either case. */
int32_t app_request_init(struct app_request *request, const struct app_way *way, const char *method,
                         const char *path, const char *body, struct error *err);
void app_send(struct app_request *request);
/* Wipes and frees; done() is not called any more. */
void app_request_finish(struct app_request *request);

#endif
