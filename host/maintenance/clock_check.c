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
/* A step of moving due times back that failed is repeated after this. */
#define SET_BACK_RETRY_MS 10000

static int64_t wall_offset_ms(void) {
    return clock_wall_ms() - clock_monotonic_ms();
}

void clock_check_init(struct clock_check *check, struct broker *broker, struct inbox *inbox,
                      struct mailbox *mailbox, void (*on_runs_due)(void *context), void *context) {
    *check = (struct clock_check){.broker = broker,
                                  .inbox = inbox,
                                  .mailbox = mailbox,
                                  .offset_ms = wall_offset_ms(),
                                  .set_back_due = true, /* perhaps before this start */
                                  .on_runs_due = on_runs_due,
                                  .context = context};
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

static void on_set_back(struct inbox_operation *operation) {
    struct inbox_clock_set_back *set =
        CONTAINER_OF(operation, struct inbox_clock_set_back, operation);
    struct clock_check *check = CONTAINER_OF(set, struct clock_check, set_back);
    check->set_back_under_way = false;
    check->set_back_due = operation->result != 0;
    if (operation->result < 0) {
        check->set_back_at_ms = clock_monotonic_ms() + SET_BACK_RETRY_MS;
        return;
    }
    if (operation->result > 0) {
        set->after_run += INBOX_SET_BACK_STEP;
        return;
    }
    check->set_back_ms -= set->by_ms;
    set->after_run = 0;
    if (!check->closed) {
        check->on_runs_due(check->context);
    }
}

static void notice_set_back(struct clock_check *check) {
    int64_t offset_ms = wall_offset_ms(), back_ms = check->offset_ms - offset_ms;
    if (back_ms > CLOCK_ERROR_MAX_MS) {
        check->set_back_ms += back_ms;
        check->set_back_due = true;
        log_event(SNEK_LEVEL_WARNING, "clock_set_back", LOG_NUMBER("by_s", back_ms / 1000),
                  LOG_TEXT("reason", "runs that were to be retried are due earlier"));
    }
    check->offset_ms = offset_ms;
}

static void move_due_times(struct clock_check *check, int64_t now_ms) {
    if (!check->set_back_due || check->set_back_under_way || check->closed ||
        check->set_back_at_ms > now_ms) {
        return;
    }
    int64_t after_run = check->set_back.after_run;
    check->set_back_due = false;
    check->set_back_under_way = true;
    check->set_back = (struct inbox_clock_set_back){
        .operation = {.kind = INBOX_CLOCK_SET_BACK,
                      .reply_to = check->mailbox,
                      .on_result = on_set_back},
        .now_ms = clock_wall_ms(),
        /* All steps move by the same time. */
        .by_ms = after_run > 0 ? check->set_back.by_ms : check->set_back_ms,
        .after_run = after_run,
    };
    inbox_submit(check->inbox, &check->set_back.operation);
}

int64_t clock_check_tick(struct clock_check *check, bool needed, int64_t now_ms) {
    int64_t ahead_ms;
    notice_set_back(check);
    if (clock_error_ms(&ahead_ms)) {
        log_change(check, ahead_ms);
        if (!is_wrong(ahead_ms)) {
            move_due_times(check, now_ms);
        }
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

void clock_check_on_advance(struct clock_check *check) {
    if (check->closed) {
        return;
    }
    check->next_ms = clock_monotonic_ms();
    check->on_runs_due(check->context);
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
