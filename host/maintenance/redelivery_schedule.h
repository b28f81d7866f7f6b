/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides when passes of recovery run, and reports them in the log and in /readyz.
 *
 * The first pass of a host reads GitHub's whole delivery log (3 days), and so does one pass each
 * day. The passes in between read back to one hour before the last pass began, if that pass was
 * complete: it compared everything older. GitHub would have to list a delivery an hour late to hide
 * it, and even then the daily full pass finds it while GitHub can still redeliver it. To read the
 * whole log of a busy app every time would cost more requests than GitHub allows.
 *
 * A pass leaves deliveries of the last minute alone. The next pass comes early, when these are old
 * enough: after a start it finds what GitHub sent in the minute before. An early pass brings no
 * other forward, because the host was up when GitHub sent what that pass leaves alone.
 *
 * Threads: the loop's thread, except redelivery_schedule_status(), which any thread may call. */
#ifndef SNEK_MAINTENANCE_REDELIVERY_SCHEDULE_H
#define SNEK_MAINTENANCE_REDELIVERY_SCHEDULE_H

#include "base/buffer.h"
#include "maintenance/redelivery_pass.h"

#include <pthread.h>

struct redelivery_schedule {
    struct inbox *inbox;     /* borrowed */
    struct broker *broker;   /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    struct delivery_router router;
    int64_t retention_ms;
    struct redelivery_pass pass;
    /* The pass is. */
    bool under_way;
    /* Inbox and broker are gone. */
    bool closed;
    /* The next pass, or the one under way, was brought forward. */
    bool early;
    /* The failure is already logged. */
    bool failing;
    /* 0: never. */
    int64_t interval_ms;
    /* Monotonic. full_ms 0: no full pass has succeeded yet. */
    int64_t next_ms, full_ms;
    /* By GitHub's clock: the next pass reads the log back to here. */
    int64_t since_ms;
    /* By GitHub's clock: a delivery waits for its next request until then; 0: none waits. */
    int64_t next_request_ms;
    int64_t clock_offset_ms;
    /* The delivery at which the last pass ended early; "": it did not. */
    char stopped_guid[INBOX_GUID_MAX + 1];
    uint64_t last_given_up;

    /* Protects the members below, which redelivery_schedule_status() shows. */
    pthread_mutex_t lock;
    bool elsewhere;
    struct error last_error;
    int64_t checked_ms;
    /* Counts of the last pass. */
    uint64_t missing, given_up;
    /* Counts of all passes. */
    uint64_t fetched, requested;
};

/* Everything is borrowed until redelivery_schedule_close(). */
struct redelivery_schedule_options {
    struct inbox *inbox;
    struct broker *broker;
    struct mailbox *mailbox;
    struct delivery_router router;
    /* 0: never. */
    int64_t interval_ms;
    int64_t retention_ms;
};

void redelivery_schedule_init(struct redelivery_schedule *schedule,
                              const struct redelivery_schedule_options *options);

/* Starts or continues a pass when it is due. Returns when to call again; monotonic. A host that is
 * not `elected` starts no pass, but finishes the one in progress. */
int64_t redelivery_schedule_tick(struct redelivery_schedule *schedule, bool elected,
                                 int64_t now_ms);

/* Appends `"recovery":{...}`. 0, or -1 if it did not fit. */
int redelivery_schedule_status(struct redelivery_schedule *schedule, struct buffer *json);

/* Inbox and broker are gone: results that still arrive end the pass. */
void redelivery_schedule_close(struct redelivery_schedule *schedule);
/* After the last result has arrived. */
void redelivery_schedule_finish(struct redelivery_schedule *schedule);

#endif
