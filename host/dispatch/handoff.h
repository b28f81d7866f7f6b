/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs that go on from memory. While a plugin has free slots, ingest marks its new runs as leased
 * by this host. Once they are committed, ingest hands them over with their body. They wait here
 * until they are due, so that the host need not read them back.
 *
 *   route: reserves a slot --PUT--> stored: mail --> waits until due --> begins
 *                                      |                  '-- the plugin cannot: requeued
 *                                      '-- not stored: the reservation ends
 *
 * Reservations and waiting runs are bounded: by the plugin's free slots, and in bytes.
 *
 * Threads: the loop's, except handoff_reserve(), handoff_stored() and handoff_pass(), which
 * any thread may call.
 */
#ifndef SNEK_DISPATCH_HANDOFF_H
#define SNEK_DISPATCH_HANDOFF_H

#include "dispatch/plugin.h"

#include <pthread.h>

struct handed_run;
TAILQ_HEAD(handed_list, handed_run);

/* One plugin's queue. */
struct handoff_queue {
    struct handoff *handoff;
    struct plugin *plugin;
    /* In the order in which they came. */
    struct handed_list waiting;
    uint32_t n_waiting;
    /* Under the lock: the largest number of reservations, and their present number. A reserved run
     * is with ingest, with the inbox or in the mailbox. */
    uint32_t room, reserved;
};

struct handoff {
    struct run_table *table;
    struct handoff_queue *queues;
    size_t n_queues;
    pthread_mutex_t lock;
    /* Under the lock: of all runs that are reserved or wait. */
    uint64_t bytes;
    /* Under the lock: runs that were handed over, until handoff_pass(). */
    struct mail_list handed;
};

/* 0, or -1 when memory is short. `plugins` stay where they are until handoff_finish(). */
int handoff_init(struct handoff *handoff, struct run_table *table, struct plugin *plugins,
                 size_t n_plugins);
void handoff_finish(struct handoff *handoff);

/* Reserves a slot for the run, if its plugin (of that index) has a free one: then run->leased. */
void handoff_reserve(struct handoff *handoff, size_t plugin, const struct inbox_put *put,
                     struct inbox_put_run *run);
/* Hands the put's leased runs over, or ends their reservations. True when all its runs were handed
 * over. */
bool handoff_stored(struct handoff *handoff, const struct inbox_put *put, struct buffer *body);
/* Passes all runs that were handed over to the loop's thread, and wakes it once for them. */
void handoff_pass(struct handoff *handoff);

/* Begins the runs that are due. `claiming`: a claim is under way, and may return a suspect run. */
void handoff_tick(struct handoff *handoff, int64_t now_ms, bool claiming);
int64_t handoff_next_ms(const struct handoff *handoff, bool claiming);
/* True when no run waits and none will come. */
bool handoff_idle(struct handoff *handoff);

#endif
