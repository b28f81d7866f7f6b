/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rules of pull mode as functions without state: how far back a reading goes, which entries are
 * fetched, and when the host tries again. Any thread. Times are in milliseconds. */
#ifndef SNEK_MAINTENANCE_PULL_PLAN_H
#define SNEK_MAINTENANCE_PULL_PLAN_H

#include "broker/rate_quota.h"
#include "inbox/pull.h"
#include "maintenance/delivery_log.h"

/* Each reading goes so far back behind the place, because entries may appear late and out of order.
 */
#define PULL_OVERLAP_MS 900000
/* So often a reading goes as far as GitHub keeps the list. */
#define PULL_FULL_INTERVAL_MS 86400000
/* A payload that GitHub does not have may still appear for so long. */
#define PULL_NO_PAYLOAD_MS 900000

/* GitHub's clock by its Date, or ours if the Date is so far off that no JWT of ours could have been
 * accepted: then something between us and GitHub made it, and it must not decide what is old. */
int64_t pull_clock_ms(int64_t github_ms, int64_t wall_ms);

/* By GitHub's clock, which is `now_ms`: a reading goes back to here. */
int64_t pull_since_ms(const struct inbox_pull_place *place, int64_t now_ms);

/* Must the reading go as far as GitHub keeps the list? Once a day if `daily`, and always if the
 * place is one that an earlier GitHub's clock set into the future. */
bool pull_reads_all(const struct inbox_pull_place *place, bool daily, int64_t now_ms);

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

/* How long to pause after `earlier` pauses in a row: `first_ms` doubles with each, up to a minute
 * or to `interval_ms` if that is longer. */
int64_t pull_pause_ms(int64_t first_ms, unsigned earlier, int64_t interval_ms);

/* The app's quota, with its reset by GitHub's clock: a tenth of the limit is for tokens. False:
 * wait until the reset. */
bool pull_quota_is_left(const struct rate_quota *quota, int64_t now_ms);

/* How long to wait for the next reading if each one costs `requests`: `interval_ms`, or longer so
 * that the quota lasts until its reset. */
int64_t pull_wait_ms(int64_t interval_ms, uint64_t requests, const struct rate_quota *quota,
                     int64_t now_ms);

/* GitHub allows 900 points a minute for requests of REST, and counts one for each that reads. The
 * rest is for tokens.
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
#define PULL_REQUESTS_PER_MINUTE 800
/* So many of GitHub.com's and GHE.com's; 0 for Enterprise Server, whose operator sets limits. */
unsigned pull_requests_per_minute(const char *api_url);

/* The requests of the last minute. Zeroed: none. Monotonic times. */
#define PULL_RATE_SECONDS 61
struct pull_rate {
    struct {
        int64_t at_s;
        unsigned count;
    } seconds[PULL_RATE_SECONDS];
};

void pull_rate_count(struct pull_rate *rate, int64_t now_ms);
/* When the next request may leave so that `most` leave in any minute; 0: now. most 0: always. */
int64_t pull_rate_ms(const struct pull_rate *rate, unsigned most, int64_t now_ms);

#endif
