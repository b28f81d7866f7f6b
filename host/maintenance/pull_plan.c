/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rules of pull mode. */
#include "maintenance/pull_plan.h"

#include "base/array.h"
#include "base/clock.h"
#include "broker/broker.h"

#include <string.h>
#include <strings.h>

/* The longest pause after failures in a row. */
#define PAUSE_MAX_MS 60000
/* GitHub's clock may differ from ours by so much, and its JWT be valid: the broker corrects an
 * hour, and a JWT is valid for 10 minutes. */
#define CLOCK_OFF_MAX_MS (BROKER_SKEW_MAX_MS + 600000)
/* So many entries at the end of a page must be old. */
#define OLD_ENTRIES 10

int64_t pull_clock_ms(int64_t github_ms, int64_t wall_ms) {
    int64_t off_ms = github_ms - wall_ms;
    return off_ms <= CLOCK_OFF_MAX_MS && off_ms >= -CLOCK_OFF_MAX_MS ? github_ms : wall_ms;
}

static bool is_of_the_future(int64_t at_ms, int64_t now_ms) {
    return at_ms > now_ms + CLOCK_OFF_MAX_MS;
}

int64_t pull_since_ms(const struct inbox_pull_place *place, int64_t now_ms) {
    int64_t since_ms = place->place_ms - PULL_OVERLAP_MS;
    if (place->place_ms == 0 || since_ms < place->oldest_ms ||
        is_of_the_future(place->place_ms, now_ms)) {
        return place->oldest_ms;
    }
    return since_ms;
}

bool pull_reads_all(const struct inbox_pull_place *place, bool daily, int64_t now_ms) {
    return (daily && now_ms - place->full_ms >= PULL_FULL_INTERVAL_MS) ||
           is_of_the_future(place->full_ms, now_ms) || is_of_the_future(place->place_ms, now_ms);
}

bool pull_reads_on(const struct delivery_log_page *page, int64_t since_ms) {
    if (!page->next_url) {
        return false;
    }
    size_t n = page->n_entries < OLD_ENTRIES ? page->n_entries : OLD_ENTRIES;
    for (size_t i = page->n_entries - n; i < page->n_entries; i++) {
        if (page->entries[i].delivered_ms >= since_ms) {
            return true;
        }
    }
    return n == 0;
}

struct inbox_pull_entry pull_entry(const struct inbox_pull_place *place,
                                   const struct delivery_log_entry *listed, bool plugin_wants) {
    /* The inbox itself needs the events of installations: runs wait for them. */
    bool wanted = plugin_wants || strcmp(listed->event, "installation") == 0;
    return (struct inbox_pull_entry){
        .id = listed->id,
        .guid = listed->guid,
        .event = listed->event,
        .redelivery = listed->redelivery,
        .delivered_ms = listed->delivered_ms,
        .wanted = wanted && listed->delivered_ms >= place->oldest_ms,
        /* A redelivery from before the first start reached the host as a webhook. */
        .once = !listed->redelivery || listed->delivered_ms < place->started_ms,
    };
}

int64_t pull_newest_ms(const struct delivery_log_page *page, int64_t newest_ms) {
    for (size_t i = 0; i < page->n_entries; i++) {
        int64_t at_ms = page->entries[i].delivered_ms;
        at_ms = at_ms < page->now_ms ? at_ms : page->now_ms;
        newest_ms = at_ms > newest_ms ? at_ms : newest_ms;
    }
    return newest_ms;
}

int64_t pull_pause_ms(int64_t first_ms, unsigned earlier, int64_t interval_ms) {
    int64_t most_ms = interval_ms > PAUSE_MAX_MS ? interval_ms : PAUSE_MAX_MS;
    return clock_earliest(first_ms << (earlier < 6 ? earlier : 6), most_ms);
}

int64_t pull_retry_ms(enum pull_failure failure, int64_t attempts, int64_t age_ms,
                      int64_t retention_ms) {
    static const int64_t waits_ms[] = {10000, 60000, 300000, 600000};
    size_t last = ARRAY_LENGTH(waits_ms) - 1;
    int64_t wait_ms = waits_ms[attempts < (int64_t)last ? (size_t)attempts : last];
    switch (failure) {
    case PULL_NO_PAYLOAD:
        return attempts >= 2 && age_ms >= PULL_NO_PAYLOAD_MS ? 0 : wait_ms;
    case PULL_ERROR:
        return age_ms >= retention_ms ? 0 : wait_ms;
    default:
        return 0;
    }
}

static int64_t spare(const struct rate_quota *quota) {
    return quota->remaining - quota->limit / 10;
}

bool pull_quota_is_left(const struct rate_quota *quota, int64_t now_ms) {
    return quota->limit == 0 || quota->reset_ms <= now_ms || spare(quota) > 0;
}

int64_t pull_wait_ms(int64_t interval_ms, uint64_t requests, const struct rate_quota *quota,
                     int64_t now_ms) {
    int64_t left_ms = quota->reset_ms - now_ms;
    if (quota->limit == 0 || left_ms <= 0) {
        return interval_ms;
    }
    int64_t wait_ms = left_ms;
    if (spare(quota) > 0 && (int64_t)requests < spare(quota)) {
        wait_ms = left_ms * (int64_t)requests / spare(quota);
    }
    return wait_ms > interval_ms ? wait_ms : interval_ms;
}

static bool ends_with(const char *text, size_t bytes, const char *end) {
    size_t end_bytes = strlen(end);
    return bytes >= end_bytes && strncasecmp(text + bytes - end_bytes, end, end_bytes) == 0;
}

unsigned pull_requests_per_minute(const char *api_url) {
    const char *host = strstr(api_url, "://");
    host = host ? host + 3 : api_url;
    size_t bytes = strcspn(host, ":/");
    bool is_github =
        (bytes == strlen("api.github.com") && ends_with(host, bytes, "api.github.com")) ||
        ends_with(host, bytes, ".ghe.com");
    return is_github ? PULL_REQUESTS_PER_MINUTE : 0;
}

void pull_rate_count(struct pull_rate *rate, int64_t now_ms) {
    int64_t at_s = now_ms / 1000;
    size_t i = (size_t)(at_s % PULL_RATE_SECONDS);
    if (rate->seconds[i].at_s != at_s) {
        rate->seconds[i].at_s = at_s;
        rate->seconds[i].count = 0;
    }
    rate->seconds[i].count++;
}

int64_t pull_rate_ms(const struct pull_rate *rate, unsigned most, int64_t now_ms) {
    int64_t first_s = INT64_MAX;
    unsigned count = 0;
    for (size_t i = 0; i < PULL_RATE_SECONDS; i++) {
        int64_t at_s = rate->seconds[i].at_s;
        if (rate->seconds[i].count > 0 && at_s + PULL_RATE_SECONDS > now_ms / 1000) {
            count += rate->seconds[i].count;
            first_s = at_s < first_s ? at_s : first_s;
        }
    }
    return most == 0 || count < most ? 0 : (first_s + PULL_RATE_SECONDS) * 1000;
}
