/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is done by the clock and not by a delivery: old deliveries are forgotten, and GitHub is
 * asked for those that did not arrive. Of several hosts of one store, the elected one does it.
 *
 * Threads: all on the loop's thread, but for upkeep_status(), which ingest's calls. */
#ifndef SNEK_UPKEEP_UPKEEP_H
#define SNEK_UPKEEP_UPKEEP_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "broker/broker.h"
#include "config/config.h"
#include "inbox/inbox.h"

struct upkeep;

/* Everything is borrowed until upkeep_free(). */
struct upkeep_options {
    const struct config *config;
    struct loop *loop;
    struct inbox *inbox;
    struct broker *broker;
};

/* 0 and `*upkeep`, or -1. */
int upkeep_new(const struct upkeep_options *options, struct upkeep **upkeep, struct error *err);

/* Begins what is due. Call it after every loop_step(); how long the next step may wait, in
 * milliseconds. */
int upkeep_tick(struct upkeep *upkeep);

/* Appends `"recovery":{...}` for /readyz: never a reason not to be ready. Any thread. */
bool upkeep_status(void *upkeep, struct buffer *json);

/* After the broker and the inbox were freed: opens what answers they left, frees. Takes NULL. */
void upkeep_free(struct upkeep *upkeep);

#endif
