/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes due runs from the inbox, gives each to its plugin's worker, carries the plugin's calls to
 * the broker and the inbox, and records how the run ended.
 *
 *   ingest, handoff ----,
 *   inbox --claim--> [run] --frame--> worker --result--> done · skipped · rejected
 *                                        |                retry (5 s … 12 h) · dead
 *                                        '- dies or hangs: see plugin.h
 *
 * There is one run for each (delivery, plugin). A run ends exactly once: by its result frame, by
 * its deadline, by its worker's death, or by the drain. Only a result frame counts as success.
 *
 * The room's files know each other in one direction:
 *
 *   dispatch -> claim, handoff -> plugin -> calls, store_calls, effect
 *     -> call -> run, lease -> journal, comment, scope, backoff
 *
 * Threads: the loop's, except dispatch_status(), which ingest's thread calls, and dispatch_route(),
 * dispatch_stored(), dispatch_pass() and dispatch_on_queued(), which any thread may call. */
#ifndef SNEK_DISPATCH_DISPATCH_H
#define SNEK_DISPATCH_DISPATCH_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "broker/broker.h"
#include "config/config.h"
#include "inbox/deliveries.h"
#include "worker_process/starter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dispatch;

/* Everything is borrowed until dispatch_free(). */
struct dispatch_options {
    const struct config *config;
    struct worker_starter *starter;
    struct loop *loop;
    struct inbox *inbox;
    struct broker *broker;
    /* The descriptions that earlier hosts have kept (description_file.h). Their plugins need not
     * load before the host serves. */
    int descriptions_fd;
};

/* Starts a worker for each enabled plugin. 0 and `*dispatch`, or -1. */
int dispatch_new(const struct dispatch_options *options, struct dispatch **dispatch,
                 struct error *err);

/* 1 once every plugin has loaded, in this host or an earlier one; 0 before; -1 and `err`, which
 * names the plugin: the host cannot start. It is transient if the system only lacks a resource.
 * Until it is 1, dispatch submits nothing to the inbox. */
int dispatch_loaded(struct dispatch *dispatch, struct error *err);

/* The store is open, and the plugins have loaded: reads what the store knows. */
void dispatch_begin(struct dispatch *dispatch);
/* True when dispatch has read it: ingest may begin. */
bool dispatch_ready(struct dispatch *dispatch);

/* The names of all configured plugins, each between newlines, once they are loaded. */
const char *dispatch_configured(const struct dispatch *dispatch);

/* May a plugin want such a delivery? An action "" is none. Once the plugins are loaded. */
bool dispatch_wants(const struct dispatch *dispatch, const char *event, const char *action,
                    const char *installation);

/* Does what is due: claims, deadlines, restarts. Call it after every loop_step(). It returns how
 * long the next step may wait, in milliseconds (-1: for ever). */
int dispatch_tick(struct dispatch *dispatch);

/* Ingest calls these on its thread, once dispatch is ready; see ingest_options.route, .stored
 * and .status. If its plugin has a free slot, a run is leased at once, and goes on from memory when
 * dispatch_stored() reports that it was committed. So every put that was routed must be passed to
 * dispatch_stored(), also when it failed, and dispatch_pass() must follow soon. */
void dispatch_route(struct dispatch *dispatch, struct inbox_put *put, size_t max);

/* The description of the plugin with this index; NULL: it is not known. `*more`: there is such a
 * plugin. */
const struct description *dispatch_description(const struct dispatch *dispatch, size_t index,
                                               bool *more);
void dispatch_stored(struct dispatch *dispatch, const struct inbox_put *put, struct buffer *body);
/* Passes the runs of all puts since the last call to the loop's thread, and wakes it once for them:
 * on a core that both threads share, a wake-up for each run costs two switches. */
void dispatch_pass(struct dispatch *dispatch);
bool dispatch_status(struct dispatch *dispatch, struct buffer *json);
/* Another host may have queued runs. Any thread. */
void dispatch_on_queued(void *dispatch);

/* Ends the quarantine of the plugin with this name; its runs go on. 0, or 1 when no plugin has that
 * name. */
int dispatch_release(struct dispatch *dispatch, const char *name);

/* Starts no new runs from now on. dispatch_idle() is true once the runs under way have ended and
 * their completions are committed. dispatch_cancel() asks the handlers that are left to return
 * (snek_cancelled()). dispatch_requeue() then gives the remaining runs back to the inbox and ends
 * the workers. */
void dispatch_drain(struct dispatch *dispatch);
bool dispatch_idle(struct dispatch *dispatch);
void dispatch_cancel(struct dispatch *dispatch);
void dispatch_requeue(struct dispatch *dispatch);
bool dispatch_workers_gone(const struct dispatch *dispatch);

/* After the broker was freed and before the inbox is: takes the broker's last responses and has the
 * inbox record them. Takes NULL. */
void dispatch_settle(struct dispatch *dispatch);

/* After the broker and the inbox were freed: takes their last results, and frees. Takes NULL. */
void dispatch_free(struct dispatch *dispatch);

#endif
