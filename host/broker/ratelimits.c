/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of each installation: its queue, its limits, its pace, and what responses say about
 * them. */
#include "broker/ratelimits.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/lru_map.h"
#include "base/mailbox.h"
#include "broker/rate_headers.h"
#include "metrics/metrics.h"

#include <snekomatic/types.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* "wait for at least one minute" … */
#define SECONDARY_FIRST_MS 60000
/* … and an exponentially increasing time. */
#define SECONDARY_LAST_MS 3600000
/* Ends of a wait that differ by less are one end. */
#define SAME_WAIT_MS 500
#define STORE_READ_MAX_AGE_MS 10000
/* The same while a limit lasts: an operator may have ended it (`installations release`). */
#define LIMITED_READ_MAX_AGE_MS 2000
/* Searches are spread when less than one in so many is left. */
#define SPREAD_BELOW 2
/* How far ahead a crowd that is deferred is spread. */
#define CROWD_MAX_MS 600000

static const char *const resource_names[RESOURCES] = {
    [RESOURCE_CORE] = "core", [RESOURCE_SEARCH] = "search", [RESOURCE_GRAPHQL] = "graphql"};
static const enum inbox_rate_limit_resource stored_as[RESOURCES] = {
    [RESOURCE_CORE] = INBOX_RATE_LIMIT_ALL,
    [RESOURCE_SEARCH] = INBOX_RATE_LIMIT_SEARCH,
    [RESOURCE_GRAPHQL] = INBOX_RATE_LIMIT_GRAPHQL};

static const char limit_of_app[] = "app";

TAILQ_HEAD(installation_list, installation_limits);

/* Times are monotonic. */
struct installation_limits {
    struct lru_entry lru;
    char installation[INBOX_NAME_MAX + 1];
    struct limits *limits;
    /* Its entries are limits_waiter.entry. */
    struct fair_queue queue;
    struct plugin_shares shares;
    unsigned queued, in_flight;
    bool serving;
    /* One was admitted to write and is not sent yet. */
    bool writing;
    /* The end of each resource's limit. */
    int64_t until_ms[RESOURCES];
    /* The core limit is the app's, not this installation's own. */
    bool limited_by_app;
    /* The next of its kind may leave then. */
    int64_t write_ms, notify_ms, search_ms;
    /* The end of the crowd that was deferred. */
    int64_t crowd_ms;
    /* Secondary limits in a row. */
    unsigned secondaries;
    /* When the store was read; 0: never. */
    int64_t store_read_ms;
    /* The store's released_ms as it was read last; wall. */
    int64_t released_ms;
    struct inbox_rate_limit get, put;
    bool getting, putting, put_again;
    TAILQ_ENTRY(installation_limits) queue_link;
};

struct limits {
    struct limits_options options;
    /* By installation. */
    struct lru_map map;
    /* Those in which a request waits. */
    struct installation_list queues;
    unsigned with_inbox;
    bool draining;
};

/* ---- the installations ---- */

static bool is_needed(const struct lru_entry *lru, void *context) {
    (void)context;
    const struct installation_limits *state =
        CONTAINER_OF(lru, const struct installation_limits, lru);
    int64_t now_ms = clock_monotonic_ms();
    bool waits = state->write_ms > now_ms || state->notify_ms > now_ms;
    for (int i = 0; i < RESOURCES; i++) {
        waits = waits || state->until_ms[i] > now_ms;
    }
    return waits || state->serving || state->queued > 0 || state->in_flight > 0 || state->getting ||
           state->putting;
}

static void on_evict(struct lru_entry *lru, void *context) {
    (void)context;
    struct installation_limits *state = CONTAINER_OF(lru, struct installation_limits, lru);
    plugin_shares_finish(&state->shares);
    free(state);
}

struct limits *limits_new(const struct limits_options *options) {
    struct limits *limits = calloc(1, sizeof *limits);
    if (limits) {
        limits->options = *options;
        TAILQ_INIT(&limits->queues);
        lru_map_init(&limits->map, &(struct lru_map_options){.entries_max = LIMITS_MAX,
                                                             .is_in_use = is_needed,
                                                             .on_evict = on_evict});
    }
    return limits;
}

void limits_free(struct limits *limits) {
    if (limits) {
        assert(limits_idle(limits));
        lru_map_finish(&limits->map);
        free(limits);
    }
}

/* NULL: no memory. */
static struct installation_limits *find_installation(struct limits *limits,
                                                     const char *installation) {
    struct lru_entry *found = lru_map_find(&limits->map, installation, strlen(installation));
    if (found) {
        return CONTAINER_OF(found, struct installation_limits, lru);
    }
    struct installation_limits *state = calloc(1, sizeof *state);
    if (!state) {
        return NULL;
    }
    snprintf(state->installation, sizeof state->installation, "%s", installation);
    state->limits = limits;
    fair_queue_init(&state->queue);
    plugin_shares_init(&state->shares);
    if (lru_map_put(&limits->map, &state->lru, installation, strlen(installation), 0) < 0) {
        free(state);
        return NULL;
    }
    return state;
}

/* ---- admission times ---- */

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static struct limits_waiter *waiter_of(struct fair_queue_entry *entry) {
    return CONTAINER_OF(entry, struct limits_waiter, entry);
}

/* The next request of each kind may leave then. */
struct pace {
    int64_t write_ms, notify_ms, search_ms;
};

static struct pace pace_of(const struct installation_limits *state) {
    return (struct pace){state->write_ms, state->notify_ms, state->search_ms};
}

/* The time at which the limits and the pace let the waiter leave. Advances `pace` past it. */
static int64_t admission_ms(const struct installation_limits *state,
                            const struct limits_waiter *waiter, struct pace *pace, int64_t now_ms) {
    const struct limits_options *options = &state->limits->options;
    const struct request_class *class = &waiter->class;
    int64_t at_ms = later(now_ms, state->until_ms[RESOURCE_CORE]);
    at_ms = later(at_ms, state->until_ms[class->resource]);
    at_ms = later(at_ms, plugin_share_reserve_ms(&state->shares, waiter->share, class->resource,
                                                 waiter->leaves_reserve, now_ms));
    if (class->resource == RESOURCE_SEARCH) {
        at_ms = later(at_ms, pace->search_ms);
    }
    if (class->pace >= PACE_WRITE) {
        at_ms = later(at_ms, pace->write_ms);
        pace->write_ms = at_ms + options->write_interval_ms;
    }
    if (class->pace == PACE_NOTIFY) {
        at_ms = later(at_ms, pace->notify_ms);
        pace->write_ms = at_ms + options->write_interval_ms;
        pace->notify_ms = at_ms + options->notify_interval_ms;
    }
    return at_ms;
}

static void stop_waiting(struct limits_waiter *waiter, int64_t now_ms) {
    struct installation_limits *state = waiter->state;
    assert(state->queued > 0);
    fair_queue_remove(&state->queue, &waiter->entry);
    if (--state->queued == 0) {
        TAILQ_REMOVE(&state->limits->queues, state, queue_link);
    }
    int64_t since_ms = atomic_exchange(&waiter->waited->since_ms, 0);
    atomic_fetch_add(&waiter->waited->total_ms, now_ms - since_ms);
    metrics_waited(now_ms - since_ms);
}

static void defer(struct limits_waiter *waiter, int64_t at_ms, int64_t now_ms, const char *reason) {
    char sentence[200];
    int64_t wait_ms = at_ms - now_ms;
    snprintf(sentence, sizeof sentence, "%s: to be tried again in %lld s", reason,
             (long long)((wait_ms + 999) / 1000));
    stop_waiting(waiter, now_ms);
    metrics_requeued();
    waiter->state = NULL;
    waiter->on_deferred(waiter, clock_wall_ms() + wait_ms, sentence);
}

static const char *reason_of(const struct installation_limits *state,
                             const struct limits_waiter *waiter, int64_t now_ms) {
    bool app = state->limited_by_app || strcmp(state->installation, LIMITS_APP) == 0;
    bool limited =
        state->until_ms[RESOURCE_CORE] > now_ms || state->until_ms[waiter->class.resource] > now_ms;
    if (limited && app) {
        return "GitHub's rate limit for the app itself is reached";
    }
    if (limited) {
        return "GitHub's rate limit for this installation is reached";
    }
    if (plugin_share_reserve_ms(&state->shares, waiter->share, waiter->class.resource,
                                waiter->leaves_reserve, now_ms) > now_ms) {
        return app ? "the app's quota is short, and what is left is kept for tokens of whole "
                     "installations"
                   : "the plugin has used its share of this installation's quota, and what is left "
                     "is kept for other plugins";
    }
    return app ? "other requests as the app are paced before it"
               : "other requests of this installation are paced before it";
}

/* A crowd is deferred to the times at which its members can leave, one after the other. */
static int64_t position_in_crowd(struct installation_limits *state,
                                 const struct limits_waiter *waiter, int64_t at_ms,
                                 int64_t now_ms) {
    const struct limits_options *options = &state->limits->options;
    if (waiter->class.pace == PACE_NONE) {
        return at_ms;
    }
    at_ms = later(at_ms, state->crowd_ms);
    if (at_ms - now_ms < CROWD_MAX_MS) {
        bool notifies = waiter->class.pace == PACE_NOTIFY;
        state->crowd_ms =
            at_ms + (notifies ? options->notify_interval_ms : options->write_interval_ms);
    }
    return at_ms;
}

static void admit(struct limits_waiter *waiter, int64_t now_ms) {
    struct installation_limits *state = waiter->state;
    fair_queue_take(&state->queue, &waiter->entry);
    stop_waiting(waiter, now_ms);
    state->in_flight++;
    if (waiter->share) {
        waiter->share->in_flight++;
    }
    waiter->unsent = waiter->class.pace != PACE_NONE;
    assert(!(waiter->unsent && state->writing));
    state->writing = state->writing || waiter->unsent;
    waiter->on_admitted(waiter);
}

/* The first in the queue that may leave now; NULL: none. */
static struct limits_waiter *first_ready(struct installation_limits *state, int64_t now_ms) {
    struct fair_queue_entry *entry;
    if (state->getting) {
        return NULL;
    }
    TAILQ_FOREACH(entry, &state->queue.list, link) {
        struct limits_waiter *waiter = waiter_of(entry);
        struct pace pace = pace_of(state);
        bool blocked = waiter->class.pace != PACE_NONE && state->writing;
        if (!blocked && plugin_share_has_slot(waiter->share, state->in_flight) &&
            admission_ms(state, waiter, &pace, now_ms) <= now_ms) {
            return waiter;
        }
    }
    return NULL;
}

/* The first that would have to wait for too long, and until when; NULL: none. */
static struct limits_waiter *first_too_long(struct installation_limits *state, int64_t now_ms,
                                            int64_t *at_ms) {
    struct pace pace = pace_of(state);
    struct fair_queue_entry *entry;
    if (state->getting && !state->limits->draining) {
        return NULL;
    }
    TAILQ_FOREACH(entry, &state->queue.list, link) {
        struct limits_waiter *waiter = waiter_of(entry);
        *at_ms = admission_ms(state, waiter, &pace, now_ms);
        if (*at_ms - now_ms > waiter->hold_ms || state->limits->draining) {
            return waiter;
        }
    }
    return NULL;
}

/* Admits those that may leave, defers those that would wait too long. Their callbacks may call this
 * again. */
static void serve(struct installation_limits *state) {
    if (state->serving) {
        /* The loop below sees the change. */
        return;
    }
    state->serving = true;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms(), at_ms = 0;
        struct limits_waiter *waiter = first_ready(state, now_ms);
        if (waiter) {
            admit(waiter, now_ms);
            continue;
        }
        waiter = first_too_long(state, now_ms, &at_ms);
        if (!waiter) {
            break;
        }
        const char *reason = reason_of(state, waiter, now_ms);
        if (state->limits->draining) {
            reason = "the host stops";
        }
        defer(waiter, position_in_crowd(state, waiter, at_ms, now_ms), now_ms, reason);
    }
    state->serving = false;
}

/* ---- the store ---- */

static void submit(struct installation_limits *state, struct inbox_rate_limit *limit,
                   enum inbox_kind kind, void (*on_done)(struct inbox_operation *)) {
    struct limits *limits = state->limits;
    limit->operation = (struct inbox_operation){
        .kind = kind, .reply_to = limits->options.mailbox, .on_result = on_done};
    limit->installation = state->installation;
    limits->with_inbox++;
    inbox_submit(limits->options.inbox, &limit->operation);
}

/* Forgets the limits that were learned before an operator ended them. The store has those that were
 * learned since then. */
static void take_release(struct installation_limits *state, int64_t released_ms) {
    if (released_ms <= state->released_ms) {
        return;
    }
    memset(state->until_ms, 0, sizeof state->until_ms);
    state->crowd_ms = 0;
    state->released_ms = released_ms;
    log_event(SNEK_LEVEL_INFO, "rate_limits_released",
              LOG_TEXT("installation", state->installation));
}

static void on_limits_read(struct inbox_operation *operation) {
    struct inbox_rate_limit *limit = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    struct installation_limits *state = CONTAINER_OF(limit, struct installation_limits, get);
    int64_t now_ms = clock_monotonic_ms(), wall_ms = clock_wall_ms();
    assert(state->getting && state->limits->with_inbox > 0);
    state->limits->with_inbox--;
    state->getting = false;
    state->store_read_ms = now_ms;
    /* A failing store delays no request. */
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_WARNING, "rate_limit_not_read",
                  LOG_TEXT("installation", state->installation),
                  LOG_TEXT("reason", operation->error.text));
    }
    if (operation->result == 0) {
        take_release(state, limit->released_ms);
    }
    for (int i = 0; operation->result == 0 && i < RESOURCES; i++) {
        int64_t left_ms = limit->until_ms[stored_as[i]] - wall_ms;
        /* Bounded: the wall clock may have been set meanwhile. */
        if (left_ms > 0) {
            left_ms = left_ms > RATE_WAIT_MAX_MS ? RATE_WAIT_MAX_MS : left_ms;
            state->until_ms[i] = later(state->until_ms[i], now_ms + left_ms);
        }
    }
    serve(state);
}

/* Reads the limits that another host, or this one before its restart, has met. */
static void read_store(struct installation_limits *state, int64_t now_ms) {
    bool limited = false;
    for (int i = 0; i < RESOURCES; i++) {
        limited = limited || state->until_ms[i] > now_ms;
    }
    int64_t most_ms = limited ? LIMITED_READ_MAX_AGE_MS : STORE_READ_MAX_AGE_MS;
    bool old = state->store_read_ms == 0 || now_ms - state->store_read_ms > most_ms;
    if (old && state->limits->options.inbox && !state->getting && !state->limits->draining) {
        state->getting = true;
        submit(state, &state->get, INBOX_RATE_LIMIT_GET, on_limits_read);
    }
}

static void write_store(struct installation_limits *state);

static void on_limits_stored(struct inbox_operation *operation) {
    struct inbox_rate_limit *limit = CONTAINER_OF(operation, struct inbox_rate_limit, operation);
    struct installation_limits *state = CONTAINER_OF(limit, struct installation_limits, put);
    assert(state->putting && state->limits->with_inbox > 0);
    state->limits->with_inbox--;
    state->putting = false;
    if (operation->result < 0) {
        log_event(SNEK_LEVEL_WARNING, "rate_limit_not_stored",
                  LOG_TEXT("installation", state->installation),
                  LOG_TEXT("reason", operation->error.text));
    }
    if (state->put_again) {
        write_store(state);
    }
}

static void write_store(struct installation_limits *state) {
    if (!state->limits->options.inbox) {
        return;
    }
    state->put_again = state->putting;
    if (state->putting) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms(), wall_ms = clock_wall_ms();
    for (int i = 0; i < RESOURCES; i++) {
        int64_t left_ms = state->until_ms[i] - now_ms;
        state->put.until_ms[stored_as[i]] = left_ms > 0 ? wall_ms + left_ms : 0;
    }
    state->putting = true;
    submit(state, &state->put, INBOX_RATE_LIMIT_PUT, on_limits_stored);
}

bool limits_idle(const struct limits *limits) {
    return limits->with_inbox == 0;
}

/* ---- learning from responses ---- */

static void begin_wait(struct installation_limits *state, enum resource resource, int64_t wait_ms,
                       const char *which) {
    int64_t now_ms = clock_monotonic_ms();
    wait_ms = wait_ms > RATE_WAIT_MAX_MS ? RATE_WAIT_MAX_MS : wait_ms;
    if (now_ms + wait_ms <= state->until_ms[resource] + SAME_WAIT_MS) {
        /* Another request that was in progress met the same limit. */
        return;
    }
    state->until_ms[resource] = now_ms + wait_ms;
    state->limited_by_app = which == limit_of_app;
    /* It was counted for the app. */
    if (which != limit_of_app) {
        metrics_rate_limited(which);
    }
    log_event(SNEK_LEVEL_WARNING, "rate_limited", LOG_TEXT("installation", state->installation),
              LOG_TEXT("limit", which), LOG_TEXT("resource", resource_names[resource]),
              LOG_NUMBER("wait_ms", wait_ms));
    write_store(state);
}

/* The wait after a secondary limit that names no time. */
static int64_t secondary_wait_ms(struct installation_limits *state) {
    int64_t wait_ms = SECONDARY_FIRST_MS;
    int64_t left_ms = state->until_ms[RESOURCE_CORE] - clock_monotonic_ms();
    if (left_ms > 0) {
        /* Another request that was in progress met the same limit. */
        return left_ms;
    }
    for (unsigned i = 0; i < state->secondaries && wait_ms < SECONDARY_LAST_MS; i++) {
        wait_ms *= 2;
    }
    state->secondaries++;
    return wait_ms > SECONDARY_LAST_MS ? SECONDARY_LAST_MS : wait_ms;
}

/* A few searches may leave at once; the others are spread over the rest of the minute. */
static void pace_searches(struct installation_limits *state, const struct rate_headers *rate) {
    if (rate->limit > 0 && rate->remaining > 0 && rate->remaining < rate->limit / SPREAD_BELOW &&
        rate->reset_ms > 0) {
        state->search_ms = clock_monotonic_ms() + rate->reset_ms / rate->remaining;
    }
}

static void count_limit(const struct installation_limits *state, const struct rate_headers *rate) {
    if (rate->resource < RESOURCES && rate->limit >= 0 && rate->remaining >= 0) {
        metrics_rate_limit(state->installation, resource_names[rate->resource], rate->limit,
                           rate->remaining, rate->reset_ms);
    }
}

/* True when the response says only that a limit is reached. */
static bool learn(struct installation_limits *state, const struct limits_waiter *waiter,
                  const struct http_transfer *transfer) {
    int64_t skew_s = transport_skew_s(state->limits->options.transport);
    struct rate_headers rate =
        rate_headers_read(&transfer->headers, waiter->class.resource, skew_s);
    bool rejected = transfer->outcome == SNEK_E_RATE_LIMITED;
    count_limit(state, &rate);
    plugin_shares_learn(&state->shares, waiter->share, &rate, clock_monotonic_ms());
    if ((rejected || transfer->status >= 500) && rate.retry_ms >= 0) {
        begin_wait(state, RESOURCE_CORE, rate.retry_ms, "secondary");
    } else if (rate.remaining == 0 && rate.reset_ms >= 0 &&
               (rate.resource < RESOURCES || rejected)) {
        enum resource resource = rate.resource < RESOURCES ? rate.resource : RESOURCE_CORE;
        begin_wait(state, resource, rate.reset_ms, "primary");
    } else if (rejected) {
        begin_wait(state, RESOURCE_CORE, secondary_wait_ms(state), "secondary");
    } else {
        state->secondaries = transfer->outcome == 0 ? 0 : state->secondaries;
        if (rate.resource == RESOURCE_SEARCH) {
            pace_searches(state, &rate);
        }
    }
    return rejected;
}

/* ---- the way of a waiter ---- */

void limits_enter(struct limits *limits, struct limits_waiter *waiter) {
    int64_t now_ms = clock_monotonic_ms();
    assert(!waiter->state && !waiter->entry.queued);
    struct installation_limits *state = find_installation(limits, waiter->installation);
    if (!state) {
        waiter->on_deferred(waiter, clock_wall_ms() + LIMITS_HOLD_MS, "the host is out of memory");
        return;
    }
    waiter->state = state;
    waiter->share = plugin_shares_find(&state->shares, waiter->entry.owner);
    atomic_store(&waiter->waited->since_ms, now_ms);
    fair_queue_add(&state->queue, &waiter->entry);
    if (state->queued++ == 0) {
        TAILQ_INSERT_TAIL(&limits->queues, state, queue_link);
    }
    read_store(state, now_ms);
    serve(state);
}

void limits_sent(struct limits *limits, struct limits_waiter *waiter) {
    struct installation_limits *state = waiter->state;
    int64_t now_ms = clock_monotonic_ms();
    assert(state && !waiter->entry.queued);
    if (!waiter->unsent) {
        return;
    }
    waiter->unsent = false;
    state->writing = false;
    state->write_ms = now_ms + limits->options.write_interval_ms;
    if (waiter->class.pace == PACE_NOTIFY) {
        state->notify_ms = now_ms + limits->options.notify_interval_ms;
    }
}

/* It was admitted; now it is over. */
static void leave(struct installation_limits *state, struct limits_waiter *waiter) {
    assert(state->in_flight > 0 && !waiter->entry.queued);
    waiter->state = NULL;
    state->in_flight--;
    if (waiter->share) {
        assert(waiter->share->in_flight > 0);
        waiter->share->in_flight--;
    }
    if (waiter->unsent) {
        waiter->unsent = false;
        state->writing = false;
    }
}

bool limits_leave(struct limits *limits, struct limits_waiter *waiter,
                  const struct http_transfer *transfer) {
    struct installation_limits *state = waiter->state;
    if (!state) {
        return false;
    }
    assert(state->limits == limits);
    leave(state, waiter);
    bool rejected = transfer && transfer->status > 0 && learn(state, waiter, transfer);
    serve(state);
    return rejected;
}

void limits_hold(struct limits *limits, struct limits_waiter *waiter, int64_t until_ms) {
    struct installation_limits *state = waiter->state;
    /* A little later than the app's wait, so that the app's is over before. */
    int64_t wait_ms = later(until_ms - clock_wall_ms(), 0) + SAME_WAIT_MS + 1;
    limits_leave(limits, waiter, NULL);
    if (state) {
        begin_wait(state, RESOURCE_CORE, wait_ms, limit_of_app);
        serve(state);
    }
}

void limits_forget(struct limits *limits, struct limits_waiter *waiter) {
    if (waiter->state && waiter->entry.queued) {
        stop_waiting(waiter, clock_monotonic_ms());
        waiter->state = NULL;
    } else {
        limits_leave(limits, waiter, NULL);
    }
}

/* ---- time ---- */

static int64_t next_ms(const struct installation_limits *state, int64_t now_ms) {
    int64_t first_ms = INT64_MAX;
    struct fair_queue_entry *entry;
    if (state->getting) {
        return INT64_MAX; /* a result comes first */
    }
    TAILQ_FOREACH(entry, &state->queue.list, link) {
        struct limits_waiter *waiter = waiter_of(entry);
        struct pace pace = pace_of(state);
        /* Without a slot, a response comes first. */
        if ((waiter->class.pace == PACE_NONE || !state->writing) &&
            plugin_share_has_slot(waiter->share, state->in_flight)) {
            int64_t at_ms = admission_ms(state, waiter, &pace, now_ms);
            first_ms = at_ms < first_ms ? at_ms : first_ms;
        }
    }
    return first_ms;
}

int limits_wait_ms(const struct limits *limits, int most_ms) {
    int64_t now_ms = clock_monotonic_ms(), wait_ms = most_ms;
    const struct installation_limits *state;
    TAILQ_FOREACH(state, &limits->queues, queue_link) {
        int64_t at_ms = next_ms(state, now_ms);
        wait_ms = at_ms - now_ms < wait_ms ? at_ms - now_ms : wait_ms;
    }
    return wait_ms < 0 ? 0 : (int)wait_ms;
}

void limits_handle(struct limits *limits) {
    struct installation_limits *state, *next;
    /* Serving one removes no other from the list. */
    TAILQ_FOREACH_SAFE(state, &limits->queues, queue_link, next) {
        serve(state);
    }
}

void limits_drain(struct limits *limits) {
    limits->draining = true;
    limits_handle(limits);
}
