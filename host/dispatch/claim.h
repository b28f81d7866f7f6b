/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes due runs from the inbox, as many as the plugins have free slots for, and begins them. One
 * claim is under way at a time. Threads: the loop's. */
#ifndef SNEK_DISPATCH_CLAIM_H
#define SNEK_DISPATCH_CLAIM_H

#include "dispatch/plugin.h"

struct claimer {
    struct run_table *table;
    struct plugin *plugins;
    size_t n_plugins;
    struct inbox_claim claim;
    /* A share for each plugin that can take runs now, and those plugins. */
    struct inbox_claim_share *shares;
    struct plugin **sharers;
    /* The tokens of the runs in memory. */
    int64_t *live;
    /* `claiming`: the inbox is working on a claim. `wanted`: claim as soon as possible, before the
     * next due time. */
    bool claiming, wanted;
    /* When the next run is due, by the last claim's result. Wall clock; INT64_MAX: none is
     * queued. */
    int64_t next_due_ms;
    /* The same for runs that were stored since that claim was submitted. */
    int64_t stored_due_ms;
    int64_t asked_ms; /* monotonic */
};

/* 0, or -1 when memory is short. */
int claim_init(struct claimer *claimer, struct run_table *table, struct plugin *plugins,
               size_t n_plugins);
void claim_finish(struct claimer *claimer);

/* A plugin can take a run again: claim soon. */
void claim_want(struct claimer *claimer);
/* A run is due at `due_ms` (wall clock). */
void claim_note_due(struct claimer *claimer, int64_t due_ms);
/* Like claim_note_due(), for a run that was stored just now: a claim under way may have missed
 * it. */
void claim_note_stored(struct claimer *claimer, int64_t due_ms);

/* Claims, if it is time. */
void claim_tick(struct claimer *claimer, int64_t wall_ms);
/* When to claim next. Wall; INT64_MAX: no time is known. */
int64_t claim_next_ms(const struct claimer *claimer);

#endif
