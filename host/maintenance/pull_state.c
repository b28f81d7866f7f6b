/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The limits that both parts of pull mode obey, and what /readyz and /metrics show of them. */
#include "maintenance/pull_state.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "metrics/metrics.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MS_PER_S 1000
/* After a limit of GitHub's that names no time. */
#define LIMIT_WAIT_MS 60000
#define LIMIT_WAIT_MAX_MS 3600000
/* Ends of a wait that differ by less are one end. */
#define SAME_WAIT_MS 1000

void pull_state_init(struct pull_state *state, const struct pull_options *options) {
    assert(options->interval_ms >= 0 && options->retention_ms > 0);
    *state = (struct pull_state){.options = *options, .next_due_ms = INT64_MAX};
    state->report.elsewhere = true;
    pthread_mutex_init(&state->lock, NULL);
}

void pull_state_finish(struct pull_state *state) {
    pthread_mutex_destroy(&state->lock);
}

int64_t pull_github_now_ms(const struct pull_state *state) {
    return clock_monotonic_ms() + state->github_offset_ms;
}

/* ---- requests and limits ---- */

static bool is_quota_left(const struct pull_state *state) {
    struct rate_quota quota = state->quota;
    quota.remaining -= state->in_flight;
    return pull_quota_is_left(&quota, pull_github_now_ms(state));
}

int64_t pull_allowed_ms(const struct pull_state *state, int64_t now_ms) {
    int64_t allowed_ms = state->paused_until_ms;
    if (!is_quota_left(state)) {
        int64_t reset_ms = state->quota.reset_ms - state->github_offset_ms;
        allowed_ms = reset_ms > allowed_ms ? reset_ms : allowed_ms;
    }
    int64_t rate_ms = pull_rate_ms(&state->rate, state->options.requests_per_minute, now_ms);
    return rate_ms > allowed_ms ? rate_ms : allowed_ms;
}

void pull_send(struct pull_state *state, struct broker_request *request, const char *url,
               size_t response_max, void (*on_response)(struct broker_request *)) {
    *request = (struct broker_request){.kind = BROKER_APP,
                                       .reply_to = state->options.mailbox,
                                       .on_done = on_response,
                                       .method = "GET",
                                       .url = url,
                                       .response_max = response_max};
    pull_rate_count(&state->rate, clock_monotonic_ms());
    state->in_flight++;
    broker_submit(state->options.broker, request);
}

void pull_submit(struct pull_state *state, struct inbox_operation *operation, enum inbox_kind kind,
                 void (*on_result)(struct inbox_operation *)) {
    *operation = (struct inbox_operation){
        .kind = kind, .reply_to = state->options.mailbox, .on_result = on_result};
    inbox_submit(state->options.inbox, operation);
}

static bool read_header(const struct buffer *headers, const char *name, int64_t *number) {
    size_t bytes;
    const char *text = broker_header(headers, name, &bytes);
    char copy[24];
    if (!text || bytes == 0 || bytes >= sizeof copy) {
        return false;
    }
    snprintf(copy, sizeof copy, "%.*s", (int)bytes, text);
    char *end;
    *number = strtoll(copy, &end, 10);
    return *end == '\0' && *number >= 0;
}

/* A reset that is further away than any limit of GitHub's is wrong, and must not stop the host. */
static int64_t reset_ms_of(const struct pull_state *state, int64_t reset_s) {
    int64_t now_ms = state->github_offset_ms != 0 ? pull_github_now_ms(state) : clock_wall_ms();
    int64_t most_s = (now_ms + LIMIT_WAIT_MAX_MS) / MS_PER_S;
    return (reset_s < most_s ? reset_s : most_s) * MS_PER_S;
}

void pull_learn_quota(struct pull_state *state, const struct buffer *headers) {
    struct rate_quota quota;
    int64_t reset_s;
    assert(state->in_flight > 0);
    state->in_flight--;
    if (read_header(headers, "x-ratelimit-limit", &quota.limit) &&
        read_header(headers, "x-ratelimit-remaining", &quota.remaining) &&
        read_header(headers, "x-ratelimit-reset", &reset_s)) {
        quota.reset_ms = reset_ms_of(state, reset_s);
        rate_quota_learn(&state->quota, &quota);
    }
}

bool pull_is_limited(int32_t outcome) {
    return outcome == SNEK_E_RATE_LIMITED || outcome == SNEK_E_REQUEUE;
}

void pull_wait_for_limit(struct pull_state *state, const struct broker_request *request) {
    int64_t wait_ms = request->not_before_ms - clock_wall_ms();
    if (request->not_before_ms == 0) {
        wait_ms = LIMIT_WAIT_MS;
    } else if (wait_ms < MS_PER_S) {
        /* Asked a moment too early. */
        wait_ms = MS_PER_S;
    }
    wait_ms = wait_ms < LIMIT_WAIT_MAX_MS ? wait_ms : LIMIT_WAIT_MAX_MS;
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    if (until_ms <= state->paused_until_ms + SAME_WAIT_MS) {
        /* Another request that was in progress met the same limit. */
        return;
    }
    log_event(SNEK_LEVEL_WARNING, "pull_waits", LOG_NUMBER("for_s", wait_ms / MS_PER_S),
              LOG_TEXT("reason", request->error.text));
    state->paused_until_ms = until_ms;
}

/* ---- failures ---- */

static const char *hint_of(int32_t outcome) {
    if (outcome == SNEK_E_NOT_FOUND) {
        return "GitHub has no list of deliveries at github.api_url, so the host gets none: check "
               "github.api_url and the app";
    }
    return "deliveries wait in GitHub's list, which keeps them for 3 days; the host tries again";
}

static bool is_failing(const struct pull_report *report) {
    return report->errors[PULL_READING].text[0] || report->errors[PULL_FETCHING].text[0];
}

void pull_failed(struct pull_state *state, enum pull_part part, int32_t outcome,
                 const struct error *error) {
    bool failed;
    {
        SCOPED_LOCK(&state->lock);
        failed = is_failing(&state->report);
        state->report.errors[part] = *error;
    }
    if (!failed) {
        log_event(SNEK_LEVEL_WARNING, "pull_failed", LOG_TEXT("reason", error->text),
                  LOG_TEXT("hint", hint_of(outcome)));
    }
}

bool pull_works(struct pull_state *state, enum pull_part part) {
    bool failed, fails;
    {
        SCOPED_LOCK(&state->lock);
        failed = state->report.errors[part].text[0] != '\0';
        state->report.errors[part].text[0] = '\0';
        fails = is_failing(&state->report);
    }
    if (failed && !fails) {
        log_event(SNEK_LEVEL_INFO, "pull_works_again");
    }
    return failed;
}

/* ---- what /readyz and /metrics show ---- */

static void publish(const struct pull_report *report) {
    int64_t handled_ms = report->waiting > 0 ? report->oldest_ms : report->read_ms;
    metrics_pull(report->elsewhere ? 0 : handled_ms, report->waiting);
}

void pull_report_elsewhere(struct pull_state *state, bool elsewhere) {
    SCOPED_LOCK(&state->lock);
    if (state->report.elsewhere != elsewhere) {
        state->report.elsewhere = elsewhere;
        state->report.read_ms = 0;
        state->report.waiting = 0;
        publish(&state->report);
    }
}

void pull_report_limit(struct pull_state *state, int64_t now_ms) {
    const struct rate_quota *quota = &state->quota;
    int64_t github_now_ms = pull_github_now_ms(state), allowed_ms = pull_allowed_ms(state, now_ms);
    if (!is_quota_left(state) && state->logged_reset_ms != quota->reset_ms) {
        state->logged_reset_ms = quota->reset_ms;
        log_event(SNEK_LEVEL_WARNING, "pull_waits",
                  LOG_NUMBER("for_s", (quota->reset_ms - github_now_ms) / MS_PER_S),
                  LOG_NUMBER("remaining", quota->remaining), LOG_NUMBER("limit", quota->limit),
                  LOG_TEXT("reason", "the app has used its quota of this hour, except a tenth that "
                                     "is kept for tokens"));
    }
    SCOPED_LOCK(&state->lock);
    state->report.limited_until_ms = allowed_ms > now_ms ? allowed_ms : 0;
}

void pull_report_reading(struct pull_state *state, int64_t slowed_ms) {
    SCOPED_LOCK(&state->lock);
    state->report.read_ms = clock_monotonic_ms();
    state->report.slowed_ms = slowed_ms;
    publish(&state->report);
}

void pull_report_waiting(struct pull_state *state, const struct inbox_pull_due *due) {
    SCOPED_LOCK(&state->lock);
    state->report.waiting = due->n_total;
    state->report.oldest_ms = due->n_total > 0 ? due->oldest_ms - state->github_offset_ms : 0;
    publish(&state->report);
}

static void count_handled(struct pull_report *report) {
    report->waiting -= report->waiting > 0;
    publish(report);
}

void pull_report_fetched(struct pull_state *state) {
    SCOPED_LOCK(&state->lock);
    state->report.fetched++;
    count_handled(&state->report);
}

void pull_report_lost(struct pull_state *state) {
    SCOPED_LOCK(&state->lock);
    state->report.lost++;
    metrics_delivery_lost();
    count_handled(&state->report);
}

static const char *state_of(const struct pull_state *state) {
    const struct pull_report *report = &state->report;
    if (state->options.interval_ms == 0) {
        return "off";
    }
    if (report->elsewhere) {
        return "elsewhere";
    }
    if (is_failing(report)) {
        return "failing";
    }
    if (report->slowed_ms > 0) {
        return "slowed";
    }
    if (report->limited_until_ms > clock_monotonic_ms()) {
        return "limited";
    }
    return report->read_ms == 0 ? "waiting" : "ok";
}

/* The time for which deliveries may wait in GitHub's list. */
static int64_t lag_ms(const struct pull_report *report) {
    int64_t handled_ms = report->waiting > 0 ? report->oldest_ms : report->read_ms;
    int64_t lag_ms = handled_ms == 0 ? 0 : clock_monotonic_ms() - handled_ms;
    return lag_ms > 0 ? lag_ms : 0;
}

int pull_state_report(struct pull_state *state, const char *webhook, struct buffer *json) {
    SCOPED_LOCK(&state->lock);
    const struct pull_report *report = &state->report;
    enum pull_part part = report->errors[PULL_READING].text[0] ? PULL_READING : PULL_FETCHING;
    const char *error = report->errors[part].text;
    int result = buffer_printf(json, "\"pull\":{\"state\":\"%s\"", state_of(state));
    if (state->options.interval_ms > 0) {
        result |= buffer_printf(
            json,
            ",\"interval_s\":%" PRId64 ",\"lag_s\":%" PRId64 ",\"waiting\":%" PRId64
            ",\"fetched\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"webhook\":\"%s\"",
            (report->slowed_ms > 0 ? report->slowed_ms : state->options.interval_ms) / MS_PER_S,
            lag_ms(report) / MS_PER_S, report->waiting, report->fetched, report->lost, webhook);
    }
    if (error[0]) {
        result |= buffer_append_text(json, ",\"error\":");
        result |= buffer_append_json_string(json, error, strlen(error));
    }
    return result | buffer_append_text(json, "}");
}
