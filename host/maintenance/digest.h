/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sums deliveries for the console in small steps (inbox/console.h), so that a page reads some
 * hundred sums and not a million deliveries. Loop's thread. */
#ifndef SNEK_MAINTENANCE_DIGEST_H
#define SNEK_MAINTENANCE_DIGEST_H

#include "inbox/console.h"

struct digest {
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    int64_t audit_days;
    struct inbox_digest step;
    /* The inbox has the step. */
    bool under_way;
    /* The inbox is gone. */
    bool closed;
    /* The failure is already logged. */
    bool failing;
    /* Monotonic. */
    int64_t next_ms, started_ms;
};

void digest_init(struct digest *digest, struct inbox *inbox, struct mailbox *mailbox,
                 int64_t audit_days);

/* Starts the next step when it is due. Returns when to call again; monotonic. Only the elected host
 * sums (`allowed`). */
int64_t digest_tick(struct digest *digest, bool allowed, int64_t now_ms);

/* The inbox is gone: results that still arrive are ignored. */
void digest_close(struct digest *digest);

#endif
