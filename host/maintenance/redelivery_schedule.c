/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* When passes of recovery are made, and what is told of them.
 *
 * The first pass of a host looks at everything that GitHub keeps (3 days), and so does one each
 * day. Those in between look no further back than an hour before the last pass began, if that was
 * complete: what is older was compared then. GitHub would have to list a delivery an hour late for
 * one to be passed over, and even then the day's full pass finds it while it can still be had. Read
 * whole every time, the list of a busy app would cost more requests than GitHub allows. */
#include "maintenance/private.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

#define OVERLAP_MS 3600000
#define FULL_INTERVAL_MS 86400000

static void told(struct recover *pass, const struct recover_missing *missing) {
    bool rejected = missing->fate == RECOVER_REJECTED;
    if (missing->fate == RECOVER_ASKED || rejected) {
        log_event(rejected ? SNEK_LEVEL_WARNING : SNEK_LEVEL_INFO,
                  rejected ? "redelivery_rejected" : "redelivery_asked",
                  LOG_TEXT("delivery", missing->guid), LOG_TEXT("event", missing->event),
                  LOG_NUMBER("github_saw", missing->status), LOG_NUMBER("time", missing->asked),
                  LOG_NUMBER("of", RECOVER_ASK_MAX), LOG_TEXT("reason", missing->why));
    }
    (void)pass;
}

static void note(struct recovery *recovery, const struct recover *pass) {
    (void)pthread_mutex_lock(&recovery->lock);
    recovery->told_error = pass->error;
    if (!pass->error.text[0]) {
        recovery->checked_ms = clock_wall_ms();
        recovery->asked += pass->fates[RECOVER_ASKED];
        recovery->given_up = pass->fates[RECOVER_GIVEN_UP];
        recovery->missing = pass->fates[RECOVER_ASKED] + pass->fates[RECOVER_YOUNG] +
                            pass->fates[RECOVER_REJECTED] + pass->fates[RECOVER_GIVEN_UP];
    }
    (void)pthread_mutex_unlock(&recovery->lock);
}

static void log_pass(struct recovery *recovery, const struct recover *pass) {
    bool failed = pass->error.text[0] != '\0';
    if (failed && !recovery->failing) {
        log_event(SNEK_LEVEL_WARNING, "recovery_failed", LOG_TEXT("reason", pass->error.text),
                  LOG_NUMBER("again_minutes", recovery->interval_ms / 60000),
                  LOG_TEXT("hint", "what arrived meanwhile is not lost: it is looked for again; "
                                   "`snekomatic recover` tries at once"));
    } else if (!failed &&
               (recovery->failing || recovery->full_ms == 0 || pass->fates[RECOVER_ASKED] > 0 ||
                pass->fates[RECOVER_GIVEN_UP] != recovery->last_given_up)) {
        log_event(SNEK_LEVEL_INFO, "recovery", LOG_NUMBER("listed", (int64_t)pass->listed),
                  LOG_NUMBER("asked", (int64_t)pass->fates[RECOVER_ASKED]),
                  LOG_NUMBER("given_up", (int64_t)pass->fates[RECOVER_GIVEN_UP]));
    }
    recovery->failing = failed;
    recovery->last_given_up = failed ? recovery->last_given_up : pass->fates[RECOVER_GIVEN_UP];
}

static void pass_done(struct recover *pass) {
    struct recovery *recovery = CONTAINER_OF(pass, struct recovery, pass);
    int64_t now_ms = clock_monotonic_ms();
    if (!recovery->closed) {
        note(recovery, pass); /* who reads the line may look at /readyz */
        log_pass(recovery, pass);
    }
    if (!pass->error.text[0] && pass->since_ms == 0) {
        recovery->full_ms = now_ms;
    }
    /* What was not settled is looked for by a pass that sees all. */
    recovery->since_ms = pass->complete ? pass->begun_ms - OVERLAP_MS : 0;
    recovery->next_ms = now_ms + recovery->interval_ms;
    recovery->under_way = false;
    recover_finish(pass);
}

static void tell_where(struct recovery *recovery, bool elsewhere) {
    if (recovery->elsewhere != elsewhere) { /* only this thread writes it */
        (void)pthread_mutex_lock(&recovery->lock);
        recovery->elsewhere = elsewhere;
        (void)pthread_mutex_unlock(&recovery->lock);
    }
}

int64_t recovery_tick(struct maintenance *maintenance, int64_t now_ms) {
    struct recovery *recovery = &maintenance->recovery;
    tell_where(recovery, !maintenance->elect.elected);
    if (recovery->interval_ms == 0) {
        return INT64_MAX;
    }
    if (recovery->under_way) {
        return recover_tick(&recovery->pass, now_ms);
    }
    if (!maintenance->elect.elected) {
        recovery->full_ms = 0; /* another host looks; who begins again looks at everything */
        recovery->next_ms = now_ms;
        return INT64_MAX;
    }
    if (recovery->next_ms > now_ms) {
        return recovery->next_ms;
    }
    bool full = recovery->full_ms == 0 || now_ms - recovery->full_ms >= FULL_INTERVAL_MS;
    recovery->pass = (struct recover){
        .inbox = maintenance->options.inbox,
        .broker = maintenance->options.broker,
        .mailbox = &maintenance->mailbox,
        .since_ms = full ? 0 : recovery->since_ms,
        .told = told,
        .done = pass_done,
    };
    recovery->under_way = true;
    recover_begin(&recovery->pass);
    return INT64_MAX;
}

int recovery_status(struct recovery *recovery, struct buffer *json) {
    (void)pthread_mutex_lock(&recovery->lock);
    bool failing = recovery->told_error.text[0] != '\0';
    const char *state = recovery->interval_ms == 0  ? "off"
                        : recovery->elsewhere       ? "elsewhere"
                        : failing                   ? "failing"
                        : recovery->checked_ms == 0 ? "waiting"
                                                    : "ok";
    int result = buffer_printf(
        json,
        "\"recovery\":{\"state\":\"%s\",\"checked_ms\":%" PRId64 ",\"missing\":%" PRIu64
        ",\"asked\":%" PRIu64 ",\"given_up\":%" PRIu64,
        state, recovery->checked_ms, recovery->missing, recovery->asked, recovery->given_up);
    if (failing) {
        result |= buffer_append_text(json, ",\"error\":");
        result |= buffer_append_json_string(json, recovery->told_error.text,
                                            strlen(recovery->told_error.text));
    }
    result |= buffer_append_text(json, "}");
    (void)pthread_mutex_unlock(&recovery->lock);
    return result;
}
