/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reports to Sentry what the log says of trouble: attempts and runs that failed, workers that died,
 * errors of the host. An event has the line's message and reason, and which plugin, event, action,
 * installation, attempt and delivery it was; never a payload, a plugin's own log or a secret.
 * https://develop.sentry.dev/sdk/data-model/envelopes/
 *
 * Threads: any logs; the event waits in a bounded queue for one thread of this room, which sends
 * one after the other. Nothing waits for Sentry: when the queue is full, Sentry wants to hear
 * nothing for a while, or cannot be reached, events are dropped, and counted in /metrics. */
#ifndef SNEK_TELEMETRY_SENTRY_H
#define SNEK_TELEMETRY_SENTRY_H

#include "base/error.h"
#include "base/proxy.h"

#define SENTRY_QUEUE_MAX 64
#define SENTRY_FLUSH_MS 2000 /* for what still waits at the end */

struct sentry;

/* Watches the log from now on. Texts are copied; `proxy` (for an https DSN) is
 * borrowed; `dsn` was checked by config. While no other thread
 * logs. 0 and `*sentry`, or -1. */
int sentry_new(const char *dsn, const char *environment, const struct proxy *proxy,
               struct sentry **sentry, struct error *err);

/* Watches no more, sends what waits for at most SENTRY_FLUSH_MS, frees. While no other thread logs.
 * Takes NULL. */
void sentry_free(struct sentry *sentry);

#endif
