/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the store's metrics fresh and serves all metrics. A scrape asks the inbox for nothing, so
 * that many scrapes do not delay a webhook. */
#include "telemetry/telemetry.h"

#include "base/clock.h"
#include "base/log.h"
#include "inbox/stats.h"
#include "metrics/metrics.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define COUNT_INTERVAL_MS 5000
/* The pause is this many times as long as the count, so that counting takes little of the writer's
 * time. It has a limit, because the time of a count includes the wait for a store that was locked.
 */
#define PAUSE_FACTOR 50
#define PAUSE_MAX_MS 15000

struct telemetry {
    struct loop *loop;
    struct inbox *inbox;
    const char *configured;
    struct mailbox mailbox;
    struct loop_source mail_source;
    struct inbox_stats stats;
    bool counting, closed, failing;
    int64_t started_ms, next_ms; /* monotonic */
};

static void on_mail(struct loop_source *source, uint32_t events) {
    mailbox_drain(&CONTAINER_OF(source, struct telemetry, mail_source)->mailbox);
}

/* The time from the end of a count to the start of the next one. */
static int64_t pause_ms(int64_t took_ms, bool failed) {
    int64_t pause_ms = took_ms * PAUSE_FACTOR;
    if (failed || pause_ms < COUNT_INTERVAL_MS) {
        return COUNT_INTERVAL_MS;
    }
    return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

static void on_counted(struct inbox_operation *operation) {
    struct inbox_stats *stats = CONTAINER_OF(operation, struct inbox_stats, operation);
    struct telemetry *telemetry = CONTAINER_OF(stats, struct telemetry, stats);
    int64_t now_ms = clock_monotonic_ms();
    assert(telemetry->counting);
    telemetry->counting = false;
    telemetry->next_ms = now_ms + pause_ms(now_ms - telemetry->started_ms, operation->result < 0);
    if (operation->result < 0) {
        if (!telemetry->failing && !telemetry->closed) {
            log_event(SNEK_LEVEL_WARNING, "count_failed",
                      LOG_TEXT("reason", operation->error.text));
        }
        telemetry->failing = true;
        return;
    }
    telemetry->failing = false;
    metrics_store(&(struct metrics_store){.queued = stats->queued,
                                          .running = stats->running,
                                          .dead = stats->dead,
                                          .blocked = stats->blocked,
                                          .parked = stats->parked,
                                          .not_configured = stats->not_configured,
                                          .held = stats->held,
                                          .waiting = stats->waiting,
                                          .timers = stats->timers,
                                          .in_doubt = stats->in_doubt,
                                          .oldest_due_ms = stats->oldest_due_ms});
}

int telemetry_new(struct loop *loop, struct inbox *inbox, const char *configured,
                  struct telemetry **telemetry, struct error *err) {
    struct telemetry *made = calloc(1, sizeof *made);
    if (!made || mailbox_init(&made->mailbox) < 0) {
        free(made);
        return error_set(err, "cannot start telemetry: " ERROR_FIX_FILES_OR_MEMORY);
    }
    made->loop = loop;
    made->inbox = inbox;
    made->configured = configured;
    made->mail_source = (struct loop_source){made->mailbox.event_fd, on_mail};
    if (loop_add(loop, &made->mail_source, EPOLLIN) < 0) {
        mailbox_finish(&made->mailbox);
        free(made);
        return error_set(err, "cannot start telemetry: cannot watch a mailbox: %s",
                         strerror(errno));
    }
    *telemetry = made;
    return 0;
}

int telemetry_tick(struct telemetry *telemetry) {
    int64_t now_ms = clock_monotonic_ms();
    if (!telemetry->counting && telemetry->next_ms <= now_ms) {
        telemetry->stats = (struct inbox_stats){.operation = {.kind = INBOX_STATS,
                                                              .reply_to = &telemetry->mailbox,
                                                              .on_result = on_counted},
                                                .configured = telemetry->configured};
        telemetry->counting = true;
        telemetry->started_ms = now_ms;
        inbox_submit(telemetry->inbox, &telemetry->stats.operation);
    }
    return telemetry->counting ? COUNT_INTERVAL_MS : (int)(telemetry->next_ms - now_ms);
}

static void on_request(struct http_request *request) {
    AUTO_BUFFER struct buffer text = BUFFER_INIT(METRICS_TEXT_MAX);
    if (metrics_render(&text) < 0) {
        http_reject(request, 503, "the metrics do not fit into memory", "retry later");
    } else {
        http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", text.data,
                     text.bytes);
    }
}

const struct http_route *telemetry_route(void) {
    static const struct http_route route = {
        .path = "/metrics", .methods = "GET, HEAD", .on_request = on_request};
    return &route;
}

void telemetry_free(struct telemetry *telemetry) {
    if (telemetry) {
        telemetry->closed = true;
        mailbox_drain(&telemetry->mailbox);
        loop_remove(telemetry->loop, &telemetry->mail_source);
        mailbox_finish(&telemetry->mailbox);
        free(telemetry);
    }
}
