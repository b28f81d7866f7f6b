/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operations of maintenance: pruning, and finding deliveries that never arrived. Only the
 * elected one of a store's hosts does it, at regular times. */
#ifndef SNEK_INBOX_MAINTENANCE_H
#define SNEK_INBOX_MAINTENANCE_H

#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Asks whether this host is the elected one. Result 1: it is elected for `lease_ms` from now, and
 * stays elected if it asks again before the end. Result 0: another host is elected. On PostgreSQL
 * another host may also be elected as soon as the server has ended this host's session. */
struct inbox_elect {
    struct inbox_operation operation;
    /* This host's number, positive and random. */
    int64_t host;
    /* 0: the host gives the election up. */
    int64_t lease_ms;
    /* Wall clock. */
    int64_t now_ms;
    /* See inbox_put. The plugins count as configured for INBOX_CONFIGURED_MS from now, at all
     * hosts of the store. */
    const char *configured;
};
#define INBOX_CONFIGURED_MS 600000

/* One small step of pruning: bodies of deliveries whose runs all ended before `done_before_ms`
 * (dead ones: before `dead_before_ms`), then whole deliveries without a body that came before
 * `forget_before_ms`, and rows of the audit from before `audit_before_ms`. It looks at no more than
 * `most` deliveries and frees about `most_bytes`, so that the other operations of its group do not
 * wait long. When `more` is set, continue with `after` = `next`. */
struct inbox_prune_position {
    /* Zeros at first, as those below. The last delivery that a step looked at. */
    int64_t received_ms, delivery;
    /* Only the inbox uses these: the steps of the pass, the last delivery that was forgotten, and
     * the last run that was looked at for marks (-1: no others are to be marked). */
    int64_t steps, forgotten_ms, forgotten, marked;
};

struct inbox_prune {
    struct inbox_operation operation;
    int64_t done_before_ms, dead_before_ms, forget_before_ms, audit_before_ms;
    /* Entries of GitHub's list from before this are forgotten (pull.h). */
    int64_t pulled_before_ms;
    uint32_t most;
    /* One body always fits. */
    uint64_t most_bytes;
    struct inbox_prune_position after;
    /* See inbox_put. Queued, blocked and parked runs of other plugins are marked "not_configured",
     * a few in each step. Those that came before `done_before_ms` end as dead at `now_ms`, if no
     * host of the store has had their plugin configured since then. */
    const char *configured;
    int64_t now_ms;

    /* Out, as all below. */
    uint32_t bodies, forgotten, audited;
    /* Runs whose plugin is not configured. */
    uint32_t marked, ended;
    struct inbox_prune_position next;
    bool more;
};

/* Reports which of these GUIDs the inbox does not have, how many redeliveries of each the host has
 * requested, and when it requested the last one. A delivery counts as present even after its body
 * was pruned. */
struct inbox_find_missing {
    struct inbox_operation operation;
    const char *const *guids;
    size_t n_guids;
    /* Out; the client's arrays, one element for each GUID. */
    bool *missing;
    uint32_t *requests;
    int64_t *requested_ms;
};

/* Counts a redelivery that the host is about to request from GitHub. The inbox expects one arrival
 * of the GUID for each counted request. The first one stores the delivery, and the others are
 * duplicates. */
enum inbox_redelivery_outcome {
    INBOX_REDELIVERY_COUNTED = 0,
    /* The delivery has arrived since: not counted. */
    INBOX_REDELIVERY_PRESENT = 1,
    /* `most` redeliveries were requested already: not counted. */
    INBOX_REDELIVERY_EXHAUSTED = 2,
};

/* The host requests each GUID so often at most. */
#define INBOX_REDELIVERY_REQUESTS_MAX 3

struct inbox_count_redelivery {
    struct inbox_operation operation;
    const char *guid;
    uint32_t most;
    int64_t now_ms;
};

/* Takes back the last count, because GitHub rejected the request. */
struct inbox_uncount_redelivery {
    struct inbox_operation operation;
    const char *guid;
    /* When the host made the request before the last one; 0: there was none. */
    int64_t requested_ms;
};

/* The wall clock was ahead, and somebody has set it back. The due times and rate limits that the
 * host stored meanwhile are too late by that difference. This operation moves those in the future
 * back by `by_ms`, but not before `now_ms`. A queued run whose delivery arrived "in the future" is
 * due now: it was stored before this host started. Retries of other runs may come earlier than
 * planned, which is harmless.
 * With `by_ms` 0 only those last runs are looked for, by an index: most starts of a host find none.
 * Otherwise the operation moves the runs of INBOX_SET_BACK_STEP ids behind `after_run`. Its result
 * is 1 when there are runs behind these. */
#define INBOX_SET_BACK_STEP 20000
struct inbox_clock_set_back {
    struct inbox_operation operation;
    int64_t now_ms, by_ms, after_run;
};

#endif
