/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares this machine's clock with GitHub's, which the responses of the broker show. A wrong
 * clock would make the host forget GUIDs too early, and then run old deliveries twice.
 *
 * Threads: the loop's thread, except clock_check_status(), which any thread may call. */
#ifndef SNEK_MAINTENANCE_CLOCK_CHECK_H
#define SNEK_MAINTENANCE_CLOCK_CHECK_H

#include "base/buffer.h"
#include "broker/broker.h"
#include "inbox/maintenance.h"

struct clock_check {
    struct broker *broker;   /* borrowed */
    struct inbox *inbox;     /* borrowed */
    struct mailbox *mailbox; /* borrowed */
    struct broker_request request;
    bool under_way;
    /* Inbox and broker are gone. */
    bool closed;
    /* The wrong clock is already logged. */
    bool wrong;
    /* The wall clock less the monotonic one. */
    int64_t offset_ms;
    /* The wall clock was set back by so much, and the store does not know it yet. */
    int64_t set_back_ms;
    bool set_back_due, set_back_under_way;
    struct inbox_clock_set_back set_back;
    /* Not before; monotonic. */
    int64_t set_back_at_ms;
    void (*on_runs_due)(void *context);
    void *context;
    /* Monotonic. 0: nobody has needed the clock yet. */
    int64_t next_ms;
};

/* on_runs_due(): runs are due earlier than they were. */
void clock_check_init(struct clock_check *check, struct broker *broker, struct inbox *inbox,
                      struct mailbox *mailbox, void (*on_runs_due)(void *context), void *context);

/* Logs when the clock becomes wrong or right. If no response has shown GitHub's clock yet and the
 * caller needs to know it, asks GitHub. Returns when to call again; monotonic. */
int64_t clock_check_tick(struct clock_check *check, bool needed, int64_t now_ms);

/* A test advanced time: asks GitHub without delay, and lets the host look for runs that are due. */
void clock_check_on_advance(struct clock_check *check);

/* Does this machine's clock agree with GitHub's within an hour? False if that is unknown. */
bool clock_check_is_right(void);

/* Appends `"clock":{...}`. 0, or -1 if it did not fit. */
int clock_check_status(struct buffer *json);

/* The broker is gone: a response that still arrives is ignored. */
void clock_check_close(struct clock_check *check);

#endif
