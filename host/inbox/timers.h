/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deliveries that the clock causes: timers that runs of plugins set, and the slots of schedules
 * that plugins declare.
 *
 *   FINISH_TIMERS --set--> timer --TIMERS_DUE--> FIRE --> delivery and run; the timer is gone
 *        '--cancel, set again--^
 *   schedule, target, slot ---------------------> FIRE --> delivery and run; the slot is taken
 *
 * FIRE is a PUT that first takes the timer or the slot, in the same transaction. So it happens
 * once, however many hosts try. What it inserts is an ordinary delivery with ordinary runs. */
#ifndef SNEK_INBOX_TIMERS_H
#define SNEK_INBOX_TIMERS_H

#include "inbox/deliveries.h"
#include "inbox/limits.h"

/* The most timers of one plugin in one installation. */
#define INBOX_TIMERS_MAX 10000
/* The events of the deliveries. */
#define INBOX_TIMER_EVENT INBOX_OWN_EVENTS "timer"
#define INBOX_SCHEDULE_EVENT INBOX_OWN_EVENTS "schedule"

/* Sets the timer of this key anew, or cancels it. Borrowed texts. */
struct inbox_timer_change {
    const char *key;
    /* The payload of the delivery, JSON; NULL: cancel. */
    const char *body;
    size_t body_bytes;
    /* Wall clock. */
    int64_t due_ms;
    /* The GUID of the delivery: a new one for each timer that is set. */
    const char *guid;
};

/* FINISH_TIMERS: a FINISH with `how` DONE that also makes the changes, or none of them. 0,
 * INBOX_STALE, or: */
enum inbox_finish_timers_outcome {
    /* The plugin would have too many timers in the installation. Nothing was written. */
    INBOX_TIMERS_FULL = 4,
};

/* A timer that is due. */
struct inbox_due_timer {
    int64_t id, due_ms;
    char plugin[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    char guid[INBOX_GUID_MAX + 1];
    struct buffer body;
};

/* TIMERS_DUE lists the timers that are due, the oldest first. Result: 0. */
struct inbox_timers_due {
    struct inbox_operation operation;
    int64_t now_ms;
    /* Only those of these plugins; see inbox_put. */
    const char *plugins;
    uint32_t most;
    /* Out: inbox_due_timers_free(). */
    struct inbox_due_timer *timers;
    size_t n_timers;
};

/* Takes NULL. */
void inbox_due_timers_free(struct inbox_due_timer *timers, size_t n_timers);

/* The firing that a FIRE takes. Borrowed texts. */
struct inbox_firing {
    /* The timer with this id and the put's GUID; 0: a slot of a schedule. */
    int64_t timer;
    const char *plugin, *schedule;
    /* The repository's id; "" when the target is the put's installation. */
    const char *repository;
    /* Wall clock. */
    int64_t slot_ms;
};

/* FIRE is a PUT with `firing`. INBOX_STORED; INBOX_DUPLICATE: the timer is gone, the slot or a
 * later one was taken, or the GUID is known; or: */
enum inbox_fire_outcome {
    /* The run of the schedule's last firing has not ended. The slot is taken, and nothing stored.
     */
    INBOX_FIRE_BUSY = 3,
    /* The store saw this schedule and target for the first time. The slot is taken, and nothing
     * stored: a schedule begins with its next slot. */
    INBOX_FIRE_FIRST = 4,
};

#endif
