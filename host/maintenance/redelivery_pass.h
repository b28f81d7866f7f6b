/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One pass of recovery. It reads GitHub's delivery log and finds the GUIDs that the inbox lacks,
 * whatever status GitHub recorded. It fetches the payload of each and stores it. If GitHub has no
 * payload, it asks GitHub to redeliver.
 *
 *   GET /app/hook/deliveries --> INBOX_FIND_MISSING --> next page ... -->
 *   GET .../ID --> INBOX_PUT --> next missing delivery ...
 *      '-- no payload: INBOX_COUNT_REDELIVERY --> POST .../attempts --> next ...
 *                                                      '-- rejected: INBOX_UNCOUNT_REDELIVERY
 *
 * It never recovers a GUID that the inbox has, because a 202 that GitHub did not see must not run a
 * delivery twice. The store counts the requests that GitHub accepted, before it can know: a request
 * is counted before it is sent, and taken back if GitHub rejects it. Each GUID is requested at most
 * INBOX_REDELIVERY_REQUESTS_MAX times, spread over the time for which GitHub can still redeliver
 * it. A delivery that GitHub tried within the last minute may still arrive, so the pass leaves it
 * alone. It starts with the oldest. A delivery that fails does not hold up the others.
 *
 * Threads: all on the mailbox's thread. */
#ifndef SNEK_MAINTENANCE_REDELIVERY_PASS_H
#define SNEK_MAINTENANCE_REDELIVERY_PASS_H

#include "base/list.h"
#include "broker/broker.h"
#include "inbox/limits.h"
#include "inbox/maintenance.h"
#include "maintenance/fetched_delivery.h"

#define REDELIVERY_RECENT_MS 60000

enum redelivery_state {
    /* The pass will recover it. */
    REDELIVERY_MISSING,
    /* GitHub tried within the last minute. */
    REDELIVERY_RECENT,
    /* The payload was fetched and stored. */
    REDELIVERY_FETCHED,
    /* GitHub will deliver it again. */
    REDELIVERY_REQUESTED,
    /* It was requested, and the time for the next request has not come. */
    REDELIVERY_WAITING,
    /* It arrived during the pass. */
    REDELIVERY_ARRIVED,
    /* It was requested often enough. */
    REDELIVERY_GIVEN_UP,
    /* GitHub rejected the request or did not respond; see `reason`. */
    REDELIVERY_FAILED,
};
#define REDELIVERY_STATES (REDELIVERY_FAILED + 1)

/* A delivery that the inbox lacks, with GitHub's last attempt at it. */
struct missing_delivery {
    TAILQ_ENTRY(missing_delivery) link; /* in redelivery_pass.missing */
    /* GitHub's id of the attempt. */
    int64_t id;
    char guid[INBOX_GUID_MAX + 1];
    char event[INBOX_NAME_MAX + 1];
    /* "pull_request.closed" */
    char full_event[2 * INBOX_NAME_MAX + 2];
    int64_t delivered_ms;
    /* The HTTP status that GitHub got. */
    int64_t status;
    /* The number of accepted requests, including this pass. */
    uint32_t requests;
    /* By GitHub's clock, of the last accepted request; 0: none. */
    int64_t requested_ms;
    enum redelivery_state state;
    /* Why it failed; NULL: it did not. */
    char *reason;
};

struct redelivery_pass {
    /* Input; borrowed until on_done(). */
    struct inbox *inbox;
    struct broker *broker;
    struct mailbox *mailbox;
    /* Finds the missing deliveries, but requests and counts nothing. */
    bool dry_run;
    /* By GitHub's clock: read the log no further back. 0: as far as GitHub keeps it. */
    int64_t since_ms;
    /* How long GitHub can redeliver a delivery. */
    int64_t retention_ms;
    /* The pass sends at most so many requests for deliveries, so that the app's rate limit is not
     * used up, which tokens need too. 0: no limit. */
    unsigned requests_max;
    /* Start with this delivery, at which the last pass ended early, and then go round; "": start
     * with the oldest. */
    char start_guid[INBOX_GUID_MAX + 1];
    struct delivery_router router;
    /* A delivery reached its final state, other than MISSING or RECENT. May be NULL. */
    void (*on_settled)(struct redelivery_pass *pass, const struct missing_delivery *missing);
    /* Called once. It may call redelivery_pass_finish(). */
    void (*on_done)(struct redelivery_pass *pass);
    void *context;

    /* Output; valid in on_done(). */
    /* The pass saw the whole log, and nothing failed. */
    bool complete;
    /* Why the pass ended early; "" if it did not. */
    struct error error;
    /* GitHub has no delivery log: the pass can never succeed. */
    bool no_log;
    /* By GitHub's clock, at the first page. */
    int64_t began_ms;
    uint64_t listed;
    TAILQ_HEAD(missing_deliveries, missing_delivery) missing;
    uint64_t n_missing;
    uint64_t counts[REDELIVERY_STATES];
    /* By GitHub's clock: the earliest time of a next request; 0: none waits. */
    int64_t next_request_ms;
    /* By GitHub's clock: when the last RECENT one is old enough for a pass; 0: there is none. */
    int64_t recent_until_ms;
    /* The delivery at which the pass ended early; "": it did not. */
    char stopped_guid[INBOX_GUID_MAX + 1];

    /* Internal. */
    struct broker_request request;
    struct inbox_find_missing find;
    struct inbox_count_redelivery count;
    struct inbox_uncount_redelivery uncount;
    struct fetched_delivery fetched;
    struct delivery_log_page *page;
    /* Finds a delivery of `missing` by its GUID. */
    void *tree;
    /* The delivery whose turn it is. */
    struct missing_delivery *current;
    char *url;
    /* GitHub's clock less ours. */
    int64_t clock_offset_ms;
    /* In a row. */
    unsigned n_failures;
    unsigned n_requests;
    /* Monotonic; 0: nothing waits for its time. */
    int64_t continue_at_ms;
    uint64_t n_pages;
    bool under_way;
    /* The owner sets it once inbox and broker are gone. Their remaining results then end the pass.
     */
    bool closed;
};

/* How long GitHub keeps a delivery: 3 days, Enterprise Server 7 days. */
int64_t redelivery_retention_ms(const char *api_url);

void redelivery_pass_begin(struct redelivery_pass *pass);
/* Continues when it is time. Returns when to call again; monotonic; INT64_MAX: the pass waits for a
 * result. */
int64_t redelivery_pass_tick(struct redelivery_pass *pass, int64_t now_ms);
/* Frees. Not while the pass is under way. */
void redelivery_pass_finish(struct redelivery_pass *pass);

#endif
