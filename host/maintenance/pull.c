/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs the reader, the fetcher and the watch of the webhook while this host is elected. */
#include "maintenance/pull.h"

#include "base/clock.h"

#include <assert.h>

/* After a store that failed to forget the place. */
#define FORGET_AGAIN_MS 60000

static bool is_pull_mode(const struct pull_state *state) {
    return state->options.interval_ms > 0;
}

void pull_init(struct pull *pull, const struct pull_options *options) {
    pull_state_init(&pull->state, options);
    pull_reader_init(&pull->reader, &pull->state);
    if (is_pull_mode(&pull->state)) {
        pull_fetcher_init(&pull->fetcher, &pull->state);
    }
    hook_watch_init(&pull->hook, options->broker, options->mailbox, options->retention_ms);
}

/* ---- webhook mode ---- */

static void on_forgotten(struct inbox_operation *operation) {
    struct pull *pull = CONTAINER_OF(operation, struct pull, forget);
    assert(pull->forgets);
    pull->forgets = false;
    pull->forgotten = operation->result >= 0;
    pull->forget_ms = clock_monotonic_ms() + FORGET_AGAIN_MS;
}

/* Redeliveries arrive as webhooks now. If the hosts pull again, they must not run these again. */
static int64_t forget_place(struct pull *pull, bool elected, int64_t now_ms) {
    if (pull->forgets) {
        return INT64_MAX;
    }
    if (!elected) {
        pull->forgotten = false;
    }
    if (!elected || pull->forgotten) {
        return INT64_MAX;
    }
    if (pull->forget_ms > now_ms) {
        return pull->forget_ms;
    }
    pull->forgets = true;
    pull_submit(&pull->state, &pull->forget, INBOX_PULL_FORGET, on_forgotten);
    return INT64_MAX;
}

/* ---- pull mode ---- */

/* After the first reading. */
static int64_t watch_hook(struct pull *pull, int64_t now_ms) {
    const struct pull_reader *reader = &pull->reader;
    return reader->begun && pull->state.report.read_ms != 0
               ? hook_watch_tick(&pull->hook, reader->list_is_empty,
                                 pull_github_now_ms(&pull->state), now_ms)
               : INT64_MAX;
}

int64_t pull_tick(struct pull *pull, bool elected, int64_t now_ms) {
    struct pull_state *state = &pull->state;
    if (state->closed) {
        return INT64_MAX;
    }
    if (!is_pull_mode(state)) {
        return forget_place(pull, elected, now_ms);
    }
    state->elected = elected;
    pull_report_elsewhere(state, !elected);
    if (!elected) {
        pull_reader_stand_by(&pull->reader, now_ms);
        pull_fetcher_stand_by(&pull->fetcher);
        return pull_fetcher_tick(&pull->fetcher, now_ms);
    }
    pull_report_limit(state, now_ms);
    int64_t next_ms = pull_reader_tick(&pull->reader, now_ms);
    if (pull_reader_has_recovered(&pull->reader)) {
        pull_fetcher_retry(&pull->fetcher);
    }
    next_ms = clock_earliest(next_ms, pull_fetcher_tick(&pull->fetcher, now_ms));
    return clock_earliest(next_ms, watch_hook(pull, now_ms));
}

int pull_status(struct pull *pull, struct buffer *json) {
    return pull_state_report(&pull->state, hook_watch_name(&pull->hook), json);
}

void pull_close(struct pull *pull) {
    hook_watch_close(&pull->hook);
    pull->state.closed = true;
}

void pull_finish(struct pull *pull) {
    pull_reader_finish(&pull->reader);
    if (is_pull_mode(&pull->state)) {
        pull_fetcher_finish(&pull->fetcher);
    }
    pull_state_finish(&pull->state);
}
