/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What one of all hosts of a store does by the clock: it prunes, and finds deliveries that never
 * arrived. */
#ifndef SNEK_INBOX_MAINTENANCE_H
#define SNEK_INBOX_MAINTENANCE_H

#include "inbox/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Asks whether this host is the elected one. 1: it is, for `lease_ms` from now, and stays so if it
 * asks again before; 0: another host is. */
struct inbox_elect {
    struct inbox_operation operation;
    /* This host's number, positive and random. */
    int64_t host;
    int64_t lease_ms;
};

/* One small step of pruning: bodies of deliveries whose runs all ended before `done_before_ms`
 * (dead ones: before `dead_before_ms`), then whole deliveries without a body that came before
 * `forget_before_ms`. It looks at no more than `most` deliveries and frees about `most_bytes`, so
 * that its group does not wait. When `more` is set, continue with `after` = `next`. */
struct inbox_prune_position {
    /* Zeros at first. */
    int64_t received_ms, delivery;
};

struct inbox_prune {
    struct inbox_operation operation;
    int64_t done_before_ms, dead_before_ms, forget_before_ms;
    uint32_t most;
    /* One body always fits. */
    uint64_t most_bytes;
    struct inbox_prune_position after;

    /* Out, as all below. */
    uint32_t bodies, forgotten;
    struct inbox_prune_position next;
    bool more;
};

/* Which of these GUIDs the inbox does not have, how many redeliveries of each the host has
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

/* Counts a redelivery that the host is about to request from GitHub. So many arrivals of the GUID
 * are duplicates, the one that stores it included. */
enum inbox_redelivery_outcome {
    INBOX_REDELIVERY_COUNTED = 0,
    /* The delivery has arrived since: not counted. */
    INBOX_REDELIVERY_PRESENT = 1,
    /* `most` redeliveries were requested already: not counted. */
    INBOX_REDELIVERY_EXHAUSTED = 2,
};

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
    /* The previous request; 0: none. */
    int64_t requested_ms;
};

/* The wall clock was ahead, and somebody has set it back. Due times and waits for rate limits that
 * the host stored meanwhile would be late by as much. Moves those of the future back by `by_ms`,
 * but not before `now_ms`. A queued run whose delivery arrived "in the future" is due now: it was
 * stored before this host started. Retries of other runs may come earlier than planned, which is
 * harmless. */
struct inbox_clock_set_back {
    struct inbox_operation operation;
    int64_t now_ms, by_ms;
};

#endif
