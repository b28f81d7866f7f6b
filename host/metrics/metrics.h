/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's metrics: rooms add to them, /metrics renders them. A label is a name that the program
 * or its operator chose, or one of a few others: each table is bounded, and names that do not fit
 * are counted as "other".
 *
 * Any thread. Adding takes a few relaxed atomic additions. Only a new name and the rate limits that
 * GitHub reports take a lock. */
#ifndef SNEK_METRICS_METRICS_H
#define SNEK_METRICS_METRICS_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define METRICS_NAME_MAX 100
#define METRICS_EVENTS_MAX 64
#define METRICS_PLUGINS_MAX 64
/* The rate limits that GitHub reported last. */
#define METRICS_LIMITS_MAX 100
#define METRICS_RESOURCE_MAX 40
/* The bytes of /metrics; a longer page is cut. */
#define METRICS_TEXT_MAX (4u << 20)

/* Ingest. */

enum metrics_taken { METRICS_STORED, METRICS_DUPLICATE, METRICS_REDELIVERED, METRICS_TAKEN };

/* A delivery with a valid signature; `took_us` from its request line to its response. */
void metrics_delivery(const char *event, enum metrics_taken taken, int64_t took_us);
/* A delivery whose payload the host fetched from GitHub's API. */
void metrics_delivery_fetched(const char *event, enum metrics_taken taken);
/* GitHub lists a delivery, and the host cannot get its payload. */
void metrics_delivery_lost(void);
/* Pull mode: since `handled_ms` (monotonic) deliveries may wait in GitHub's list; 0: another host
 * pulls, or none. `waiting`: entries of the list whose payloads the host has not fetched yet. */
void metrics_pull(int64_t handled_ms, int64_t waiting);
void metrics_rejected(unsigned status);

/* Dispatch. */

/* Lives as long as the process. */
struct metrics_plugin;

struct metrics_plugin *metrics_plugin(const char *name);
/* Static text. `pid`: the worker's process, whose memory is read when somebody asks; 0: none. */
void metrics_worker_state(struct metrics_plugin *plugin, const char *state, int pid);
void metrics_worker_died(struct metrics_plugin *plugin);
/* The runs that the plugin has on this host now. */
void metrics_runs_now(struct metrics_plugin *plugin, size_t count);
void metrics_run_started(struct metrics_plugin *plugin, int64_t waited_ms);
void metrics_run_ended(struct metrics_plugin *plugin, const char *outcome, int64_t took_ms);

/* The limits of a plugin, by their key in the configuration. */
enum metrics_plugin_limit {
    METRICS_LIMIT_STORE,
    METRICS_LIMIT_EFFECTS_PER_RUN,
    METRICS_LIMIT_EFFECTS_PER_HOUR,
    /* The loop breaker, which has no key. */
    METRICS_LIMIT_LOOP,
    METRICS_PLUGIN_LIMITS
};

/* The host rejected or delayed something because a limit of the plugin was reached. */
void metrics_limit_reached(struct metrics_plugin *plugin, enum metrics_plugin_limit limit);

/* Broker. */

/* One request to GitHub, also for a token; status 0: no complete response came. */
void metrics_request(const char *method, int status, int64_t took_us);
/* A conditional GET; `unchanged`: GitHub responded 304. */
void metrics_conditional(bool unchanged);
/* The size of the ETag cache. */
void metrics_etag_cache(size_t bytes);
/* The remaining quota of one installation for one of GitHub's resources, as a response reports it.
 * `reset_ms`: until its reset; negative: not known. */
void metrics_rate_limit(const char *installation, const char *resource, int64_t limit,
                        int64_t remaining, int64_t reset_ms);
/* "primary" or "secondary". */
void metrics_rate_limited(const char *which);
/* The time that a request waited for rate limits and for the pace of writes. */
void metrics_waited(int64_t waited_ms);
/* A request had to wait too long; the host requeued its run. */
void metrics_requeued(void);

/* Telemetry itself. */

struct metrics_store {
    /* Runs in each state. */
    int64_t queued, blocked, running, dead, parked, held, waiting;
    /* Runs among the waiting ones whose plugin no host has configured. */
    int64_t not_configured;
    /* Timers of plugins that have not fired. */
    int64_t timers;
    /* Effects. */
    int64_t in_doubt;
    /* Wall clock; INT64_MAX: nothing is queued. */
    int64_t oldest_due_ms;
};

/* Holds in the store, by cause: paused, quarantined, loop. */
#define METRICS_HOLDS 3
void metrics_holds(const uint64_t counts[METRICS_HOLDS]);

void metrics_store(const struct metrics_store *store);

enum metrics_report {
    METRICS_SENT,
    METRICS_FAILED,
    METRICS_QUEUE_FULL,
    METRICS_HELD,
    METRICS_REPORTS
};

/* The fate of one event for Sentry. */
void metrics_report(enum metrics_report what);

/* For the console. */

struct metrics_worker {
    /* Resident bytes; 0: there is no worker, or the system does not say. */
    uint64_t memory_bytes;
    uint64_t runs_now, deaths;
    /* The time of all runs that ended on this host since its start, together. */
    int64_t ran_ms;
};

struct metrics_quota {
    char installation[METRICS_NAME_MAX + 1], resource[METRICS_RESOURCE_MAX + 1];
    int64_t limit, remaining;
    /* Wall clock: the response, and the reset that it named; 0: none. */
    int64_t at_ms, reset_ms;
};

/* False: no plugin of this name was configured since the host's start. */
bool metrics_read_worker(const char *plugin, struct metrics_worker *worker);
/* The quotas as the last responses to this host reported them, by installation and resource. At
 * most METRICS_LIMITS_MAX. */
size_t metrics_read_quotas(struct metrics_quota quotas[METRICS_LIMITS_MAX]);

/* Appends all metrics in Prometheus' text format. Returns 0, or -1 when it was cut. */
int metrics_render(struct buffer *text);
/* Appends members of a JSON object: the store's queue and GitHub's last status. Returns 0 or -1. */
int metrics_render_detail(struct buffer *json);

#endif
