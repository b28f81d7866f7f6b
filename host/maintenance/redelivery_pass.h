/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One pass of recovery. It reads GitHub's delivery log, finds the GUIDs that the inbox lacks, and
 * asks GitHub to redeliver them, whatever status GitHub recorded.
 *
 *   GET /app/hook/deliveries --> INBOX_FIND_MISSING --> next page ... -->
 *   INBOX_COUNT_REDELIVERY --> POST .../attempts --> next missing delivery ...
 *
 * It never asks for a GUID that the inbox has, because a 202 that GitHub did not see must not run a
 * delivery twice. It asks for each GUID at most REDELIVERY_REQUESTS_MAX times, and the store counts
 * the requests. A delivery that GitHub tried within the last minute may still arrive, so the pass
 * leaves it alone. It asks for the oldest first.
 *
 * Threads: all on the mailbox's thread. */
#ifndef SNEK_MAINTENANCE_REDELIVERY_PASS_H
#define SNEK_MAINTENANCE_REDELIVERY_PASS_H

#include "broker/broker.h"
#include "inbox/limits.h"
#include "inbox/maintenance.h"

#define REDELIVERY_REQUESTS_MAX 3
#define REDELIVERY_RECENT_MS 60000

enum redelivery_state {
    /* The pass will ask for it. */
    REDELIVERY_MISSING,
    /* GitHub tried within the last minute. */
    REDELIVERY_RECENT,
    /* GitHub will deliver it again. */
    REDELIVERY_REQUESTED,
    /* It arrived during the pass. */
    REDELIVERY_ARRIVED,
    /* It was requested often enough. */
    REDELIVERY_GIVEN_UP,
    /* GitHub rejected the request; see `reason`. */
    REDELIVERY_REJECTED,
};

/* A delivery that the inbox lacks, with GitHub's last attempt at it. */
struct missing_delivery {
    struct missing_delivery *next;
    /* GitHub's id of the attempt. */
    int64_t id;
    char guid[INBOX_GUID_MAX + 1];
    /* "pull_request.closed" */
    char event[2 * INBOX_NAME_MAX + 2];
    int64_t delivered_ms;
    /* The HTTP status that GitHub got. */
    int64_t status;
    /* The number of requests, including this pass. */
    uint32_t requests;
    enum redelivery_state state;
    /* Why GitHub rejected the request; NULL: it did not. */
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
    /* A delivery reached its final state, other than MISSING or RECENT. May be NULL. */
    void (*on_settled)(struct redelivery_pass *pass, const struct missing_delivery *missing);
    /* Called once. It may call redelivery_pass_finish(). */
    void (*on_done)(struct redelivery_pass *pass);
    void *context;

    /* Output; valid in on_done(). */
    /* The pass saw the whole log, and GitHub rejected nothing. */
    bool complete;
    /* Why the pass ended early; "" if it did not. */
    struct error error;
    /* By GitHub's clock, at the first page. */
    int64_t began_ms;
    uint64_t listed;
    /* The oldest first. */
    struct missing_delivery *missing;
    uint64_t n_missing;
    uint64_t counts[REDELIVERY_REJECTED + 1];

    /* Internal. */
    struct broker_request request;
    struct inbox_find_missing find;
    struct inbox_count_redelivery count;
    struct delivery_log_page *page;
    /* Finds a delivery of `missing` by its GUID. */
    void *tree;
    /* The delivery whose turn it is. */
    struct missing_delivery *current;
    char *url;
    /* Monotonic; 0: nothing waits for its time. */
    int64_t continue_at_ms;
    uint64_t n_pages;
    bool under_way;
    /* The owner sets it once inbox and broker are gone. Their remaining results then end the pass.
     */
    bool closed;
};

void redelivery_pass_begin(struct redelivery_pass *pass);
/* Continues when it is time. Returns when to call again; monotonic; INT64_MAX: the pass waits for a
 * result. */
int64_t redelivery_pass_tick(struct redelivery_pass *pass, int64_t now_ms);
/* Frees. Not while the pass is under way. */
void redelivery_pass_finish(struct redelivery_pass *pass);

#endif
