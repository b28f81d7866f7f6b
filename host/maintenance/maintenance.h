/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is done by the clock and not by a delivery: old deliveries are forgotten, and GitHub is
 * asked for those that did not arrive. Of several hosts of one store, the elected one does it.
 *
 * Threads: all on the loop's thread, but for maintenance_status(), which ingest's calls. */
#ifndef SNEK_MAINTENANCE_MAINTENANCE_H
#define SNEK_MAINTENANCE_MAINTENANCE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "broker/broker.h"
#include "config/config.h"
#include "inbox/maintenance.h"

struct maintenance;

/* Everything is borrowed until maintenance_free(). */
struct maintenance_options {
    const struct config *config;
    struct loop *loop;
    struct inbox *inbox;
    struct broker *broker;
};

/* 0 and `*maintenance`, or -1. */
int maintenance_new(const struct maintenance_options *options, struct maintenance **maintenance,
                    struct error *err);

/* Begins what is due. Call it after every loop_step(); how long the next step may wait, in
 * milliseconds. */
int maintenance_tick(struct maintenance *maintenance);

/* Appends `"recovery":{...}` for /readyz: never a reason not to be ready. Any thread. */
bool maintenance_status(void *maintenance, struct buffer *json);

/* After the broker and the inbox were freed: opens what answers they left, frees. Takes NULL. */
void maintenance_free(struct maintenance *maintenance);

#endif
