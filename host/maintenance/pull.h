/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pull mode: the elected host reads GitHub's list of deliveries, and fetches the payloads that the
 * inbox lacks.
 *
 *   GET /app/hook/deliveries --> INBOX_PULL_NOTE --> next page ... --> INBOX_PULL_DUE -->
 *   GET .../ID --> INBOX_PUT --> next entry ...
 *      '-- no payload, or GitHub fails: INBOX_PULL_FAIL, and later again
 *
 * Every reading goes back at least 15 minutes behind the place that the store keeps, and once a day
 * as far as GitHub keeps the list. Entries that were noted wait in the store until their delivery
 * is stored, so no host that dies or loses the election skips one. The host never asks GitHub for a
 * redelivery: GitHub could not reach it. All ages are by GitHub's clock, because ours may be wrong.
 *
 * In webhook mode it only makes the store forget the place.
 *
 * Threads: the loop's thread, except pull_status(), which any thread may call. */
#ifndef SNEK_MAINTENANCE_PULL_H
#define SNEK_MAINTENANCE_PULL_H

#include "broker/broker.h"
#include "inbox/pull.h"
#include "maintenance/fetched_delivery.h"
#include "maintenance/hook_watch.h"
#include "maintenance/pull_plan.h"

#include <pthread.h>

/* Entries that are fetched between two looks into the store. */
#define PULL_BATCH 50

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
    /* Read the list to its end once a day. */
    bool reads_all;
};

/* The numbers of pull_status(). Monotonic times; 0: never. */
struct pull_report {
    bool elsewhere;
    /* The last reading failed; "": it did not. */
    struct error error;
    int64_t read_ms;
    /* The oldest entry that waits is due since then. */
    int64_t oldest_ms;
    int64_t waiting;
    uint64_t fetched, lost;
    /* The app's quota makes the interval longer; in milliseconds, 0: it does not. */
    int64_t slowed_ms;
};

struct pull {
    struct pull_options options;
    /* Something is on its way, and its result continues. */
    bool under_way;
    /* Inbox and broker are gone. */
    bool closed;
    /* The place is read from the store, since this host was elected. */
    bool begun;
    /* In webhook mode: the store has forgotten the place. */
    bool forgotten;
    struct inbox_pull_place place;

    /* The reading. */
    struct delivery_log_page *page;
    struct inbox_pull_entry *entries;
    bool full;
    int64_t since_ms, newest_ms, began_ms;
    uint64_t n_pages, n_listed;

    /* The entries to fetch; `next` is the one whose turn it is. */
    struct inbox_pull_waiting waiting[PULL_BATCH];
    size_t n_waiting, next;
    struct fetched_delivery fetched;

    struct hook_watch hook;
    /* The last reading found nothing. */
    bool list_is_empty;
    /* The last reading failed, so what is due is fetched before the list is read again. */
    bool fetches_first;

    struct broker_request request;
    struct inbox_pull_begin begin;
    struct inbox_pull_note note;
    struct inbox_pull_due due;
    struct inbox_pull_fail fail;
    struct inbox_operation forget;
    char *url;

    /* Monotonic. */
    int64_t next_reading_ms, next_due_ms, paused_until_ms;
    /* Failures in a row. */
    unsigned n_failures;
    /* GitHub's clock less the monotonic one. */
    int64_t github_offset_ms;
    struct pull_quota quota;

    /* Protects the report. */
    pthread_mutex_t lock;
    struct pull_report report;
};

void pull_init(struct pull *pull, const struct pull_options *options);

/* Does what is due. Returns when to call again; monotonic; INT64_MAX: a result comes first. A host
 * that is not `elected` starts nothing. */
int64_t pull_tick(struct pull *pull, bool elected, int64_t now_ms);

/* Appends `"pull":{...}`, in webhook mode with the state "off". 0, or -1 if it did not fit. */
int pull_status(struct pull *pull, struct buffer *json);

/* Inbox and broker are gone: results that still arrive change nothing. */
void pull_close(struct pull *pull);
/* After the last result has arrived. */
void pull_finish(struct pull *pull);

#endif
