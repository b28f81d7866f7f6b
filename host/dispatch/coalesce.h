/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Coalescing: of several waiting runs of one key and the same subscriptions only the newest runs.
 * This says which runs may replace others, and which may be replaced, by what the host knows of a
 * delivery without reading its body. */
#ifndef SNEK_DISPATCH_COALESCE_H
#define SNEK_DISPATCH_COALESCE_H

#include "inbox/deliveries.h"
#include "protocol/description.h"

/* Sets the members of the run that are about coalescing. Any thread.
 *
 * The worker finds commands and evaluates filters. So a run whose event may hold a command of the
 * plugin is never replaced, and subscriptions that coalesce have no filters. A delivery that may be
 * the bot's own replaces others only if its subscriptions take own events: the worker would call no
 * handler for it. One that the host fetched from GitHub may be older than those that wait. */
void coalesce_run(const struct description *description, const struct inbox_put *put,
                  struct inbox_put_run *run);

#endif
