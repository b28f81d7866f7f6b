/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One submitted request on its way: checked, given a token, sent, and answered.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_REQUEST_H
#define SNEK_BROKER_REQUEST_H

#include "broker/broker.h"
#include "broker/errand.h"
#include "broker/ratelimits.h"
#include "broker/retry.h"
#include "broker/slug.h"
#include "broker/tokens.h"

struct job;
TAILQ_HEAD(jobs, job);

/* What jobs share. Borrowed, but for `jobs`. */
struct workshop {
    const struct app_way *way;
    struct tokens *tokens;
    struct slug_source *slug;
    struct etags *etags;
    struct inbox *inbox;     /* NULL: nobody's runs are looked after */
    struct mailbox *mailbox; /* the broker's */
    unsigned fencing;        /* questions that are with the inbox */
    int64_t timeout_ms;      /* of one request, its repetitions included, its waits not */
    bool draining;
    struct jobs jobs;       /* that are not answered yet */
    struct errands errands; /* likewise, of the host's own */
};

/* Takes the request on; it is answered into its mailbox, perhaps before this returns. */
void request_begin(struct workshop *workshop, struct broker_request *request);

/* Answers those that wait SNEK_E_REQUEUE, and from now on every one that would have to. */
void request_drain_all(struct workshop *workshop);

/* Answers every request that is under way SNEK_E_CANCELLED. */
void request_cancel_all(struct workshop *workshop);

#endif
