/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way of one submitted request: it is checked, admitted, given a token, sent, and answered.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_REQUEST_H
#define SNEK_BROKER_REQUEST_H

#include "broker/app_call.h"
#include "broker/broker.h"
#include "broker/lease_check.h"
#include "broker/ratelimits.h"
#include "broker/rejection_log.h"
#include "broker/retry.h"
#include "broker/slug_cache.h"
#include "broker/token_cache.h"

struct request_state;
TAILQ_HEAD(request_list, request_state);

/* The parts that requests share. Borrowed, except the two lists. */
struct request_context {
    const struct app_client *client;
    struct token_cache *tokens;
    struct slug_cache *slug;
    struct etag_cache *etags;
    /* Its inbox is NULL when no run has a lease. */
    struct lease_checker leases;
    /* The time of one request with its retries, without its waits. */
    int64_t timeout_ms;
    bool draining;
    struct rejection_log rejections;
    /* In progress. */
    struct request_list list;
    struct app_calls calls;
};

/* Starts the request; its result goes to its mailbox, perhaps before this returns. */
void request_begin(struct request_context *context, struct broker_request *request);

/* Ends those that wait with SNEK_E_REQUEUE, and from now on each that would have to wait. */
void request_drain_all(struct request_context *context);

/* Ends every request in progress with SNEK_E_CANCELLED. */
void request_cancel_all(struct request_context *context);

#endif
