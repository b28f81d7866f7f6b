/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's rate limits, obeyed for each installation: when may its next request leave?
 *
 *   limits_enter() --(a wait of at most 5 s)--> on_admitted() -> limits_sent() -> limits_leave()
 *                  '-(a longer one, a drain)--> on_deferred(): the run is due again later
 *
 * A request waits for the end of a primary limit (the reset that GitHub names), for the end of a
 * secondary limit (Retry-After, else a minute, doubled each time in a row), for the pace of writes,
 * of notifying writes and of searches, and while LIMITS_IN_FLIGHT_MAX, or as many of its plugin as
 * plugin_share.h allows, are in progress. A limit
 * delays every request of its installation; other installations go on. The inbox stores such a
 * wait, so that it is known after a restart and to other hosts. Requests as the app itself wait
 * under a name of their own, LIMITS_APP.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_RATELIMITS_H
#define SNEK_BROKER_RATELIMITS_H

#include "broker/broker.h"
#include "broker/classify.h"
#include "broker/fair_queue.h"
#include "broker/plugin_share.h"
#include "broker/transport.h"
#include "inbox/limits.h"
#include "inbox/rate_limits.h"

/* A longer wait must not hold a thread of a worker. */
#define LIMITS_HOLD_MS 5000
/* No installation has such an id. */
#define LIMITS_APP "(app)"
/* Installations; beyond it those that wait for nothing are forgotten. */
#define LIMITS_MAX 8192

struct limits;
/* The state of one installation. */
struct installation_limits;

struct limits_options {
    int64_t write_interval_ms, notify_interval_ms;
    /* NULL: waits are not shared. */
    struct inbox *inbox;
    /* The broker's; for the inbox's results. */
    struct mailbox *mailbox;
    /* For GitHub's clock. */
    struct transport *transport;
};

struct limits_waiter {
    /* Or LIMITS_APP; borrowed until it has left. */
    const char *installation;
    struct request_class class;
    /* It leaves the reserve of the quota to others. */
    bool leaves_reserve;
    /* A longer wait for a limit or the pace defers it. */
    int64_t hold_ms;
    /* Borrowed likewise. */
    struct broker_waited *waited;
    void (*on_admitted)(struct limits_waiter *waiter);
    /* `until_ms`: wall; `reason`: a sentence. */
    void (*on_deferred)(struct limits_waiter *waiter, int64_t until_ms, const char *reason);

    /* The limits'; zero at first, except entry.owner. */
    struct fair_queue_entry entry;
    /* NULL: neither queued nor in progress. */
    struct installation_limits *state;
    /* The share of entry.owner; NULL: none. */
    struct plugin_share *share;
    /* It may write next, and has not been sent yet. */
    bool unsent;
};

/* NULL: no memory. */
struct limits *limits_new(const struct limits_options *options);
/* Takes NULL. limits_idle() must hold; waiters are forgotten. */
void limits_free(struct limits *limits);

/* on_admitted() or on_deferred() may be called before this returns. */
void limits_enter(struct limits *limits, struct limits_waiter *waiter);
/* It leaves now: the pace counts from here. */
void limits_sent(struct limits *limits, struct limits_waiter *waiter);
/* It is over; learns from the response, when there is one. A 5xx that names a time is waited for
 * like a secondary limit. True when GitHub only said that a limit is reached: it may enter again.
 */
bool limits_leave(struct limits *limits, struct limits_waiter *waiter,
                  const struct http_transfer *transfer);
/* It was admitted, and could not be sent before `until_ms` (wall), because the app itself is at a
 * limit: then so is every request of its installation. It may enter again, and will wait. */
void limits_hold(struct limits *limits, struct limits_waiter *waiter, int64_t until_ms);
/* In any state. */
void limits_forget(struct limits *limits, struct limits_waiter *waiter);

/* Until limits_handle(). */
int limits_wait_ms(const struct limits *limits, int most_ms);
void limits_handle(struct limits *limits);
/* From now on a request that would have to wait is deferred. */
void limits_drain(struct limits *limits);
/* No operation is with the inbox. */
bool limits_idle(const struct limits *limits);

#endif
