/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Increases the counters; render.c renders them. */
#include "metrics/counters.h"

#include "base/clock.h"
#include "base/lock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics metrics = {.limits_lock = PTHREAD_MUTEX_INITIALIZER};

const int64_t metrics_bounds_us[METRICS_BUCKETS] = {
    1000,   2500,    5000,    10000,   25000,    50000,    100000,    250000,
    500000, 1000000, 2500000, 5000000, 10000000, 60000000, 600000000, INT64_C(3600000000)};

static const char other[] = "other";

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

static void add(_Atomic uint64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static void observe(struct metrics_histogram *histogram, int64_t us) {
    size_t i = 0;
    while (i < METRICS_BUCKETS && us > metrics_bounds_us[i]) {
        i++;
    }
    add(&histogram->counts[i], 1);
    add(&histogram->sum_us, us > 0 ? (uint64_t)us : 0);
}

static size_t find_among(const struct metrics_names *names, const char *name, size_t count) {
    size_t i = 0;
    while (i < count && strcmp(names->names[i], name) != 0) {
        i++;
    }
    return i;
}

/* The place of a name; the last place if the table is full. Names are never removed, so that they
 * can be read without the lock. */
static size_t place_of(struct metrics_names *names, const char *name) {
    size_t count = atomic_load_explicit(&names->count, memory_order_acquire);
    size_t place = find_among(names, name, count);
    if (place < count) {
        return place;
    }
    SCOPED_LOCK(&names_lock);
    count = atomic_load_explicit(&names->count, memory_order_acquire);
    place = find_among(names, name, count);
    if (place == count && count < METRICS_NAMES_MAX) {
        bool last = count == METRICS_NAMES_MAX - 1;
        snprintf(names->names[count], sizeof names->names[count], "%s", last ? other : name);
        atomic_store_explicit(&names->count, count + 1, memory_order_release);
    } else if (place == count) {
        place = METRICS_NAMES_MAX - 1;
    }
    return place;
}

/* GitHub's events are words of small letters; any other name counts as "other". */
static const char *event_label(const char *event) {
    bool plain = *event && event[strspn(event, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
    return plain && strlen(event) <= METRICS_NAME_MAX ? event : other;
}

void metrics_delivery(const char *event, enum metrics_taken taken, int64_t took_us) {
    metrics_delivery_fetched(event, taken);
    observe(&metrics.acknowledged, took_us);
}

void metrics_delivery_fetched(const char *event, enum metrics_taken taken) {
    assert(taken < METRICS_TAKEN);
    add(&metrics.deliveries[place_of(&metrics.events, event_label(event))][taken], 1);
}

void metrics_delivery_lost(void) {
    add(&metrics.deliveries_lost, 1);
}

void metrics_pull(int64_t handled_ms, int64_t waiting) {
    atomic_store_explicit(&metrics.pull_handled_ms, handled_ms, memory_order_relaxed);
    atomic_store_explicit(&metrics.pull_waiting, waiting, memory_order_relaxed);
}

void metrics_rejected(unsigned status) {
    size_t last = METRICS_STATUSES - 1;
    add(&metrics.rejected[status < last ? status : last], 1);
}

struct metrics_plugin *metrics_plugin(const char *name) {
    return &metrics.plugins[place_of(&metrics.plugin_names, name)];
}

void metrics_worker_state(struct metrics_plugin *plugin, const char *state, int pid) {
    atomic_store_explicit(&plugin->state, state, memory_order_relaxed);
    atomic_store_explicit(&plugin->pid, pid, memory_order_relaxed);
}

void metrics_worker_died(struct metrics_plugin *plugin) {
    add(&plugin->deaths, 1);
}

void metrics_runs_now(struct metrics_plugin *plugin, size_t count) {
    atomic_store_explicit(&plugin->runs_now, count, memory_order_relaxed);
}

void metrics_limit_reached(struct metrics_plugin *plugin, enum metrics_plugin_limit limit) {
    assert(limit < METRICS_PLUGIN_LIMITS);
    add(&plugin->limits[limit], 1);
}

void metrics_run_started(struct metrics_plugin *plugin, int64_t waited_ms) {
    observe(&plugin->waited, waited_ms * 1000);
}

void metrics_run_ended(struct metrics_plugin *plugin, const char *outcome, int64_t took_ms) {
    size_t place = place_of(&metrics.outcomes, outcome);
    observe(&plugin->ran[place < METRICS_OUTCOMES ? place : METRICS_OUTCOMES - 1], took_ms * 1000);
}

static bool reads(const char *method) {
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

void metrics_request(const char *method, int status, int64_t took_us) {
    size_t last = METRICS_STATUSES - 1;
    size_t at = status < 0 ? 0 : (size_t)status;
    enum metrics_class class = reads(method) ? METRICS_READ : METRICS_WRITE;
    add(&metrics.requests[class][at < last ? at : last], 1);
    observe(&metrics.request_took[class], took_us);
    if (status > 0) {
        atomic_store_explicit(&metrics.last_status, status, memory_order_relaxed);
        atomic_store_explicit(&metrics.last_response_ms, clock_wall_ms(), memory_order_relaxed);
    }
}

/* Under the lock. The limit that was reported longest ago makes room. */
static struct metrics_limit *limit_of(const char *installation, const char *resource) {
    struct metrics_limit *oldest = &metrics.limits[0];
    for (size_t i = 0; i < METRICS_LIMITS_MAX; i++) {
        struct metrics_limit *limit = &metrics.limits[i];
        if (strcmp(limit->installation, installation) == 0 &&
            strcmp(limit->resource, resource) == 0) {
            return limit;
        }
        if (limit->reported < oldest->reported) {
            oldest = limit;
        }
    }
    snprintf(oldest->installation, sizeof oldest->installation, "%s", installation);
    snprintf(oldest->resource, sizeof oldest->resource, "%s", resource);
    return oldest;
}

void metrics_rate_limit(const char *installation, const char *resource, int64_t limit,
                        int64_t remaining, int64_t reset_ms) {
    int64_t now_ms = clock_wall_ms();
    SCOPED_LOCK(&metrics.limits_lock);
    struct metrics_limit *place = limit_of(installation, resource);
    place->reported = ++metrics.limits_reported;
    place->limit = limit;
    place->remaining = remaining;
    place->at_ms = now_ms;
    place->reset_ms = reset_ms < 0 ? 0 : now_ms + reset_ms;
}

static int compare_quotas(const void *a, const void *b) {
    const struct metrics_quota *left = a, *right = b;
    int order = strcmp(left->installation, right->installation);
    return order != 0 ? order : strcmp(left->resource, right->resource);
}

size_t metrics_read_quotas(struct metrics_quota quotas[METRICS_LIMITS_MAX]) {
    size_t count = 0;
    SCOPED_LOCK(&metrics.limits_lock);
    for (size_t i = 0; i < METRICS_LIMITS_MAX; i++) {
        const struct metrics_limit *limit = &metrics.limits[i];
        if (limit->reported > 0) {
            struct metrics_quota *quota = &quotas[count++];
            memcpy(quota->installation, limit->installation, sizeof quota->installation);
            memcpy(quota->resource, limit->resource, sizeof quota->resource);
            quota->limit = limit->limit;
            quota->remaining = limit->remaining;
            quota->at_ms = limit->at_ms;
            quota->reset_ms = limit->reset_ms;
        }
    }
    qsort(quotas, count, sizeof *quotas, compare_quotas);
    return count;
}

bool metrics_read_worker(const char *plugin, struct metrics_worker *worker) {
    size_t count = atomic_load_explicit(&metrics.plugin_names.count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(metrics.plugin_names.names[i], plugin) != 0) {
            continue;
        }
        struct metrics_plugin *from = &metrics.plugins[i];
        int pid = atomic_load_explicit(&from->pid, memory_order_relaxed);
        uint64_t ran_us = 0;
        for (size_t j = 0; j < METRICS_OUTCOMES; j++) {
            ran_us += atomic_load_explicit(&from->ran[j].sum_us, memory_order_relaxed);
        }
        *worker = (struct metrics_worker){
            .memory_bytes = pid > 0 ? metrics_resident_bytes(pid) : 0,
            .runs_now = atomic_load_explicit(&from->runs_now, memory_order_relaxed),
            .deaths = atomic_load_explicit(&from->deaths, memory_order_relaxed),
            .ran_ms = (int64_t)(ran_us / 1000)};
        return true;
    }
    return false;
}

void metrics_conditional(bool unchanged) {
    add(&metrics.conditional[unchanged ? METRICS_UNCHANGED : METRICS_CHANGED], 1);
}

void metrics_etag_cache(size_t bytes) {
    atomic_store_explicit(&metrics.etag_cache_bytes, bytes, memory_order_relaxed);
}

void metrics_rate_limited(const char *which) {
    add(&metrics.limited[strcmp(which, "primary") == 0 ? METRICS_PRIMARY : METRICS_SECONDARY], 1);
}

void metrics_waited(int64_t waited_ms) {
    add(&metrics.waited_ms, waited_ms > 0 ? (uint64_t)waited_ms : 0);
}

void metrics_requeued(void) {
    add(&metrics.requeued, 1);
}

void metrics_holds(const uint64_t counts[METRICS_HOLDS]) {
    for (size_t i = 0; i < METRICS_HOLDS; i++) {
        atomic_store_explicit(&metrics.holds[i], counts[i], memory_order_relaxed);
    }
}

void metrics_store(const struct metrics_store *store) {
    atomic_store_explicit(&metrics.queued, store->queued, memory_order_relaxed);
    atomic_store_explicit(&metrics.running, store->running, memory_order_relaxed);
    atomic_store_explicit(&metrics.dead, store->dead, memory_order_relaxed);
    atomic_store_explicit(&metrics.blocked, store->blocked, memory_order_relaxed);
    atomic_store_explicit(&metrics.parked, store->parked, memory_order_relaxed);
    atomic_store_explicit(&metrics.not_configured, store->not_configured, memory_order_relaxed);
    atomic_store_explicit(&metrics.held, store->held, memory_order_relaxed);
    atomic_store_explicit(&metrics.waiting, store->waiting, memory_order_relaxed);
    atomic_store_explicit(&metrics.timers, store->timers, memory_order_relaxed);
    atomic_store_explicit(&metrics.in_doubt, store->in_doubt, memory_order_relaxed);
    atomic_store_explicit(&metrics.oldest_due_ms, store->oldest_due_ms, memory_order_relaxed);
    atomic_store_explicit(&metrics.store_known, true, memory_order_release);
}

void metrics_report(enum metrics_report what) {
    assert(what < METRICS_REPORTS);
    add(&metrics.reports[what], 1);
}
