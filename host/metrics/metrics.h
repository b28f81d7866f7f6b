/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the host counts about itself, for /metrics: rooms add, the page reads. Only names that the
 * program or its owner chose become labels, or few of the others: each table is bounded, and what
 * no longer fits is counted as "other".
 *
 * Threads: any. To add is a few relaxed atomic additions; only a name that was never seen before
 * takes a lock, and the limits that GitHub names. */
#ifndef SNEK_METRICS_METRICS_H
#define SNEK_METRICS_METRICS_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define METRICS_NAME_MAX 100
#define METRICS_EVENTS_MAX 64
#define METRICS_PLUGINS_MAX 64
/* The rate limits that were named last. */
#define METRICS_LIMITS_MAX 100
/* Of the page; what is past it is left out. */
#define METRICS_TEXT_MAX (4u << 20)

/* ---- ingest ---- */

enum metrics_taken { METRICS_STORED, METRICS_DUPLICATE, METRICS_REDELIVERED, METRICS_TAKEN };

/* A delivery whose signature was right; `took_us` from its request line to its answer. */
void metrics_delivery(const char *event, enum metrics_taken taken, int64_t took_us);
void metrics_rejected(unsigned status);

/* ---- dispatch ---- */

/* Lives as long as the process. */
struct metrics_plugin;

struct metrics_plugin *metrics_plugin(const char *name);
void metrics_worker_state(struct metrics_plugin *plugin, const char *state); /* static text */
void metrics_worker_died(struct metrics_plugin *plugin);
void metrics_run_started(struct metrics_plugin *plugin, int64_t waited_ms);
void metrics_run_ended(struct metrics_plugin *plugin, const char *outcome, int64_t took_ms);

/* ---- broker ---- */

/* One exchange with GitHub, tokens' too; status 0: it got no whole answer. */
void metrics_request(const char *method, int status, int64_t took_us);
/* A GET that was to be answered only if something changed: was nothing? */
void metrics_conditional(bool unchanged);
/* Of answers, to be used again. */
void metrics_kept(size_t bytes);
/* What an answer says is left; of one installation and one resource of GitHub's. */
void metrics_rate_limit(const char *installation, const char *resource, int64_t limit,
                        int64_t remaining);
void metrics_rate_limited(const char *which); /* "primary" or "secondary" */
/* A request, for limits and pace. */
void metrics_waited(int64_t waited_ms);
/* Its wait was too long: the run comes back. */
void metrics_put_off(void);

/* ---- telemetry itself ---- */

struct metrics_store {
    int64_t queued, running, dead; /* runs */
    int64_t in_doubt;              /* effects */
    /* Wall; INT64_MAX: nothing is queued. */
    int64_t oldest_due_ms;
};

void metrics_store(const struct metrics_store *store);

enum metrics_report {
    METRICS_SENT,
    METRICS_FAILED,
    METRICS_QUEUE_FULL,
    METRICS_HELD,
    METRICS_REPORTS
};

/* Of an event for Sentry. */
void metrics_report(enum metrics_report what);

/* Prometheus' text format. 0, or -1 when it was cut. */
int metrics_render(struct buffer *text);
/* Members of a JSON object: the store's queue and GitHub's last answer. 0 or -1. */
int metrics_render_detail(struct buffer *json);

#endif
