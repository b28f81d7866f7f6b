/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader and the fetcher of pull mode share this: GitHub's clock, the app's limits, and the
 * report for /readyz and /metrics.
 *
 * Threads: the loop's thread, except pull_state_report(), which any thread may call. */
#ifndef SNEK_MAINTENANCE_PULL_STATE_H
#define SNEK_MAINTENANCE_PULL_STATE_H

#include "broker/broker.h"
#include "inbox/pull.h"
#include "maintenance/fetched_delivery.h"
#include "maintenance/pull_plan.h"

#include <pthread.h>

/* Everything is borrowed until pull_close(). */
struct pull_options {
    struct inbox *inbox;
    struct broker *broker;
    struct mailbox *mailbox;
    struct delivery_router router;
    /* From one reading to the next; 0: the host receives webhooks. */
    int64_t interval_ms;
    /* A run is due this long after its delivery: GitHub's own views lag behind. */
    int64_t delay_ms;
    /* How long GitHub keeps an entry. */
    int64_t retention_ms;
    /* Requests in a minute; 0: GitHub's headers alone limit them. */
    unsigned requests_per_minute;
    /* Read the list to its end once a day. */
    bool reads_all;
};

enum pull_part { PULL_READING, PULL_FETCHING, PULL_PARTS };

/* Monotonic times; 0: never. */
struct pull_report {
    bool elsewhere;
    /* The last failure of each part; "": it works. */
    struct error errors[PULL_PARTS];
    int64_t read_ms;
    /* The oldest entry that waits is due since then. */
    int64_t oldest_ms;
    int64_t waiting;
    uint64_t fetched, lost;
    /* The app's quota makes the interval longer; in milliseconds, 0: it does not. */
    int64_t slowed_ms;
    /* A limit of GitHub's lets no request leave until then. */
    int64_t limited_until_ms;
};

struct pull_state {
    struct pull_options options;
    /* Inbox and broker are gone. */
    bool closed;
    bool elected;
    /* GitHub's clock less the monotonic one; 0: not known. */
    int64_t github_offset_ms;
    /* Monotonic: the app is at a limit until then. */
    int64_t paused_until_ms;
    /* Monotonic: an entry in the store is due then. */
    int64_t next_due_ms;
    struct rate_quota quota;
    /* Requests whose response has not come: the quota does not count them yet. */
    unsigned in_flight;
    struct pull_rate rate;
    /* The end of the quota that was logged as used up; by GitHub's clock. */
    int64_t logged_reset_ms;

    /* Protects the report. */
    pthread_mutex_t lock;
    struct pull_report report;
};

void pull_state_init(struct pull_state *state, const struct pull_options *options);
void pull_state_finish(struct pull_state *state);

int64_t pull_github_now_ms(const struct pull_state *state);

/* Monotonic: GitHub's limits allow the next request then, or it was allowed before. */
int64_t pull_allowed_ms(const struct pull_state *state, int64_t now_ms);

/* Fills the request and submits it. `url` is borrowed until the response. */
void pull_send(struct pull_state *state, struct broker_request *request, const char *url,
               size_t response_max, void (*on_response)(struct broker_request *));
void pull_submit(struct pull_state *state, struct inbox_operation *operation, enum inbox_kind kind,
                 void (*on_result)(struct inbox_operation *));

/* A response has come: takes the quota from its headers. */
void pull_learn_quota(struct pull_state *state, const struct buffer *headers);

/* The app is at a limit of GitHub's, primary or secondary. */
bool pull_is_limited(int32_t outcome);
/* Pauses both parts until the limit ends. */
void pull_wait_for_limit(struct pull_state *state, const struct broker_request *request);

/* Logs the first failure, and that both parts work again. */
void pull_failed(struct pull_state *state, enum pull_part part, int32_t outcome,
                 const struct error *error);
/* True: the part had failed. */
bool pull_works(struct pull_state *state, enum pull_part part);

void pull_report_elsewhere(struct pull_state *state, bool elsewhere);
/* Logs a quota that is used up, once. */
void pull_report_limit(struct pull_state *state, int64_t now_ms);
void pull_report_reading(struct pull_state *state, int64_t slowed_ms);
void pull_report_waiting(struct pull_state *state, const struct inbox_pull_due *due);
void pull_report_fetched(struct pull_state *state);
void pull_report_lost(struct pull_state *state);

/* Appends `"pull":{...}`. 0, or -1 if it did not fit. */
int pull_state_report(struct pull_state *state, const char *webhook, struct buffer *json);

#endif
