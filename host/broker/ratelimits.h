/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's rate limits, obeyed for each installation: when may its next request leave?
 *
 *   limits_enter() --(a wait of at most 5 s)--> admitted() -> limits_sent() -> limits_leave()
 *                  '-(a longer one, a drain)--> put_off(): the run is to come back later
 *
 * What is waited for: the end of a primary limit (the reset that GitHub names), of a secondary one
 * (Retry-After, else a minute, doubled each time in a row), the pace of writes, of those that
 * notify people and of searches, and fewer than LIMITS_IN_FLIGHT_MAX under way. A wait for a limit
 * holds up all that the installation asks for; other installations go on. Such a wait is kept in
 * the inbox, from where it is known after a restart and to other hosts. What is asked as the app
 * itself has a place of its own, LIMITS_APP.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_RATELIMITS_H
#define SNEK_BROKER_RATELIMITS_H

#include "broker/broker.h"
#include "broker/kind.h"
#include "broker/transport.h"
#include "broker/turns.h"
#include "inbox/limits.h"
#include "inbox/rate_limits.h"

/* GitHub allows 100 requests at once ("Rate limits for the REST API"), a token. */
#define LIMITS_IN_FLIGHT_MAX 100
#define LIMITS_HOLD_MS 5000 /* a longer wait must not hold a thread of a worker */
#define LIMITS_APP "(app)"  /* no installation has such an id */
#define LIMITS_KEPT 8192    /* installations; then those that wait for nothing are forgotten */

struct limits;
struct limits_place; /* what is known of one installation */

struct limits_options {
    int64_t write_interval_ms, notify_interval_ms;
    struct inbox *inbox;         /* NULL: waits are not shared */
    struct mailbox *mailbox;     /* the broker's; for the inbox's answers */
    struct transport *transport; /* for GitHub's clock */
};

struct limits_waiter {
    const char *installation; /* or LIMITS_APP; borrowed until it has left */
    struct request_kind kind;
    int64_t hold_ms;              /* a longer wait for a limit or the pace puts it off */
    struct broker_waited *waited; /* borrowed likewise */
    void (*admitted)(struct limits_waiter *waiter);
    /* `until_ms`: wall; `why`: a sentence. */
    void (*put_off)(struct limits_waiter *waiter, int64_t until_ms, const char *why);

    /* The limits'; zero at first, but for turn.owner. */
    struct turn turn;
    struct limits_place *place; /* NULL: neither queued nor under way */
    bool unsent;                /* it has the place's turn to write */
};

struct limits *limits_new(const struct limits_options *options); /* NULL: no memory */
/* Takes NULL. Nobody waits, and limits_idle(). */
void limits_free(struct limits *limits);

/* admitted() or put_off() may be called before this returns. */
void limits_enter(struct limits *limits, struct limits_waiter *waiter);
/* It leaves now: the pace counts from here. */
void limits_sent(struct limits *limits, struct limits_waiter *waiter);
/* It is over; learns from the answer, when there is one: a 5xx that names a time is waited for like
 * a secondary limit. True when GitHub did nothing but say that a limit is reached: it may enter
 * again. */
bool limits_leave(struct limits *limits, struct limits_waiter *waiter,
                  const struct exchange *exchange);
/* It was under way, and could not be sent before `until_ms` (wall), for the app itself is at a
 * limit: so is all that its installation asks for. It may enter again, and will wait. */
void limits_hold(struct limits *limits, struct limits_waiter *waiter, int64_t until_ms);
void limits_forget(struct limits *limits, struct limits_waiter *waiter); /* in any state */

int limits_wait_ms(const struct limits *limits, int most_ms); /* until limits_handle() */
void limits_handle(struct limits *limits);
/* From now on whoever would have to wait is put off. */
void limits_drain(struct limits *limits);
/* Nothing is with the inbox. */
bool limits_idle(const struct limits *limits);

#endif
