/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reports failures in the log to Sentry: attempts and runs that failed, workers that died, errors
 * of the host. An event has the line's message and reason, the plugin, event, action, installation,
 * attempt and delivery; never a payload, a plugin's own log line or a secret.
 *
 * Threads: any thread logs. The event waits in a bounded queue for the one thread of this room,
 * which sends one event after the other. No thread waits for Sentry. The host drops events, and
 * counts them in /metrics, while the queue is full, while Sentry's rate limit holds, and after
 * Sentry could not be reached. */
#ifndef SNEK_TELEMETRY_SENTRY_H
#define SNEK_TELEMETRY_SENTRY_H

#include "base/error.h"
#include "base/proxy.h"

#define SENTRY_QUEUE_MAX 64
/* The time that queued events get at the end. */
#define SENTRY_FLUSH_MS 2000

struct sentry;

/* Watches the log from now on. Call it while no other thread logs. `dsn` was checked by config and
 * is copied, `environment` too; `proxy` is borrowed and serves an https DSN only. Returns 0 and
 * `*sentry`, or -1. */
int sentry_new(const char *dsn, const char *environment, const struct proxy *proxy,
               struct sentry **sentry, struct error *err);

/* Stops watching, sends queued events for at most SENTRY_FLUSH_MS, and frees. Call it while no
 * other thread logs. The argument may be NULL. */
void sentry_free(struct sentry *sentry);

#endif
