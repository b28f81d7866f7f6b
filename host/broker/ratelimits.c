/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The places (one for each installation), their queues and what they learn from answers. */
#include "broker/ratelimits.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "broker/answer.h"
#include "metrics/metrics.h"

#include <snekomatic/types.h>

#include <search.h>
#include <stdio.h>
#include <string.h>

#define RESET_MARGIN_MS 1000      /* GitHub's reset is in whole seconds */
#define SECONDARY_FIRST_MS 60000  /* "wait for at least one minute" … */
#define SECONDARY_LAST_MS 3600000 /* … and an exponentially increasing time */
#define WAIT_MAX_MS 86400000      /* whatever GitHub says */
#define PRIMARY_MAX_MS 3700000    /* its quotas are of an hour, or of less */
#define RETRY_LEAST_MS 1000       /* not at once, though it says so */
#define SAME_NEWS_MS 500          /* ends of a wait that differ by less are one end */
#define LOOK_AGAIN_MS 10000       /* how old what the store says may be */
#define SPREAD_BELOW 2            /* searches are spread when less than one in so many is left */
#define BEHIND_MAX_MS 600000      /* how far ahead a crowd that is put off is spread */

static const char *const bucket_names[BUCKETS] = {
    [BUCKET_ALL] = "all", [BUCKET_SEARCH] = "search", [BUCKET_GRAPHQL] = "graphql"};
static const enum inbox_rate_limit_resource kept_as[BUCKETS] = {
    [BUCKET_ALL] = INBOX_RATE_LIMIT_ALL,
    [BUCKET_SEARCH] = INBOX_RATE_LIMIT_SEARCH,
    [BUCKET_GRAPHQL] = INBOX_RATE_LIMIT_GRAPHQL};

static const char of_the_app[] = "app";

TAILQ_HEAD(place_list, limits_place);

struct limits_place {
    char installation[INBOX_NAME_MAX + 1]; /* the key */
    struct limits *limits;
    struct turns queue; /* of limits_waiter.turn */
    unsigned queued, under_way;
    bool serving;
    bool writing;                /* one was admitted to write and is not sent yet */
    int64_t until_ms[BUCKETS];   /* monotonic, as all of these: a limit's end */
    bool of_the_app;             /* that of all is not this installation's own */
    int64_t write_ms, notify_ms; /* the next may leave then */
    int64_t search_ms;
    int64_t behind_ms;    /* where the crowd that was put off ends */
    unsigned secondaries; /* in a row */
    int64_t looked_at_ms; /* into the store; 0 never */
    struct inbox_rate_limit get, put;
    bool getting, putting, put_again;
    TAILQ_ENTRY(limits_place) link;
    TAILQ_ENTRY(limits_place) queue_link;
};

struct limits {
    struct limits_options options;
    void *tree;               /* of tsearch(), by installation */
    struct place_list by_use; /* the last used first */
    struct place_list queues; /* those in which someone waits */
    unsigned count, with_inbox;
    bool draining;
};

/* ---- places ---- */

static int compare_places(const void *a, const void *b) {
    return strcmp(((const struct limits_place *)a)->installation,
                  ((const struct limits_place *)b)->installation);
}

struct limits *limits_new(const struct limits_options *options) {
    struct limits *limits = calloc(1, sizeof *limits);
    if (limits) {
        limits->options = *options;
        TAILQ_INIT(&limits->by_use);
        TAILQ_INIT(&limits->queues);
    }
    return limits;
}

static void remove_place(struct limits_place *place) {
    struct limits *limits = place->limits;
    (void)tdelete(place, &limits->tree, compare_places);
    TAILQ_REMOVE(&limits->by_use, place, link);
    limits->count--;
    free(place);
}

void limits_free(struct limits *limits) {
    if (limits) {
        struct limits_place *place;
        while ((place = TAILQ_FIRST(&limits->by_use))) {
            remove_place(place);
        }
        free(limits);
    }
}

static bool is_needed(const struct limits_place *place, int64_t now_ms) {
    bool waits = place->write_ms > now_ms || place->notify_ms > now_ms;
    for (int i = 0; i < BUCKETS; i++) {
        waits = waits || place->until_ms[i] > now_ms;
    }
    return waits || place->serving || place->queued > 0 || place->under_way > 0 || place->getting ||
           place->putting;
}

static void make_room(struct limits *limits) {
    int64_t now_ms = clock_monotonic_ms();
    struct limits_place *place = TAILQ_LAST(&limits->by_use, place_list);
    while (place && limits->count >= LIMITS_KEPT) {
        struct limits_place *before = TAILQ_PREV(place, place_list, link);
        if (!is_needed(place, now_ms)) {
            remove_place(place);
        }
        place = before;
    }
}

static struct limits_place *find_place(struct limits *limits, const char *installation) {
    struct limits_place key;
    (void)snprintf(key.installation, sizeof key.installation, "%s", installation);
    struct limits_place **found = tfind(&key, &limits->tree, compare_places);
    if (found) {
        TAILQ_REMOVE(&limits->by_use, *found, link);
        TAILQ_INSERT_HEAD(&limits->by_use, *found, link);
        return *found;
    }
    make_room(limits);
    struct limits_place *place = calloc(1, sizeof *place);
    if (!place) {
        return NULL;
    }
    memcpy(place->installation, key.installation, sizeof place->installation);
    place->limits = limits;
    turns_init(&place->queue);
    if (!tsearch(place, &limits->tree, compare_places)) {
        free(place);
        return NULL;
    }
    TAILQ_INSERT_HEAD(&limits->by_use, place, link);
    limits->count++;
    return place;
}

/* ---- when may who go ---- */

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static struct limits_waiter *of_turn(struct turn *turn) {
    return CONTAINER_OF(turn, struct limits_waiter, turn);
}

/* Whose time starts when the last of its kind was sent. */
struct pace {
    int64_t write_ms, notify_ms, search_ms;
};

/* When the waiter may leave, as far as the limits and the pace go, and `pace` after it. */
static int64_t when(const struct limits_place *place, const struct limits_waiter *waiter,
                    struct pace *pace, int64_t now_ms) {
    const struct limits_options *options = &place->limits->options;
    const struct request_kind *kind = &waiter->kind;
    int64_t at_ms =
        later(now_ms, later(place->until_ms[BUCKET_ALL], place->until_ms[kind->bucket]));
    if (kind->bucket == BUCKET_SEARCH) {
        at_ms = later(at_ms, pace->search_ms);
    }
    if (kind->pace >= PACE_WRITE) {
        at_ms = later(at_ms, pace->write_ms);
        pace->write_ms = at_ms + options->write_interval_ms;
    }
    if (kind->pace == PACE_NOTIFY) {
        at_ms = later(at_ms, pace->notify_ms);
        pace->write_ms = at_ms + options->write_interval_ms;
        pace->notify_ms = at_ms + options->notify_interval_ms;
    }
    return at_ms;
}

static struct pace pace_of(const struct limits_place *place) {
    return (struct pace){place->write_ms, place->notify_ms, place->search_ms};
}

static void stop_waiting(struct limits_waiter *waiter, int64_t now_ms) {
    struct limits_place *place = waiter->place;
    turns_remove(&place->queue, &waiter->turn);
    if (--place->queued == 0) {
        TAILQ_REMOVE(&place->limits->queues, place, queue_link);
    }
    int64_t since_ms = atomic_exchange(&waiter->waited->since_ms, 0);
    (void)atomic_fetch_add(&waiter->waited->total_ms, now_ms - since_ms);
    metrics_waited(now_ms - since_ms);
}

static void put_off(struct limits_waiter *waiter, int64_t at_ms, int64_t now_ms, const char *why) {
    char sentence[200];
    int64_t wait_ms = at_ms - now_ms;
    (void)snprintf(sentence, sizeof sentence, "%s: to be tried again in %lld s", why,
                   (long long)((wait_ms + 999) / 1000));
    stop_waiting(waiter, now_ms);
    metrics_put_off();
    waiter->place = NULL;
    waiter->put_off(waiter, clock_wall_ms() + wait_ms, sentence);
}

static const char *why_of(const struct limits_place *place, const struct limits_waiter *waiter,
                          int64_t now_ms) {
    bool app = place->of_the_app || strcmp(place->installation, LIMITS_APP) == 0;
    if (place->until_ms[BUCKET_ALL] > now_ms || place->until_ms[waiter->kind.bucket] > now_ms) {
        return app ? "GitHub's rate limit for the app itself is reached"
                   : "GitHub's rate limit for this installation is reached";
    }
    return app ? "other requests as the app are paced before it"
               : "other requests of this installation are paced before it";
}

/* A crowd is put off to the times at which its members can go, one after the other. */
static int64_t place_in_crowd(struct limits_place *place, const struct limits_waiter *waiter,
                              int64_t at_ms, int64_t now_ms) {
    const struct limits_options *options = &place->limits->options;
    if (waiter->kind.pace == PACE_NONE) {
        return at_ms;
    }
    at_ms = later(at_ms, place->behind_ms);
    if (at_ms - now_ms < BEHIND_MAX_MS) {
        place->behind_ms = at_ms + (waiter->kind.pace == PACE_NOTIFY ? options->notify_interval_ms
                                                                     : options->write_interval_ms);
    }
    return at_ms;
}

static void admit(struct limits_waiter *waiter, int64_t now_ms) {
    struct limits_place *place = waiter->place;
    turns_take(&place->queue, &waiter->turn);
    stop_waiting(waiter, now_ms);
    place->under_way++;
    waiter->unsent = waiter->kind.pace != PACE_NONE;
    place->writing = place->writing || waiter->unsent;
    waiter->admitted(waiter);
}

/* The first in the queue that may go now; NULL none. */
static struct limits_waiter *first_ready(struct limits_place *place, int64_t now_ms) {
    struct turn *turn;
    if (place->getting || place->under_way >= LIMITS_IN_FLIGHT_MAX) {
        return NULL;
    }
    TAILQ_FOREACH(turn, &place->queue.list, link) {
        struct limits_waiter *waiter = of_turn(turn);
        struct pace pace = pace_of(place);
        bool writes = waiter->kind.pace != PACE_NONE;
        if (!(writes && place->writing) && when(place, waiter, &pace, now_ms) <= now_ms) {
            return waiter;
        }
    }
    return NULL;
}

/* The first that would have to wait for too long, and until when; NULL none. */
static struct limits_waiter *first_too_long(struct limits_place *place, int64_t now_ms,
                                            int64_t *at_ms) {
    struct pace pace = pace_of(place);
    struct turn *turn;
    if (place->getting && !place->limits->draining) {
        return NULL;
    }
    TAILQ_FOREACH(turn, &place->queue.list, link) {
        struct limits_waiter *waiter = of_turn(turn);
        *at_ms = when(place, waiter, &pace, now_ms);
        if (*at_ms - now_ms > waiter->hold_ms || place->limits->draining) {
            return waiter;
        }
    }
    return NULL;
}

/* Lets go who may, puts off who would wait too long. What these do may lead here again. */
static void serve(struct limits_place *place) {
    if (place->serving) {
        return; /* the loop below sees it */
    }
    place->serving = true;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms(), at_ms = 0;
        struct limits_waiter *waiter = first_ready(place, now_ms);
        if (waiter) {
            admit(waiter, now_ms);
            continue;
        }
        waiter = first_too_long(place, now_ms, &at_ms);
        if (!waiter) {
            break;
        }
        const char *why =
            place->limits->draining ? "the host stops" : why_of(place, waiter, now_ms);
        put_off(waiter, place_in_crowd(place, waiter, at_ms, now_ms), now_ms, why);
    }
    place->serving = false;
}

/* ---- the store ---- */

static void begin_with_inbox(struct limits_place *place, struct inbox_rate_limit *wait,
                             enum inbox_kind kind, void (*done)(struct inbox_operation *)) {
    struct limits *limits = place->limits;
    wait->operation = (struct inbox_operation){
        .kind = kind, .reply_to = limits->options.mailbox, .on_result = done};
    wait->installation = place->installation;
    limits->with_inbox++;
    inbox_submit(limits->options.inbox, &wait->operation);
}

static void got(struct inbox_operation *operation) {
    struct inbox_rate_limit *wait = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    struct limits_place *place = CONTAINER_OF(wait, struct limits_place, get);
    int64_t now_ms = clock_monotonic_ms(), wall_ms = clock_wall_ms();
    place->limits->with_inbox--;
    place->getting = false;
    place->looked_at_ms = now_ms;
    if (operation->result < 0) { /* the store's trouble holds up no request */
        log_event(SNEK_LEVEL_WARNING, "waits_unknown",
                  LOG_TEXT("installation", place->installation),
                  LOG_TEXT("reason", operation->error.text));
    }
    for (int i = 0; operation->result == 0 && i < BUCKETS; i++) {
        int64_t left_ms = wait->until_ms[kept_as[i]] - wall_ms;
        if (left_ms > 0) { /* bounded: the wall clock may have been set meanwhile */
            left_ms = left_ms > WAIT_MAX_MS ? WAIT_MAX_MS : left_ms;
            place->until_ms[i] = later(place->until_ms[i], now_ms + left_ms);
        }
    }
    serve(place);
}

/* What another host, or this one before its restart, has learnt. */
static void look(struct limits_place *place, int64_t now_ms) {
    bool old = place->looked_at_ms == 0 || now_ms - place->looked_at_ms > LOOK_AGAIN_MS;
    if (old && place->limits->options.inbox && !place->getting && !place->limits->draining) {
        place->getting = true;
        begin_with_inbox(place, &place->get, INBOX_RATE_LIMIT_GET, got);
    }
}

static void keep(struct limits_place *place);

static void kept(struct inbox_operation *operation) {
    struct inbox_rate_limit *wait = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    struct limits_place *place = CONTAINER_OF(wait, struct limits_place, put);
    place->limits->with_inbox--;
    place->putting = false;
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_WARNING, "wait_not_kept",
                  LOG_TEXT("installation", place->installation),
                  LOG_TEXT("reason", operation->error.text));
    }
    if (place->put_again) {
        keep(place);
    }
}

static void keep(struct limits_place *place) {
    if (!place->limits->options.inbox) {
        return;
    }
    place->put_again = place->putting;
    if (place->putting) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms(), wall_ms = clock_wall_ms();
    for (int i = 0; i < BUCKETS; i++) {
        int64_t left_ms = place->until_ms[i] - now_ms;
        place->put.until_ms[kept_as[i]] = left_ms > 0 ? wall_ms + left_ms : 0;
    }
    place->putting = true;
    begin_with_inbox(place, &place->put, INBOX_RATE_LIMIT_PUT, kept);
}

bool limits_idle(const struct limits *limits) {
    return limits->with_inbox == 0;
}

/* ---- what answers tell ---- */

/* A header that is a number, not negative; -1 when there is none. */
static int64_t header_number(const struct buffer *headers, const char *name) {
    size_t bytes;
    char text[24], *end;
    const char *value = answer_header(headers, name, &bytes);
    if (!value || bytes == 0 || bytes >= sizeof text || *value < '0' || *value > '9') {
        return -1;
    }
    memcpy(text, value, bytes);
    text[bytes] = '\0';
    long long number = strtoll(text, &end, 10);
    return *end == '\0' ? number : -1;
}

/* The quota that the answer speaks of. BUCKETS: one of those that GitHub has for single endpoints
 * (code scanning's uploads, SCIM), which says nothing of other requests. */
static enum request_bucket bucket_of(const struct limits_waiter *waiter,
                                     const struct buffer *headers) {
    size_t bytes;
    const char *resource = answer_header(headers, "x-ratelimit-resource", &bytes);
    if (!resource) {
        return waiter->kind.bucket;
    }
    return bytes == 4 && memcmp(resource, "core", 4) == 0                 ? BUCKET_ALL
           : bytes == 7 && memcmp(resource, "graphql", 7) == 0            ? BUCKET_GRAPHQL
           : bytes >= 6 && memcmp(resource + bytes - 6, "search", 6) == 0 ? BUCKET_SEARCH
                                                                          : BUCKETS;
}

/* Until GitHub's clock shows so many seconds, within the bounds. */
static int64_t until_there_ms(const struct limits *limits, int64_t there_s, int64_t least_ms,
                              int64_t most_ms) {
    int64_t now_ms = clock_wall_ms() + transport_skew_s(limits->options.transport) * 1000;
    return there_s > (now_ms + most_ms) / 1000 ? most_ms : later(there_s * 1000 - now_ms, least_ms);
}

/* Until GitHub's reset; -1 when it named none. */
static int64_t until_reset_ms(const struct limits *limits, const struct buffer *headers) {
    int64_t reset_s = header_number(headers, "x-ratelimit-reset");
    return reset_s < 0 ? -1 : until_there_ms(limits, reset_s, 0, PRIMARY_MAX_MS) + RESET_MARGIN_MS;
}

/* What Retry-After says, in seconds or as a date; -1 when it says nothing. */
static int64_t retry_after_ms(const struct limits *limits, const struct buffer *headers) {
    size_t bytes;
    char text[64];
    const char *value = answer_header(headers, "retry-after", &bytes);
    int64_t wait_s = header_number(headers, "retry-after");
    if (wait_s >= 0) {
        return wait_s > WAIT_MAX_MS / 1000 ? WAIT_MAX_MS : later(wait_s * 1000, RETRY_LEAST_MS);
    }
    if (!value || bytes >= sizeof text) {
        return -1;
    }
    memcpy(text, value, bytes);
    text[bytes] = '\0';
    int64_t then_s = (int64_t)curl_getdate(text, NULL);
    return then_s < 0 ? -1 : until_there_ms(limits, then_s, RETRY_LEAST_MS, WAIT_MAX_MS);
}

static void begin_wait(struct limits_place *place, enum request_bucket bucket, int64_t wait_ms,
                       const char *which) {
    int64_t now_ms = clock_monotonic_ms();
    wait_ms = wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms;
    if (now_ms + wait_ms <= place->until_ms[bucket] + SAME_NEWS_MS) {
        return; /* the news of one that was under way with others */
    }
    place->until_ms[bucket] = now_ms + wait_ms;
    place->of_the_app = which == of_the_app;
    if (which != of_the_app) { /* it was counted there */
        metrics_rate_limited(which);
    }
    log_event(SNEK_LEVEL_WARNING, "rate_limited", LOG_TEXT("installation", place->installation),
              LOG_TEXT("limit", which), LOG_TEXT("bucket", bucket_names[bucket]),
              LOG_NUMBER("wait_ms", wait_ms));
    keep(place);
}

static int64_t secondary_wait_ms(struct limits_place *place) {
    int64_t wait_ms = SECONDARY_FIRST_MS;
    int64_t left_ms = place->until_ms[BUCKET_ALL] - clock_monotonic_ms();
    if (left_ms > 0) {
        return left_ms; /* the news of one that was under way with others */
    }
    for (unsigned i = 0; i < place->secondaries && wait_ms < SECONDARY_LAST_MS; i++) {
        wait_ms *= 2;
    }
    place->secondaries++;
    return wait_ms > SECONDARY_LAST_MS ? SECONDARY_LAST_MS : wait_ms;
}

/* A few searches may go at once; the rest of the minute's thirty are spread over it. */
static void pace_searches(struct limits_place *place, const struct buffer *headers) {
    int64_t limit = header_number(headers, "x-ratelimit-limit");
    int64_t left = header_number(headers, "x-ratelimit-remaining");
    int64_t reset_ms = until_reset_ms(place->limits, headers);
    if (limit > 0 && left > 0 && left < limit / SPREAD_BELOW && reset_ms > 0) {
        place->search_ms = clock_monotonic_ms() + reset_ms / left;
    }
}

static void count_limit(const struct limits_place *place, enum request_bucket bucket,
                        const struct buffer *headers, int64_t left) {
    int64_t limit = header_number(headers, "x-ratelimit-limit");
    if (bucket < BUCKETS && limit >= 0 && left >= 0) {
        metrics_rate_limit(place->installation, bucket_names[bucket], limit, left);
    }
}

/* True when the answer is nothing but the news of a limit. */
static bool learn(struct limits_place *place, const struct limits_waiter *waiter,
                  const struct exchange *exchange) {
    const struct buffer *headers = &exchange->headers;
    enum request_bucket bucket = bucket_of(waiter, headers);
    int64_t left = header_number(headers, "x-ratelimit-remaining");
    int64_t reset_ms = until_reset_ms(place->limits, headers);
    int64_t retry_ms = retry_after_ms(place->limits, headers);
    bool rejected = exchange->outcome == SNEK_E_RATE_LIMITED;
    count_limit(place, bucket, headers, left);
    if ((rejected || exchange->status >= 500) && retry_ms >= 0) {
        begin_wait(place, BUCKET_ALL, retry_ms, "secondary");
    } else if (left == 0 && reset_ms >= 0 && (bucket < BUCKETS || rejected)) {
        begin_wait(place, bucket < BUCKETS ? bucket : BUCKET_ALL, reset_ms, "primary");
    } else if (rejected) {
        begin_wait(place, BUCKET_ALL, secondary_wait_ms(place), "secondary");
    } else {
        place->secondaries = exchange->outcome == 0 ? 0 : place->secondaries;
        if (bucket == BUCKET_SEARCH) {
            pace_searches(place, headers);
        }
    }
    return rejected;
}

/* ---- the way of a waiter ---- */

void limits_enter(struct limits *limits, struct limits_waiter *waiter) {
    int64_t now_ms = clock_monotonic_ms();
    struct limits_place *place = find_place(limits, waiter->installation);
    if (!place) {
        waiter->put_off(waiter, clock_wall_ms() + LIMITS_HOLD_MS, "the host is out of memory");
        return;
    }
    waiter->place = place;
    atomic_store(&waiter->waited->since_ms, now_ms);
    turns_add(&place->queue, &waiter->turn);
    if (place->queued++ == 0) {
        TAILQ_INSERT_TAIL(&limits->queues, place, queue_link);
    }
    look(place, now_ms);
    serve(place);
}

void limits_sent(struct limits *limits, struct limits_waiter *waiter) {
    struct limits_place *place = waiter->place;
    int64_t now_ms = clock_monotonic_ms();
    if (!waiter->unsent) {
        return;
    }
    waiter->unsent = false;
    place->writing = false;
    place->write_ms = now_ms + limits->options.write_interval_ms;
    if (waiter->kind.pace == PACE_NOTIFY) {
        place->notify_ms = now_ms + limits->options.notify_interval_ms;
    }
}

bool limits_leave(struct limits *limits, struct limits_waiter *waiter,
                  const struct exchange *exchange) {
    struct limits_place *place = waiter->place;
    (void)limits;
    if (!place) {
        return false;
    }
    waiter->place = NULL;
    place->under_way--;
    if (waiter->unsent) {
        waiter->unsent = false;
        place->writing = false;
    }
    bool rejected = exchange && exchange->status > 0 && learn(place, waiter, exchange);
    serve(place);
    return rejected;
}

void limits_hold(struct limits *limits, struct limits_waiter *waiter, int64_t until_ms) {
    struct limits_place *place = waiter->place;
    /* Later by what the news of one wait may differ, so that the app's is over before. */
    int64_t wait_ms = later(until_ms - clock_wall_ms(), 0) + SAME_NEWS_MS + 1;
    (void)limits_leave(limits, waiter, NULL);
    if (place) {
        begin_wait(place, BUCKET_ALL, wait_ms, of_the_app);
        serve(place);
    }
}

void limits_forget(struct limits *limits, struct limits_waiter *waiter) {
    if (waiter->place && waiter->turn.queued) {
        stop_waiting(waiter, clock_monotonic_ms());
        waiter->place = NULL;
    } else {
        (void)limits_leave(limits, waiter, NULL);
    }
}

/* ---- time ---- */

static int64_t next_ms(const struct limits_place *place, int64_t now_ms) {
    int64_t first_ms = INT64_MAX;
    struct turn *turn;
    if (place->getting || place->under_way >= LIMITS_IN_FLIGHT_MAX) {
        return INT64_MAX; /* an answer comes first */
    }
    TAILQ_FOREACH(turn, &place->queue.list, link) {
        struct limits_waiter *waiter = of_turn(turn);
        struct pace pace = pace_of(place);
        if (waiter->kind.pace == PACE_NONE || !place->writing) {
            int64_t at_ms = when(place, waiter, &pace, now_ms);
            first_ms = at_ms < first_ms ? at_ms : first_ms;
        }
    }
    return first_ms;
}

int limits_wait_ms(const struct limits *limits, int most_ms) {
    int64_t now_ms = clock_monotonic_ms(), wait_ms = most_ms;
    const struct limits_place *place;
    TAILQ_FOREACH(place, &limits->queues, queue_link) {
        int64_t at_ms = next_ms(place, now_ms);
        wait_ms = at_ms - now_ms < wait_ms ? at_ms - now_ms : wait_ms;
    }
    return wait_ms < 0 ? 0 : (int)wait_ms;
}

void limits_handle(struct limits *limits) {
    struct limits_place *place, *next;
    for (place = TAILQ_FIRST(&limits->queues); place; place = next) {
        next = TAILQ_NEXT(place, queue_link); /* serving one empties no other */
        serve(place);
    }
}

void limits_drain(struct limits *limits) {
    limits->draining = true;
    limits_handle(limits);
}
