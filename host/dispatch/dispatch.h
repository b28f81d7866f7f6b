/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The middle of a delivery's way: takes due runs from the inbox, gives each to its plugin's worker,
 * carries the plugin's calls to the broker and the inbox, and writes down how the run ended.
 *
 *   ingest, fresh ------,
 *   inbox --claim--> [run] --frame--> worker --result--> done · skipped · rejected
 *                                        |                retry (5 s … 12 h) · dead
 *                                        '- dies, hangs: see plugin.c
 *
 * One run for each (delivery, plugin). A run ends exactly once: by its result frame, by its
 * deadline, by its worker's death, or by the drain. Only a result frame counts as success.
 *
 * Threads: all on the loop's thread, except dispatch_route(), dispatch_stored() and
 * dispatch_status(), which ingest's thread calls. */
#ifndef SNEK_DISPATCH_DISPATCH_H
#define SNEK_DISPATCH_DISPATCH_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "broker/broker.h"
#include "config/config.h"
#include "inbox/deliveries.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dispatch;

/* Everything is borrowed until dispatch_free(). */
struct dispatch_options {
    const struct config *config;
    const char *worker_path;
    struct loop *loop;
    struct inbox *inbox;
    struct broker *broker;
};

/* Starts a worker for each enabled plugin. 0 and `*dispatch`, or -1. */
int dispatch_new(const struct dispatch_options *options, struct dispatch **dispatch,
                 struct error *err);

enum dispatch_load { DISPATCH_LOADING, DISPATCH_LOADED, DISPATCH_REJECTED };

/* How far the plugins are. Rejected: each reason has been logged; the host cannot start. */
enum dispatch_load dispatch_load_state(struct dispatch *dispatch);

/* Does what is due: claims, deadlines, restarts. Call it after every loop_step(); it says how long
 * the next step may wait, in milliseconds (-1: for ever). */
int dispatch_tick(struct dispatch *dispatch);

/* What ingest asks, on its thread, once the plugins are loaded; see ingest_options.route, .stored
 * and .status. A run for which its plugin has a free slot is leased at once, and goes on from
 * memory when dispatch_stored() says that it was committed; so every put that was routed is to be
 * stored, or said to have failed. */
void dispatch_route(struct dispatch *dispatch, struct inbox_put *put, size_t max);
void dispatch_stored(struct dispatch *dispatch, const struct inbox_put *put, struct buffer *body);
/* Somebody else may have queued runs; any thread. */
void dispatch_on_queued(void *dispatch);
bool dispatch_status(struct dispatch *dispatch, struct buffer *json);

/* No new runs from now on. dispatch_idle() tells when those under way have ended and are written
 * down; dispatch_cancel() tells those that are left to come back (snek_cancelled());
 * dispatch_requeue() gives what then is left back to the inbox and ends the workers. */
void dispatch_drain(struct dispatch *dispatch);
bool dispatch_idle(struct dispatch *dispatch);
void dispatch_cancel(struct dispatch *dispatch);
void dispatch_requeue(struct dispatch *dispatch);
bool dispatch_workers_gone(const struct dispatch *dispatch);

/* After the broker was freed, before the inbox is: takes its last answers and has them written
 * down. Takes NULL. */
void dispatch_settle(struct dispatch *dispatch);

/* After the broker and the inbox were freed: opens what answers they left, frees. Takes NULL. */
void dispatch_free(struct dispatch *dispatch);

#endif
