/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts passes of recovery, remembers how far the last one got, and reports its result. */
#include "maintenance/redelivery_schedule.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define OVERLAP_MS 3600000
#define MS_PER_MINUTE 60000
/* GitHub allows an app 5000 requests an hour, and the host needs some of them for tokens. */
#define REQUESTS_PER_MINUTE 50
#define FULL_INTERVAL_MS 86400000

static void on_settled(struct redelivery_pass *pass, const struct missing_delivery *missing) {
    (void)pass;
    bool failed = missing->state == REDELIVERY_FAILED;
    if (missing->state == REDELIVERY_REQUESTED || failed) {
        log_event(
            failed ? SNEK_LEVEL_WARNING : SNEK_LEVEL_INFO,
            failed ? "redelivery_failed" : "redelivery_requested",
            LOG_TEXT("delivery", missing->guid), LOG_TEXT("event", missing->full_event),
            LOG_NUMBER("github_status", missing->status), LOG_NUMBER("accepted", missing->requests),
            LOG_NUMBER("of", INBOX_REDELIVERY_REQUESTS_MAX), LOG_TEXT("reason", missing->reason));
    }
}

/* Deliveries that the inbox still lacks after the pass. */
static uint64_t still_missing(const struct redelivery_pass *pass) {
    uint64_t found = pass->counts[REDELIVERY_FETCHED] + pass->counts[REDELIVERY_ARRIVED];
    assert(found <= pass->n_missing);
    return pass->n_missing - found;
}

static void remember(struct redelivery_schedule *schedule, const struct redelivery_pass *pass) {
    SCOPED_LOCK(&schedule->lock);
    schedule->last_error = pass->error;
    if (!pass->error.text[0]) {
        schedule->checked_ms = clock_wall_ms();
        schedule->requested += pass->counts[REDELIVERY_REQUESTED];
        schedule->given_up = pass->counts[REDELIVERY_GIVEN_UP];
        schedule->fetched += pass->counts[REDELIVERY_FETCHED];
        schedule->missing = still_missing(pass);
    }
}

static const char retry_hint[] = "the next pass looks for these deliveries again; "
                                 "`snekomatic recover` does so at once";
static const char no_log_hint[] =
    "GitHub has no list of deliveries at github.api_url, so the host cannot recover webhooks: "
    "check github.api_url and the app, or set github.recover_interval_minutes = 0";

/* `wait_ms`: after which a pass looks at the deliveries of the last minute; 0: there are none. */
static void log_pass(struct redelivery_schedule *schedule, const struct redelivery_pass *pass,
                     int64_t wait_ms) {
    bool failed = pass->error.text[0] != '\0';
    if (failed && !schedule->failing) {
        log_event(SNEK_LEVEL_WARNING, "recovery_failed", LOG_TEXT("reason", pass->error.text),
                  LOG_NUMBER("again_minutes", schedule->interval_ms / 60000),
                  LOG_TEXT("hint", pass->no_log ? no_log_hint : retry_hint));
    } else if (!failed &&
               (schedule->failing || schedule->full_ms == 0 || wait_ms > 0 ||
                pass->counts[REDELIVERY_REQUESTED] > 0 || pass->counts[REDELIVERY_FETCHED] > 0 ||
                pass->counts[REDELIVERY_GIVEN_UP] != schedule->last_given_up)) {
        log_event(SNEK_LEVEL_INFO, "recovery", LOG_NUMBER("listed", (int64_t)pass->listed),
                  LOG_NUMBER("fetched", (int64_t)pass->counts[REDELIVERY_FETCHED]),
                  LOG_NUMBER("requested", (int64_t)pass->counts[REDELIVERY_REQUESTED]),
                  LOG_NUMBER("given_up", (int64_t)pass->counts[REDELIVERY_GIVEN_UP]),
                  LOG_NUMBER("too_recent", (int64_t)pass->counts[REDELIVERY_RECENT]),
                  LOG_NUMBER("again_seconds", (wait_ms + 999) / 1000));
    }
    schedule->failing = failed;
    schedule->last_given_up = failed ? schedule->last_given_up : pass->counts[REDELIVERY_GIVEN_UP];
}

/* When the deliveries of the last minute are old enough for a pass that is brought forward; 0: none
 * is. */
static int64_t early_wait_ms(const struct redelivery_schedule *schedule,
                             const struct redelivery_pass *pass) {
    bool failed = pass->error.text[0] != '\0';
    if (failed || schedule->early || pass->recent_until_ms == 0) {
        return 0;
    }
    int64_t wait_ms = pass->recent_until_ms - (clock_wall_ms() + pass->clock_offset_ms);
    /* GitHub's times are in whole seconds. */
    wait_ms = wait_ms < 0 ? 0 : wait_ms;
    wait_ms = wait_ms > REDELIVERY_RECENT_MS ? REDELIVERY_RECENT_MS : wait_ms;
    return wait_ms + 1000;
}

static void on_pass(struct redelivery_pass *pass) {
    struct redelivery_schedule *schedule = CONTAINER_OF(pass, struct redelivery_schedule, pass);
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = early_wait_ms(schedule, pass);
    if (!schedule->closed) {
        /* before the log line, whose reader may look at /readyz */
        remember(schedule, pass);
        log_pass(schedule, pass, wait_ms);
    }
    if (!pass->error.text[0] && pass->since_ms == 0) {
        schedule->full_ms = now_ms;
        schedule->next_request_ms = pass->next_request_ms;
    }
    if (pass->began_ms != 0) {
        schedule->clock_offset_ms = pass->clock_offset_ms;
        memcpy(schedule->stopped_guid, pass->stopped_guid, sizeof schedule->stopped_guid);
    }
    /* After an incomplete pass the next one reads the whole log. */
    schedule->since_ms = pass->complete ? pass->began_ms - OVERLAP_MS : 0;
    schedule->early = wait_ms > 0 && wait_ms < schedule->interval_ms;
    schedule->next_ms = now_ms + (schedule->early ? wait_ms : schedule->interval_ms);
    schedule->under_way = false;
    redelivery_pass_finish(pass);
}

static void set_elsewhere(struct redelivery_schedule *schedule, bool elsewhere) {
    /* only this thread writes it, so it may read without the lock */
    if (schedule->elsewhere != elsewhere) {
        SCOPED_LOCK(&schedule->lock);
        schedule->elsewhere = elsewhere;
    }
}

void redelivery_schedule_init(struct redelivery_schedule *schedule,
                              const struct redelivery_schedule_options *options) {
    assert(options->interval_ms >= 0 && options->retention_ms > 0);
    *schedule = (struct redelivery_schedule){.inbox = options->inbox,
                                             .broker = options->broker,
                                             .mailbox = options->mailbox,
                                             .router = options->router,
                                             .interval_ms = options->interval_ms,
                                             .retention_ms = options->retention_ms};
    pthread_mutex_init(&schedule->lock, NULL);
}

/* Is the next request of a delivery due that only a pass over the whole log sees? */
static bool is_request_due(const struct redelivery_schedule *schedule) {
    return schedule->next_request_ms != 0 &&
           schedule->next_request_ms <= clock_wall_ms() + schedule->clock_offset_ms;
}

static void start_pass(struct redelivery_schedule *schedule, int64_t now_ms) {
    bool full = schedule->full_ms == 0 || now_ms - schedule->full_ms >= FULL_INTERVAL_MS ||
                is_request_due(schedule);
    int64_t minutes = schedule->early ? 1 : schedule->interval_ms / MS_PER_MINUTE;
    assert(!schedule->under_way && !schedule->closed);
    schedule->pass = (struct redelivery_pass){
        .inbox = schedule->inbox,
        .broker = schedule->broker,
        .mailbox = schedule->mailbox,
        .since_ms = full ? 0 : schedule->since_ms,
        .retention_ms = schedule->retention_ms,
        .requests_max = (unsigned)minutes * REQUESTS_PER_MINUTE,
        .router = schedule->router,
        .on_settled = on_settled,
        .on_done = on_pass,
    };
    memcpy(schedule->pass.start_guid, schedule->stopped_guid, sizeof schedule->stopped_guid);
    schedule->under_way = true;
    redelivery_pass_begin(&schedule->pass);
}

int64_t redelivery_schedule_tick(struct redelivery_schedule *schedule, bool elected,
                                 int64_t now_ms) {
    set_elsewhere(schedule, !elected);
    if (schedule->interval_ms == 0) {
        return INT64_MAX;
    }
    if (schedule->under_way) {
        return redelivery_pass_tick(&schedule->pass, now_ms);
    }
    if (!elected) {
        /* the next elected host reads the whole log */
        schedule->full_ms = 0;
        schedule->early = false;
        schedule->next_ms = now_ms;
        return INT64_MAX;
    }
    if (schedule->next_ms > now_ms) {
        return schedule->next_ms;
    }
    start_pass(schedule, now_ms);
    return INT64_MAX;
}

static const char *state_of(const struct redelivery_schedule *schedule) {
    if (schedule->interval_ms == 0) {
        return "off";
    }
    if (schedule->elsewhere) {
        return "elsewhere";
    }
    if (schedule->last_error.text[0]) {
        return "failing";
    }
    return schedule->checked_ms == 0 ? "waiting" : "ok";
}

int redelivery_schedule_status(struct redelivery_schedule *schedule, struct buffer *json) {
    SCOPED_LOCK(&schedule->lock);
    bool failing = schedule->last_error.text[0] != '\0';
    int result = buffer_printf(json,
                               "\"recovery\":{\"state\":\"%s\",\"checked_ms\":%" PRId64
                               ",\"missing\":%" PRIu64 ",\"fetched\":%" PRIu64
                               ",\"requested\":%" PRIu64 ",\"given_up\":%" PRIu64,
                               state_of(schedule), schedule->checked_ms, schedule->missing,
                               schedule->fetched, schedule->requested, schedule->given_up);
    if (failing) {
        result |= buffer_append_text(json, ",\"error\":");
        result |= buffer_append_json_string(json, schedule->last_error.text,
                                            strlen(schedule->last_error.text));
    }
    result |= buffer_append_text(json, "}");
    return result;
}

void redelivery_schedule_close(struct redelivery_schedule *schedule) {
    schedule->closed = schedule->pass.closed = true;
}

void redelivery_schedule_finish(struct redelivery_schedule *schedule) {
    /* A pass may still wait for its next request. */
    assert(schedule->closed);
    redelivery_pass_finish(&schedule->pass);
    pthread_mutex_destroy(&schedule->lock);
}
