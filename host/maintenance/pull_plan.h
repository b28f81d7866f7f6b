/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rules of pull mode as functions without state: how far back a reading goes, which entries are
 * fetched, and when the host tries again. Any thread. Times are in milliseconds. */
#ifndef SNEK_MAINTENANCE_PULL_PLAN_H
#define SNEK_MAINTENANCE_PULL_PLAN_H

#include "inbox/pull.h"
#include "maintenance/delivery_log.h"

/* Each reading goes so far back behind the place, because entries may appear late and out of order.
 */
#define PULL_OVERLAP_MS 900000
/* So often a reading goes as far as GitHub keeps the list. */
#define PULL_FULL_INTERVAL_MS 86400000
/* A payload that GitHub does not have may still appear for so long. */
#define PULL_NO_PAYLOAD_MS 900000

/* By GitHub's clock: a reading goes back to here. */
int64_t pull_since_ms(const struct inbox_pull_place *place);

/* Must the reading go on with the next page? Not if the last entries of this page are all older
 * than `since_ms`: one of them alone may be out of order. */
bool pull_reads_on(const struct delivery_log_page *page, int64_t since_ms);

/* The entry for the store. `plugin_wants`: a plugin subscribes to it. */
struct inbox_pull_entry pull_entry(const struct inbox_pull_place *place,
                                   const struct delivery_log_entry *listed, bool plugin_wants);

/* The newest time of the page's entries, or `newest_ms` if that is newer. A time after GitHub's own
 * clock counts as the time of that clock, so that a wrong entry hides no other one. */
int64_t pull_newest_ms(const struct delivery_log_page *page, int64_t newest_ms);

enum pull_failure {
    /* GitHub has no payload (yet). */
    PULL_NO_PAYLOAD,
    /* GitHub or the way to it fails. */
    PULL_ERROR,
    /* The payload is malformed or too large. */
    PULL_UNUSABLE,
};

/* How long to wait for the next attempt after `attempts` failed ones, of an entry of this age. 0:
 * it is given up, because GitHub keeps an entry for `retention_ms`. */
int64_t pull_retry_ms(enum pull_failure failure, int64_t attempts, int64_t age_ms,
                      int64_t retention_ms);

/* GitHub's primary rate limit of the app, as its last response says. */
struct pull_quota {
    /* Requests; limit 0: not known. */
    int64_t limit, remaining;
    /* By GitHub's clock. */
    int64_t reset_ms;
};

/* A tenth of the limit is for tokens. False: wait until the reset. */
bool pull_quota_is_left(const struct pull_quota *quota, int64_t now_ms);

/* How long to wait for the next reading if each one costs `requests`: `interval_ms`, or longer so
 * that the quota lasts until its reset. */
int64_t pull_wait_ms(int64_t interval_ms, uint64_t requests, const struct pull_quota *quota,
                     int64_t now_ms);

#endif
