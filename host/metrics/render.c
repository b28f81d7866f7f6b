/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Renders the counters in Prometheus' text format, and a few of them as JSON.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ */
#include "metrics/counters.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

#define LABELS_MAX 512

static void head(struct buffer *text, const char *name, const char *type, const char *help) {
    buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Appends one label. Its value is escaped as the format requires. */
static void label(struct buffer *labels, const char *name, const char *value) {
    buffer_printf(labels, "%s%s=\"", labels->bytes > 0 ? "," : "", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') {
            buffer_printf(labels, "\\%c", *value);
        } else if (*value == '\n') {
            buffer_append_text(labels, "\\n");
        } else {
            buffer_append(labels, value, 1);
        }
    }
    buffer_append_text(labels, "\"");
}

static void sample(struct buffer *text, const char *name, const struct buffer *labels,
                   uint64_t value) {
    if (labels && labels->bytes > 0) {
        buffer_printf(text, "%s{%s} %" PRIu64 "\n", name, labels->data, value);
    } else {
        buffer_printf(text, "%s %" PRIu64 "\n", name, value);
    }
}

static void gauge(struct buffer *text, const char *name, const char *help, uint64_t value) {
    head(text, name, "gauge", help);
    sample(text, name, NULL, value);
}

static uint64_t read_counter(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t seen(const struct metrics_histogram *histogram) {
    uint64_t total = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
        total += read_counter(&histogram->counts[i]);
    }
    return total;
}

static void histogram(struct buffer *text, const char *name, const struct buffer *labels,
                      const struct metrics_histogram *from) {
    bool labelled = labels && labels->bytes > 0;
    const char *inside = labelled ? labels->data : "";
    uint64_t total = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
        total += read_counter(&from->counts[i]);
        buffer_printf(text, "%s_bucket{%s%sle=\"", name, inside, labelled ? "," : "");
        if (i < METRICS_BUCKETS) {
            buffer_printf(text, "%g", (double)metrics_bounds_us[i] / 1e6);
        } else {
            buffer_append_text(text, "+Inf");
        }
        buffer_printf(text, "\"} %" PRIu64 "\n", total);
    }
    const char *open = labelled ? "{" : "", *close = labelled ? "}" : "";
    buffer_printf(text, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %" PRIu64 "\n", name, open, inside,
                  close, (double)read_counter(&from->sum_us) / 1e6, name, open, inside, close,
                  total);
}

static size_t count_of(const struct metrics_names *names) {
    return atomic_load_explicit(&names->count, memory_order_acquire);
}

static void render_build(struct buffer *text) {
    AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
    label(&labels, "version", SNEK_VERSION);
    head(text, "snekomatic_build_info", "gauge", "The version of this build; always 1.");
    sample(text, "snekomatic_build_info", &labels, 1);
}

static void render_ingest(struct buffer *text) {
    static const char *const taken[METRICS_TAKEN] = {"stored", "duplicate", "redelivered"};
    static const char deliveries[] = "snekomatic_deliveries_total",
                      rejected[] = "snekomatic_rejected_requests_total",
                      acknowledged[] = "snekomatic_acknowledgement_seconds";
    head(text, deliveries, "counter",
         "Deliveries with a valid signature, or fetched from GitHub, by outcome.");
    for (size_t i = 0; i < count_of(&metrics.events); i++) {
        for (size_t j = 0; j < METRICS_TAKEN; j++) {
            AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
            label(&labels, "event", metrics.events.names[i]);
            label(&labels, "outcome", taken[j]);
            sample(text, deliveries, &labels, read_counter(&metrics.deliveries[i][j]));
        }
    }
    head(text, rejected, "counter", "Rejected HTTP requests, by status.");
    for (unsigned i = 0; i < METRICS_STATUSES; i++) {
        if (read_counter(&metrics.rejected[i]) > 0) {
            AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
            char status[8];
            snprintf(status, sizeof status, "%u", i);
            label(&labels, "status", status);
            sample(text, rejected, &labels, read_counter(&metrics.rejected[i]));
        }
    }
    head(text, acknowledged, "histogram",
         "Time from a webhook's request line to its response, which is sent once it is stored.");
    histogram(text, acknowledged, NULL, &metrics.acknowledged);
}

static void render_workers(struct buffer *text) {
    static const char state[] = "snekomatic_worker_state",
                      deaths[] = "snekomatic_worker_deaths_total";
    head(text, state, "gauge", "1 for the current state of a plugin's worker.");
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        const char *now = atomic_load_explicit(&metrics.plugins[i].state, memory_order_relaxed);
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "plugin", metrics.plugin_names.names[i]);
        label(&labels, "state", now ? now : "loading");
        sample(text, state, &labels, 1);
    }
    head(text, deaths, "counter", "Deaths of a plugin's worker while the host went on.");
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "plugin", metrics.plugin_names.names[i]);
        sample(text, deaths, &labels, read_counter(&metrics.plugins[i].deaths));
    }
}

static void render_worker_use(struct buffer *text) {
    static const char memory[] = "snekomatic_worker_resident_memory_bytes",
                      runs[] = "snekomatic_worker_runs";
    head(text, memory, "gauge", "Resident memory of a plugin's worker.");
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        int pid = atomic_load_explicit(&metrics.plugins[i].pid, memory_order_relaxed);
        label(&labels, "plugin", metrics.plugin_names.names[i]);
        sample(text, memory, &labels, pid > 0 ? metrics_resident_bytes(pid) : 0);
    }
    head(text, runs, "gauge", "Runs that a plugin has on this host now.");
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "plugin", metrics.plugin_names.names[i]);
        sample(text, runs, &labels, read_counter(&metrics.plugins[i].runs_now));
    }
}

static void render_plugin_limits(struct buffer *text) {
    static const char *const limits[METRICS_PLUGIN_LIMITS] = {
        [METRICS_LIMIT_STORE] = "store_mib",
        [METRICS_LIMIT_EFFECTS_PER_RUN] = "effects_per_run",
        [METRICS_LIMIT_EFFECTS_PER_HOUR] = "effects_per_hour",
        [METRICS_LIMIT_LOOP] = "loop_breaker"};
    static const char reached[] = "snekomatic_plugin_limits_reached_total";
    head(text, reached, "counter",
         "What the host rejected or delayed because a plugin reached a limit.");
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        for (size_t j = 0; j < METRICS_PLUGIN_LIMITS; j++) {
            AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
            label(&labels, "plugin", metrics.plugin_names.names[i]);
            label(&labels, "limit", limits[j]);
            sample(text, reached, &labels, read_counter(&metrics.plugins[i].limits[j]));
        }
    }
}

static void render_runs(struct buffer *text) {
    static const char waited[] = "snekomatic_queue_wait_seconds", ran[] = "snekomatic_run_seconds";
    head(text, waited, "histogram", "Time from the due time of a run to its start.");
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "plugin", metrics.plugin_names.names[i]);
        histogram(text, waited, &labels, &metrics.plugins[i].waited);
    }
    head(text, ran, "histogram", "Duration of an attempt of a run, by outcome.");
    size_t outcomes = count_of(&metrics.outcomes);
    for (size_t i = 0; i < count_of(&metrics.plugin_names); i++) {
        for (size_t j = 0; j < outcomes && j < METRICS_OUTCOMES; j++) {
            AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
            if (seen(&metrics.plugins[i].ran[j]) > 0) {
                label(&labels, "plugin", metrics.plugin_names.names[i]);
                label(&labels, "outcome", metrics.outcomes.names[j]);
                histogram(text, ran, &labels, &metrics.plugins[i].ran[j]);
            }
        }
    }
}

static const char *const class_names[METRICS_CLASSES] = {"read", "write"};

static void render_requests(struct buffer *text) {
    static const char requests[] = "snekomatic_github_requests_total",
                      took[] = "snekomatic_github_request_seconds";
    head(text, requests, "counter",
         "Requests to GitHub by the status of the response; none: no complete response came.");
    for (size_t class = 0; class < METRICS_CLASSES; class ++) {
        for (unsigned i = 0; i < METRICS_STATUSES; i++) {
            AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
            char status[8] = "none";
            if (read_counter(&metrics.requests[class][i]) > 0) {
                snprintf(status, sizeof status, i > 0 ? "%u" : "none", i);
                label(&labels, "class", class_names[class]);
                label(&labels, "status", status);
                sample(text, requests, &labels, read_counter(&metrics.requests[class][i]));
            }
        }
    }
    head(text, took, "histogram", "Time that GitHub took to respond.");
    for (size_t class = 0; class < METRICS_CLASSES; class ++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "class", class_names[class]);
        histogram(text, took, &labels, &metrics.request_took[class]);
    }
}

/* Called once for each of the two metrics. A request between the two calls may show in the second
 * only, which costs less than a copy of all limits. */
static void render_limit(struct buffer *text, const char *name, const char *help, size_t offset) {
    head(text, name, "gauge", help);
    SCOPED_LOCK(&metrics.limits_lock);
    for (size_t i = 0; i < METRICS_LIMITS_MAX; i++) {
        const struct metrics_limit *limit = &metrics.limits[i];
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        if (limit->reported > 0) {
            int64_t value;
            memcpy(&value, (const char *)limit + offset, sizeof value);
            label(&labels, "installation", limit->installation);
            label(&labels, "resource", limit->resource);
            sample(text, name, &labels, (uint64_t)value);
        }
    }
}

static void render_etag_cache(struct buffer *text) {
    static const char *const results[METRICS_CONDITIONS] = {"changed", "unchanged"};
    static const char conditional[] = "snekomatic_github_conditional_requests_total",
                      bytes[] = "snekomatic_github_etag_cache_bytes";
    head(text, conditional, "counter",
         "Conditional requests to GitHub; unchanged ones cost no quota.");
    for (size_t i = 0; i < METRICS_CONDITIONS; i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "result", results[i]);
        sample(text, conditional, &labels, read_counter(&metrics.conditional[i]));
    }
    head(text, bytes, "gauge", "Bytes of the responses in the ETag cache.");
    sample(text, bytes, NULL, read_counter(&metrics.etag_cache_bytes));
}

static void render_limits(struct buffer *text) {
    static const char *const kinds[METRICS_LIMIT_KINDS] = {"primary", "secondary"};
    static const char limited[] = "snekomatic_github_rate_limited_total",
                      waited[] = "snekomatic_github_wait_seconds_total",
                      requeued[] = "snekomatic_github_requeued_total";
    render_limit(text, "snekomatic_github_rate_limit",
                 "Quota of an installation in GitHub's window; the limits reported last.",
                 offsetof(struct metrics_limit, limit));
    render_limit(text, "snekomatic_github_rate_limit_remaining",
                 "Requests that are left in the window.",
                 offsetof(struct metrics_limit, remaining));
    head(text, limited, "counter", "Responses in which GitHub reported a reached rate limit.");
    for (size_t i = 0; i < METRICS_LIMIT_KINDS; i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "limit", kinds[i]);
        sample(text, limited, &labels, read_counter(&metrics.limited[i]));
    }
    head(text, waited, "counter",
         "Total time that requests waited for rate limits and for the pace of writes.");
    buffer_printf(text, "%s %.3f\n", waited, (double)read_counter(&metrics.waited_ms) / 1e3);
    head(text, requeued, "counter",
         "Requests that had to wait too long, so that the host requeued their run.");
    sample(text, requeued, NULL, read_counter(&metrics.requeued));
}

static uint64_t age_ms(void) {
    int64_t due_ms = atomic_load_explicit(&metrics.oldest_due_ms, memory_order_relaxed);
    int64_t now_ms = clock_wall_ms();
    return due_ms < now_ms ? (uint64_t)(now_ms - due_ms) : 0;
}

static uint64_t number(const _Atomic int64_t *from) {
    return (uint64_t)atomic_load_explicit(from, memory_order_relaxed);
}

static void render_store(struct buffer *text) {
    static const char runs[] = "snekomatic_runs", age[] = "snekomatic_queue_age_seconds";
    const struct {
        const char *state;
        const _Atomic int64_t *from;
    } states[] = {{"queued", &metrics.queued},   {"blocked", &metrics.blocked},
                  {"running", &metrics.running}, {"dead", &metrics.dead},
                  {"parked", &metrics.parked},   {"held", &metrics.held},
                  {"waiting", &metrics.waiting}};
    if (!atomic_load_explicit(&metrics.store_known, memory_order_acquire)) {
        return;
    }
    head(text, runs, "gauge", "Runs in the store, by state, counted up to 100000 each.");
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "state", states[i].state);
        sample(text, runs, &labels, number(states[i].from));
    }
    gauge(text, "snekomatic_runs_not_configured",
          "Runs that wait for a plugin that no host of the store has configured.",
          number(&metrics.not_configured));
    head(text, age, "gauge",
         "Time for which the oldest queued run has been due; held runs do not count.");
    buffer_printf(text, "%s %.3f\n", age, (double)age_ms() / 1e3);
    gauge(text, "snekomatic_timers",
          "Timers that plugins have set and that have not fired, counted up to 100000.",
          number(&metrics.timers));
    gauge(text, "snekomatic_effects_in_doubt",
          "Effects in doubt of runs that do not run now: GitHub may have applied them or not.",
          number(&metrics.in_doubt));
}

/* Only the host that pulls has these. */
static void render_pull(struct buffer *text) {
    static const char lag[] = "snekomatic_pull_lag_seconds";
    int64_t handled_ms = atomic_load_explicit(&metrics.pull_handled_ms, memory_order_relaxed);
    if (handled_ms == 0) {
        return;
    }
    int64_t lag_ms = clock_monotonic_ms() - handled_ms;
    head(text, lag, "gauge", "Time for which deliveries may wait in GitHub's list (pull mode).");
    buffer_printf(text, "%s %.3f\n", lag, (double)(lag_ms > 0 ? lag_ms : 0) / 1e3);
    gauge(text, "snekomatic_pull_waiting",
          "Entries of GitHub's list whose payloads the host has not fetched yet (pull mode).",
          number(&metrics.pull_waiting));
    head(text, "snekomatic_deliveries_lost_total", "counter",
         "Deliveries that GitHub lists and whose payloads the host could not get (pull mode).");
    sample(text, "snekomatic_deliveries_lost_total", NULL, read_counter(&metrics.deliveries_lost));
}

static void render_holds(struct buffer *text) {
    static const char *const causes[METRICS_HOLDS] = {"paused", "quarantined", "loop"};
    static const char name[] = "snekomatic_holds";
    head(text, name, "gauge", "Holds, under which runs of a plugin wait, by cause.");
    for (size_t i = 0; i < METRICS_HOLDS; i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "cause", causes[i]);
        sample(text, name, &labels, read_counter(&metrics.holds[i]));
    }
}

static void render_reports(struct buffer *text) {
    static const char *const outcomes[METRICS_REPORTS] = {"sent", "failed", "queue_full", "held"};
    static const char name[] = "snekomatic_sentry_events_total";
    head(text, name, "counter",
         "Events for Sentry, by outcome: sent, or the reason why they were dropped.");
    for (size_t i = 0; i < METRICS_REPORTS; i++) {
        AUTO_BUFFER struct buffer labels = BUFFER_INIT(LABELS_MAX);
        label(&labels, "outcome", outcomes[i]);
        sample(text, name, &labels, read_counter(&metrics.reports[i]));
    }
}

static void render_log(struct buffer *text) {
    static const char name[] = "snekomatic_log_lines_dropped_total";
    head(text, name, "counter",
         "Log lines that were dropped: the reader was too slow, or writing failed.");
    sample(text, name, NULL, log_dropped());
}

int metrics_render(struct buffer *text) {
    render_build(text);
    render_ingest(text);
    render_store(text);
    render_pull(text);
    render_holds(text);
    render_workers(text);
    render_worker_use(text);
    render_plugin_limits(text);
    render_runs(text);
    render_requests(text);
    render_etag_cache(text);
    render_limits(text);
    render_reports(text);
    render_log(text);
    size_t before = text->bytes;
    metrics_render_process(text);
    return text->bytes > before ? 0 : -1;
}

int metrics_render_detail(struct buffer *json) {
    int result = 0, status = atomic_load_explicit(&metrics.last_status, memory_order_relaxed);
    if (atomic_load_explicit(&metrics.store_known, memory_order_acquire)) {
        result = buffer_printf(
            json,
            "\"queue\":{\"queued\":%" PRIu64 ",\"blocked\":%" PRIu64 ",\"running\":%" PRIu64
            ",\"dead\":%" PRIu64 ",\"parked\":%" PRIu64 ",\"held\":%" PRIu64 ",\"waiting\":%" PRIu64
            ",\"not_configured\":%" PRIu64 ",\"age_ms\":%" PRIu64 "},",
            number(&metrics.queued), number(&metrics.blocked), number(&metrics.running),
            number(&metrics.dead), number(&metrics.parked), number(&metrics.held),
            number(&metrics.waiting), number(&metrics.not_configured), age_ms());
    }
    if (result == 0 && status > 0) {
        int64_t at_ms = atomic_load_explicit(&metrics.last_response_ms, memory_order_relaxed);
        result = buffer_printf(json, "\"github\":{\"last_status\":%d,\"ago_ms\":%" PRId64 "},",
                               status, clock_wall_ms() - at_ms);
    }
    return result;
}
