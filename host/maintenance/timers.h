/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fires the timers that plugins of this host have set. The elected host fires them at their time,
 * and the others what it left over after some seconds: it may not have the plugin. The inbox makes
 * sure that each fires once. Loop's thread. */
#ifndef SNEK_MAINTENANCE_TIMERS_H
#define SNEK_MAINTENANCE_TIMERS_H

#include "maintenance/firing.h"

struct timers {
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    struct delivery_router router;
    struct plugin_directory plugins;
    struct inbox_timers_due due;
    /* The names of the plugins in `due`. */
    char *names;
    /* The next one of `due` that fires. */
    size_t next;
    struct firing firing;
    /* How many fired. */
    uint64_t fired;
    bool wanted, looked;
    /* Monotonic. */
    int64_t next_ms;
    bool under_way, closed;
};

void timers_init(struct timers *timers, struct inbox *inbox, struct mailbox *mailbox,
                 const struct delivery_router *router, const struct plugin_directory *plugins);

/* `allowed`: the clock is right. `time_ms` is the wall clock's time, as tests may see it. Returns
 * when to call again; monotonic. */
int64_t timers_tick(struct timers *timers, bool allowed, bool elected, int64_t time_ms,
                    int64_t now_ms);

/* The next tick looks at once, or after the pass that goes on. */
void timers_want(struct timers *timers);
/* True when all has fired that was due at the last timers_want(). */
bool timers_settled(const struct timers *timers);
/* The inbox is gone: results that still arrive are ignored. */
void timers_close(struct timers *timers);
void timers_finish(struct timers *timers);

#endif
