/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Work that the clock starts and not a delivery: the host forgets old deliveries, and asks GitHub
 * for those that did not arrive, or in pull mode for all. If several hosts share a store, the
 * elected host does it. Threads: the loop's thread, except maintenance_status(), which ingest's
 * thread calls. */
#ifndef SNEK_MAINTENANCE_MAINTENANCE_H
#define SNEK_MAINTENANCE_MAINTENANCE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "broker/broker.h"
#include "config/config.h"
#include "inbox/maintenance.h"
#include "maintenance/fetched_delivery.h"
#include "maintenance/firing.h"

struct maintenance;

/* Everything is borrowed until maintenance_free(). */
struct maintenance_options {
    const struct config *config;
    /* See ingest_options. */
    const struct secret *webhook_secrets;
    size_t n_webhook_secrets;
    int64_t last_secret_until_ms;
    struct loop *loop;
    struct inbox *inbox;
    struct broker *broker;
    /* The names of the configured plugins; see inbox_prune. */
    const char *configured;
    /* Routes the deliveries that recovery fetches. Called on the loop's thread. */
    struct delivery_router router;
    /* For timers and schedules. */
    struct plugin_directory plugins;
    /* Queued runs are due earlier than they were. */
    void (*on_runs_due)(void *context);
    void *context;
};

/* 0 and `*maintenance`, or -1. */
int maintenance_new(const struct maintenance_options *options, struct maintenance **maintenance,
                    struct error *err);

/* Starts the work that is due. Call it after every loop_step(). Returns how long the next step may
 * wait, in milliseconds. */
int maintenance_tick(struct maintenance *maintenance);

/* The host stops: it starts no more work, and another host may do it at once. */
void maintenance_quiesce(struct maintenance *maintenance);

/* The host stops, and no other one follows it on the spot, as in a reload. */
void maintenance_leave(struct maintenance *maintenance);

/* A delivery was stored. Takes NULL. Any thread. */
void maintenance_note_stored(struct maintenance *maintenance, const struct inbox_put *put);

/* Appends `"recovery":{...},"pull":{...},"clock":{...}` for /readyz: none of them affects
 * readiness. Any thread. */
bool maintenance_status(void *maintenance, struct buffer *json);

/* Call it after the broker and the inbox were freed: it handles their last results. Takes NULL. */
void maintenance_free(struct maintenance *maintenance);

#endif
