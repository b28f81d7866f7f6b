/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What people and their machines are told about the host: the page /metrics, and reports to Sentry
 * (sentry.h). Rooms know of it only metrics.h, which they add to, and the log, which Sentry reads.
 *
 *   rooms --metrics.h--> counters --> GET /metrics, details of /readyz
 *   inbox --STATS, every few seconds--^
 *
 * Threads: all on the loop's thread, but for the route, which ingest's calls. */
#ifndef SNEK_TELEMETRY_TELEMETRY_H
#define SNEK_TELEMETRY_TELEMETRY_H

#include "base/error.h"
#include "base/loop.h"
#include "inbox/operation.h"
#include "ingest/routes.h"

struct telemetry;

/* Both are borrowed until telemetry_free(). 0 and `*telemetry`, or -1. */
int telemetry_new(struct loop *loop, struct inbox *inbox, struct telemetry **telemetry,
                  struct error *err);

/* Asks the inbox when it is time. Call it after every loop_step(); how long the next step may wait,
 * in milliseconds. */
int telemetry_tick(struct telemetry *telemetry);

/* The row of ingest's table for GET /metrics; lives as long as the program. */
const struct http_route *telemetry_route(void);

/* After the inbox was freed: opens what answers it left, frees. Takes NULL. */
void telemetry_free(struct telemetry *telemetry);

#endif
