/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Elects one host of a store for the maintenance. The inbox elects it, for as long as it renews its
 * lease in time. The host of an SQLite file always wins. Loop's thread. */
#ifndef SNEK_MAINTENANCE_ELECTION_H
#define SNEK_MAINTENANCE_ELECTION_H

#include "inbox/maintenance.h"

struct election {
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    struct inbox_elect elect;
    /* A random number that names this host in the lease. */
    int64_t holder;
    int64_t lease_ms;
    /* Borrowed; see inbox_elect. */
    const char *configured;
    /* Monotonic. `configured_ms`: the store has noted the configured plugins since then. */
    int64_t asked_ms, until_ms, next_ms, configured_ms;
    bool under_way, closed, released;
    /* Until `until_ms`. */
    bool elected;
};

void election_init(struct election *election, struct inbox *inbox, struct mailbox *mailbox,
                   int64_t lease_ms, const char *configured);

/* Renews the lease when it is time. Returns when to call again; monotonic. */
int64_t election_tick(struct election *election, int64_t now_ms);

/* Is this host the elected one? */
bool election_is_won(const struct election *election);

/* This host stops: another one may be elected at once. */
void election_release(struct election *election);

/* The inbox is gone: results that still arrive are ignored. */
void election_close(struct election *election);

#endif
