/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Retention: removes old payloads, runs and GUIDs in passes of small steps. The steps are so small,
 * and the pauses between them so long, that ingest does not notice. Loop's thread. */
#ifndef SNEK_MAINTENANCE_PRUNE_H
#define SNEK_MAINTENANCE_PRUNE_H

#include "inbox/maintenance.h"

struct prune {
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    int64_t retention_days, audit_days;
    /* See inbox_prune. Borrowed. */
    const char *configured;
    struct inbox_prune step;
    /* The inbox has the step. */
    bool under_way;
    /* The inbox is gone. */
    bool closed;
    /* The failure is already logged. */
    bool failing;
    /* Monotonic. */
    int64_t next_ms, started_ms;
    /* Totals of this pass. */
    uint64_t bodies, forgotten, audited, marked, ended;
};

void prune_init(struct prune *prune, struct inbox *inbox, struct mailbox *mailbox,
                int64_t retention_days, int64_t audit_days, const char *configured);

/* Starts the next step when it is due. Returns when to call again; monotonic. A host that may not
 * prune now (`allowed`) starts no step, but finishes the one in progress. */
int64_t prune_tick(struct prune *prune, bool allowed, int64_t now_ms);

/* The inbox is gone: results that still arrive are ignored. */
void prune_close(struct prune *prune);

#endif
