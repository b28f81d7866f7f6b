/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads the difference that base/clock keeps, and asks GitHub only if no response came so far. */
#include "maintenance/clock_check.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>

/* Recovery usually asks GitHub before. */
#define FIRST_ASK_MS 2000
#define ASK_INTERVAL_MS 600000
/* The broker learns GitHub's clock on its own thread. */
#define LOOK_INTERVAL_MS 1000

void clock_check_init(struct clock_check *check, struct broker *broker, struct mailbox *mailbox) {
    *check = (struct clock_check){.broker = broker, .mailbox = mailbox};
}

static bool is_wrong(int64_t ahead_ms) {
    return ahead_ms > CLOCK_ERROR_MAX_MS || ahead_ms < -CLOCK_ERROR_MAX_MS;
}

bool clock_check_is_right(void) {
    int64_t ahead_ms;
    return clock_error_ms(&ahead_ms) && !is_wrong(ahead_ms);
}

static void log_change(struct clock_check *check, int64_t ahead_ms) {
    bool wrong = is_wrong(ahead_ms);
    if (wrong && !check->wrong) {
        log_event(SNEK_LEVEL_ERROR, "clock_wrong", LOG_NUMBER("ahead_s", ahead_ms / 1000),
                  LOG_TEXT("reason", "this machine's clock differs from GitHub's by more than an "
                                     "hour; GitHub rejects the app's requests, and the host "
                                     "forgets nothing meanwhile: set the clock (NTP)"));
    } else if (!wrong && check->wrong) {
        log_event(SNEK_LEVEL_INFO, "clock_right", LOG_NUMBER("ahead_s", ahead_ms / 1000));
    }
    check->wrong = wrong;
}

static void on_response(struct broker_request *request) {
    struct clock_check *check = CONTAINER_OF(request, struct clock_check, request);
    /* The broker has read its Date. */
    broker_request_finish(request);
    check->under_way = false;
}

int64_t clock_check_tick(struct clock_check *check, bool needed, int64_t now_ms) {
    int64_t ahead_ms;
    if (clock_error_ms(&ahead_ms)) {
        log_change(check, ahead_ms);
        return INT64_MAX;
    }
    if (!needed || check->closed) {
        return INT64_MAX;
    }
    if (check->next_ms == 0) {
        check->next_ms = now_ms + FIRST_ASK_MS;
    }
    if (check->under_way || check->next_ms > now_ms) {
        return now_ms + LOOK_INTERVAL_MS;
    }
    check->next_ms = now_ms + ASK_INTERVAL_MS;
    check->under_way = true;
    check->request = (struct broker_request){.kind = BROKER_APP,
                                             .reply_to = check->mailbox,
                                             .on_done = on_response,
                                             .method = "GET",
                                             .url = "/app"};
    broker_submit(check->broker, &check->request);
    return now_ms + LOOK_INTERVAL_MS;
}

int clock_check_status(struct buffer *json) {
    int64_t ahead_ms;
    if (!clock_error_ms(&ahead_ms)) {
        return buffer_append_text(json, "\"clock\":{\"state\":\"unknown\"}");
    }
    int result = buffer_printf(json, "\"clock\":{\"state\":\"%s\",\"ahead_s\":%" PRId64,
                               is_wrong(ahead_ms) ? "wrong" : "ok", ahead_ms / 1000);
    if (is_wrong(ahead_ms)) {
        result |= buffer_append_text(json, ",\"fix\":\"set this machine's clock (NTP)\"");
    }
    return result | buffer_append_text(json, "}");
}

void clock_check_close(struct clock_check *check) {
    check->closed = true;
}
