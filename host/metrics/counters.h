/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The counters, which metrics.c increases and render.c renders. Only this room includes it. */
#ifndef SNEK_METRICS_COUNTERS_H
#define SNEK_METRICS_COUNTERS_H

#include "metrics/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define METRICS_BUCKETS 16
/* The places of a table; the last one is "other". */
#define METRICS_NAMES_MAX 65
#define METRICS_OUTCOMES 12
/* One place for each status; 0 is no status, the last place is for all others. */
#define METRICS_STATUSES 601

_Static_assert(METRICS_NAMES_MAX == METRICS_EVENTS_MAX + 1 &&
                   METRICS_NAMES_MAX == METRICS_PLUGINS_MAX + 1,
               "all tables have one size");

struct metrics_histogram {
    /* Not cumulative; the last bucket has no bound. */
    _Atomic uint64_t counts[METRICS_BUCKETS + 1];
    _Atomic uint64_t sum_us;
};

extern const int64_t metrics_bounds_us[METRICS_BUCKETS];

struct metrics_names {
    _Atomic size_t count;
    char names[METRICS_NAMES_MAX][METRICS_NAME_MAX + 1];
};

struct metrics_plugin {
    /* NULL before its worker starts. */
    _Atomic(const char *) state;
    /* 0: no worker. */
    atomic_int pid;
    _Atomic uint64_t deaths, runs_now, limits[METRICS_PLUGIN_LIMITS];
    struct metrics_histogram waited, ran[METRICS_OUTCOMES];
};

struct metrics_limit {
    char installation[METRICS_NAME_MAX + 1], resource[METRICS_RESOURCE_MAX + 1];
    /* The order of the reports; 0: the place is free. */
    uint64_t reported;
    int64_t limit, remaining;
    /* Wall clock; 0: not known. */
    int64_t at_ms, reset_ms;
};

/* Resident bytes of a process; 0: not known. */
uint64_t metrics_resident_bytes(int pid);

enum metrics_class { METRICS_READ, METRICS_WRITE, METRICS_CLASSES };
enum { METRICS_CHANGED, METRICS_UNCHANGED, METRICS_CONDITIONS };
enum { METRICS_PRIMARY, METRICS_SECONDARY, METRICS_LIMIT_KINDS };

struct metrics {
    struct metrics_names events, plugin_names, outcomes;
    _Atomic uint64_t deliveries[METRICS_NAMES_MAX][METRICS_TAKEN];
    _Atomic uint64_t rejected[METRICS_STATUSES];
    struct metrics_histogram acknowledged;

    struct metrics_plugin plugins[METRICS_NAMES_MAX];

    _Atomic uint64_t requests[METRICS_CLASSES][METRICS_STATUSES];
    struct metrics_histogram request_took[METRICS_CLASSES];
    /* 0: no response yet. */
    _Atomic int last_status;
    _Atomic int64_t last_response_ms;
    _Atomic uint64_t conditional[METRICS_CONDITIONS], etag_cache_bytes;
    _Atomic uint64_t limited[METRICS_LIMIT_KINDS], waited_ms, requeued;
    /* Guards the next two members. */
    pthread_mutex_t limits_lock;
    uint64_t limits_reported;
    struct metrics_limit limits[METRICS_LIMITS_MAX];

    /* For pull mode: see metrics_pull(). */
    _Atomic int64_t pull_handled_ms, pull_waiting;
    _Atomic uint64_t deliveries_lost;

    _Atomic bool store_known;
    _Atomic int64_t queued, blocked, running, dead, parked, held, waiting, not_configured, timers,
        in_doubt, oldest_due_ms;
    _Atomic uint64_t holds[METRICS_HOLDS];

    _Atomic uint64_t reports[METRICS_REPORTS];
};

extern struct metrics metrics;

/* Appends the metrics of the process, under the names that all exporters use. */
void metrics_render_process(struct buffer *text);

#endif
