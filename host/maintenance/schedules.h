/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fires the schedules of this host's plugins, for each target, once in each slot. The elected host
 * does it at the time, and the others a minute later what was left over: it may not have the
 * plugin. The inbox makes sure that each slot fires once.
 *
 *   targets (GET /app/installations, GET /installation/repositories), read anew every hour
 *     x schedules of the plugins --> the last slot of each --FIRE--> next ...
 *
 * Firings are spread over a tenth of the period, at most 10 minutes, each target at its own time.
 * Loop's thread, except schedules_note_installations(). */
#ifndef SNEK_MAINTENANCE_SCHEDULES_H
#define SNEK_MAINTENANCE_SCHEDULES_H

#include "maintenance/firing.h"
#include "maintenance/targets.h"

#include <stdatomic.h>

/* A schedule and a target. */
struct schedule_pair {
    /* The last slot that was submitted; SCHEDULE_NEVER: none. */
    int64_t slot_ms;
};

struct schedules {
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    struct delivery_router router;
    struct plugin_directory plugins;
    struct target_list targets;
    /* For each target one of each schedule, in the order of the plugins. */
    struct schedule_pair *pairs;
    size_t n_schedules;
    /* The pair that is looked at next. */
    size_t next;
    struct firing firing;
    uint64_t fired;
    /* The time of the pass; and when the targets were read, as tests may see it. */
    int64_t time_ms, listed_ms;
    /* Monotonic. */
    int64_t next_ms;
    /* An installation has changed. */
    atomic_bool targets_changed;
    bool under_way, listed, wanted, looked, closed, elected;
};

void schedules_init(struct schedules *schedules, struct inbox *inbox, struct broker *broker,
                    struct mailbox *mailbox, const struct delivery_router *router,
                    const struct plugin_directory *plugins);

/* See timers_tick(). */
int64_t schedules_tick(struct schedules *schedules, bool allowed, bool elected, int64_t time_ms,
                       int64_t now_ms);

/* See timers.h. */
void schedules_want(struct schedules *schedules);
bool schedules_settled(const struct schedules *schedules);
/* Reads the targets anew soon, if a delivery of this event says that they have changed. Any thread.
 */
void schedules_note_event(struct schedules *schedules, const char *event);
void schedules_close(struct schedules *schedules);
void schedules_finish(struct schedules *schedules);

#endif
