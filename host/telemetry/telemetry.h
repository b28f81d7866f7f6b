/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Serves /metrics and reports failures to Sentry (sentry.h). Other rooms do not know this one: they
 * add to metrics.h and write the log, which Sentry's reports come from.
 *
 *   rooms --metrics.h--> counters --> GET /metrics, details of /readyz
 *   inbox --STATS, every few seconds--^
 *
 * All functions belong to the loop's thread, except the route's, which ingest's thread calls. */
#ifndef SNEK_TELEMETRY_TELEMETRY_H
#define SNEK_TELEMETRY_TELEMETRY_H

#include "base/error.h"
#include "base/loop.h"
#include "inbox/operation.h"
#include "ingest/routes.h"

struct telemetry;

/* All are borrowed until telemetry_free(). `configured`: see inbox_put. Returns 0 and
 * `*telemetry`, or -1. */
int telemetry_new(struct loop *loop, struct inbox *inbox, const char *configured,
                  struct telemetry **telemetry, struct error *err);

/* Counts the store's runs when it is time. Call it after every loop_step(). Returns the
 * milliseconds that the next step may wait. */
int telemetry_tick(struct telemetry *telemetry);

/* The row of ingest's table for GET /metrics; lives as long as the program. */
const struct http_route *telemetry_route(void);

/* Opens the last results of the inbox and frees. Call it after the inbox was freed. The argument
 * may be NULL. */
void telemetry_free(struct telemetry *telemetry);

#endif
