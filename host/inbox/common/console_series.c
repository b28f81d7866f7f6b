/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers over time: reads the sums, and adds deliveries to them. */
#include "inbox/common/console_parts.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "inbox/common/name_filter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHAT "summing deliveries"
/* A delivery that arrived so much later than now is one of a clock that was fast (SQL_OF_FUTURE):
 * no sum waits for its time. */
#define FUTURE_MS INT64_C(3600000)
/* Those that one step builds: for INBOX_DIGEST_DELIVERIES. */
#define FILTERS (INBOX_DIGEST_DELIVERIES / NAME_FILTER_DELIVERIES)

static const struct {
    int64_t step_ms;
    size_t buckets;
} spans[] = {[INBOX_SERIES_HOUR] = {60000, 60},
             [INBOX_SERIES_DAY] = {900000, 96},
             [INBOX_SERIES_WEEK] = {3600000, 168}};

int64_t inbox_series_step_ms(enum inbox_series_span span) {
    return spans[span].step_ms;
}

size_t inbox_series_buckets(enum inbox_series_span span) {
    return spans[span].buckets;
}

/* The start of the first bucket of a span that ends now. */
static int64_t first_bucket_ms(enum inbox_series_span span, int64_t now_ms) {
    int64_t step_ms = spans[span].step_ms;
    return now_ms / step_ms * step_ms - (int64_t)(spans[span].buckets - 1) * step_ms;
}

/* Up to where deliveries are summed. */
struct place {
    int64_t last_id, received_ms;
    /* `last_id` as the store has it; 0: nothing is summed. */
    int64_t stored_id;
};

static int on_place(void *context, const struct console_row *row) {
    int64_t last_id = console_number(row, 0);
    *(struct place *)context = (struct place){last_id, console_number(row, 1), last_id};
    return 1;
}

static int read_place(struct console_store *store, struct place *place, struct error *err) {
    *place = (struct place){0};
    return store->methods->ask(store, CONSOLE_SERIES_PLACE, NULL, 0, on_place, place, err, WHAT);
}

/* ---- reading ---- */

/* The bucket of a row's first column; NULL: it is outside. */
static struct inbox_series_bucket *bucket_of(struct inbox_series *series,
                                             const struct console_row *row) {
    int64_t nth = (console_number(row, 0) - series->first_ms) / spans[series->span].step_ms;
    bool inside = console_number(row, 0) >= series->first_ms && nth < (int64_t)series->n_buckets;
    return inside ? &series->buckets[nth] : NULL;
}

static int on_sum(void *context, const struct console_row *row) {
    struct inbox_series_bucket *bucket = bucket_of(context, row);
    if (bucket) {
        bucket->count = console_number(row, 1);
        bucket->ended = console_number(row, 2);
        bucket->latency_sum_ms = console_number(row, 3);
        bucket->latency_max_ms = console_number(row, 4);
    }
    return 0;
}

static int on_recent(void *context, const struct console_row *row) {
    struct inbox_series_bucket *bucket = bucket_of(context, row);
    if (bucket) {
        bucket->count += console_number(row, 1);
    }
    return 0;
}

static int on_dead(void *context, const struct console_row *row) {
    struct inbox_series_bucket *bucket = bucket_of(context, row);
    if (bucket) {
        bucket->dead = console_number(row, 1);
    }
    return 0;
}

int console_series(struct console_store *store, struct inbox_series *series, struct error *err) {
    const struct console_methods *methods = store->methods;
    struct place place;
    series->n_buckets = spans[series->span].buckets;
    series->first_ms = first_bucket_ms(series->span, series->now_ms);
    struct console_value step = console_value_number(spans[series->span].step_ms);
    struct console_value first = console_value_number(series->first_ms);
    struct console_value sums[] = {step, first,
                                   console_value_text(series->plugin ? series->plugin : "")};
    struct console_value dead[] = {step, first, console_value_text(series->plugin)};
    if (read_place(store, &place, err) < 0 ||
        methods->ask(store, CONSOLE_SERIES_READ, sums, 3, on_sum, series, err, WHAT) < 0 ||
        methods->ask(store, CONSOLE_SERIES_DEAD, dead, 3, on_dead, series, err, WHAT) < 0) {
        return -1;
    }
    series->summed_ms = place.received_ms;
    struct console_value recent[] = {step, console_value_number(place.last_id)};
    if (!series->plugin &&
        methods->ask(store, CONSOLE_SERIES_RECENT, recent, 2, on_recent, series, err, WHAT) < 0) {
        return -1;
    }
    return 0;
}

/* ---- summing ---- */

struct sum {
    enum inbox_series_span span;
    int64_t start_ms;
    char plugin[INBOX_NAME_MAX + 1];
    struct inbox_series_bucket bucket;
};

struct summing {
    const struct inbox_digest *digest;
    struct place place;
    size_t deliveries;
    struct sum *sums;
    size_t n_sums;
};

static void summing_finish(struct summing *summing) {
    free(summing->sums);
}

/* NULL: out of memory. */
static struct sum *find_sum(struct summing *summing, enum inbox_series_span span, int64_t start_ms,
                            const char *plugin) {
    for (size_t i = summing->n_sums; i > 0; i--) {
        struct sum *sum = &summing->sums[i - 1];
        if (sum->start_ms == start_ms && sum->span == span && strcmp(sum->plugin, plugin) == 0) {
            return sum;
        }
    }
    struct sum *sum = ARRAY_ADD(summing->sums, summing->n_sums);
    if (sum) {
        sum->span = span;
        sum->start_ms = start_ms;
        snprintf(sum->plugin, sizeof sum->plugin, "%s", plugin);
    }
    return sum;
}

/* Adds to the buckets of all spans, except to those that no page shows any more. */
static int add(struct summing *summing, int64_t received_ms, const char *plugin, int64_t count,
               int64_t finished_ms) {
    for (int span = INBOX_SERIES_HOUR; span <= INBOX_SERIES_WEEK; span++) {
        int64_t start_ms = received_ms / spans[span].step_ms * spans[span].step_ms;
        if (start_ms < first_bucket_ms(span, summing->digest->now_ms)) {
            continue;
        }
        struct sum *sum = find_sum(summing, span, start_ms, plugin);
        if (!sum) {
            return -1;
        }
        sum->bucket.count += count;
        if (finished_ms > 0) {
            int64_t latency_ms = finished_ms > received_ms ? finished_ms - received_ms : 0;
            sum->bucket.ended++;
            sum->bucket.latency_sum_ms += latency_ms;
            if (latency_ms > sum->bucket.latency_max_ms) {
                sum->bucket.latency_max_ms = latency_ms;
            }
        }
    }
    return 0;
}

/* A run of a delivery, or a delivery without one: id, received_ms, plugin, finished_ms. */
static int on_delivery(void *context, const struct console_row *row) {
    struct summing *summing = context;
    int64_t id = console_number(row, 0), received_ms = console_number(row, 1);
    int64_t finished_ms = console_number(row, 3);
    const char *plugin = console_text(row, 2);
    bool first = id != summing->place.last_id;
    bool future = received_ms > summing->digest->now_ms + FUTURE_MS;
    if (!future && received_ms > summing->digest->now_ms - INBOX_DIGEST_DELAY_MS) {
        return 1;
    }
    if (first) {
        summing->place.last_id = id;
        summing->deliveries++;
    }
    if (!future) {
        summing->place.received_ms = received_ms;
    }
    if (add(summing, received_ms, "", first, finished_ms) < 0) {
        return -1;
    }
    return *plugin ? add(summing, received_ms, plugin, 1, finished_ms) : 0;
}

static int write_sum(struct console_store *store, const struct sum *sum, struct error *err) {
    const struct console_value values[] = {console_value_number(spans[sum->span].step_ms),
                                           console_value_number(sum->start_ms),
                                           console_value_text(sum->plugin),
                                           console_value_number(sum->bucket.count),
                                           console_value_number(sum->bucket.ended),
                                           console_value_number(sum->bucket.latency_sum_ms),
                                           console_value_number(sum->bucket.latency_max_ms)};
    return store->methods->ask(store, CONSOLE_SERIES_ADD, values, ARRAY_LENGTH(values), NULL, NULL,
                               err, WHAT);
}

static int on_moved(void *context, const struct console_row *row) {
    *(bool *)context = true;
    return 1;
}

/* Moves the place on, unless another host moved it since. 1 it did, 0, -1. */
static int move_place(struct console_store *store, const struct place *place, struct error *err) {
    bool moved = false;
    const struct console_value values[] = {console_value_number(place->last_id),
                                           console_value_number(place->received_ms),
                                           console_value_number(place->stored_id)};
    int asked = store->methods->ask(store, CONSOLE_SERIES_PLACE_MOVE, values, ARRAY_LENGTH(values),
                                    on_moved, &moved, err, WHAT);
    return asked < 0 ? -1 : moved;
}

/* Sums the next deliveries. 1; 0: another host sums them; -1. */
static int sum_deliveries(struct console_store *store, struct summing *summing, struct error *err) {
    const struct console_value after = console_value_number(summing->place.last_id);
    if (store->methods->ask(store, CONSOLE_DIGEST_RUNS, &after, 1, on_delivery, summing, err,
                            WHAT) < 0) {
        return -1;
    }
    int moved = summing->deliveries == 0 ? 1 : move_place(store, &summing->place, err);
    if (moved <= 0) {
        return moved;
    }
    for (size_t i = 0; i < summing->n_sums; i++) {
        if (write_sum(store, &summing->sums[i], err) < 0) {
            return -1;
        }
    }
    return 1;
}

/* ---- the filters of names ---- */

struct naming {
    int64_t first_id, last_id;
    size_t deliveries;
    uint8_t bits[NAME_FILTER_BYTES];
};

/* A run of a delivery: id, repository, item, sender, event, plugin. */
static int on_names(void *context, const struct console_row *row) {
    struct naming *naming = context;
    const char *item = strchr(console_text(row, 2), '#');
    if (console_number(row, 0) != naming->last_id) {
        naming->last_id = console_number(row, 0);
        naming->deliveries++;
    }
    name_filter_add(naming->bits, NAME_REPOSITORY, console_text(row, 1), 0);
    name_filter_add(naming->bits, NAME_SENDER, console_text(row, 3), 0);
    name_filter_add(naming->bits, NAME_EVENT, console_text(row, 4), 0);
    name_filter_add(naming->bits, NAME_PLUGIN, console_text(row, 5), 0);
    if (item) {
        name_filter_add(naming->bits, NAME_ITEM, console_text(row, 1), strtoll(item + 1, NULL, 10));
    }
    return 0;
}

static int on_last(void *context, const struct console_row *row) {
    *(int64_t *)context = console_number(row, 0);
    return 1;
}

/* Builds the next filter, once its deliveries are all summed. 1 it did, 0, -1. */
static int build_filter(struct console_store *store, int64_t summed_id, struct error *err) {
    struct naming naming = {0};
    int64_t last_id = 0;
    if (store->methods->ask(store, CONSOLE_FILTERS_END, NULL, 0, on_last, &last_id, err, WHAT) <
        0) {
        return -1;
    }
    const struct console_value range[] = {console_value_number(last_id),
                                          console_value_number(summed_id)};
    naming.first_id = last_id + 1;
    if (store->methods->ask(store, CONSOLE_DIGEST_NAMES, range, 2, on_names, &naming, err, WHAT) <
        0) {
        return -1;
    }
    assert(naming.deliveries <= NAME_FILTER_DELIVERIES);
    if (naming.deliveries < NAME_FILTER_DELIVERIES) {
        return 0;
    }
    const struct console_value values[] = {
        console_value_number(naming.first_id),
        console_value_number(naming.last_id),
        {.kind = CONSOLE_BLOB, .blob = naming.bits, .blob_bytes = sizeof naming.bits}};
    return store->methods->ask(store, CONSOLE_FILTERS_ADD, values, 3, NULL, NULL, err, WHAT) < 0
               ? -1
               : 1;
}

/* ---- one step ---- */

static int forget(struct console_store *store, const struct inbox_digest *digest,
                  struct error *err) {
    for (int span = INBOX_SERIES_HOUR; span <= INBOX_SERIES_WEEK; span++) {
        const struct console_value values[] = {
            console_value_number(spans[span].step_ms),
            console_value_number(first_bucket_ms(span, digest->now_ms))};
        if (store->methods->ask(store, CONSOLE_SERIES_FORGET, values, 2, NULL, NULL, err, WHAT) <
            0) {
            return -1;
        }
    }
    const struct console_value before = console_value_number(digest->actions_before_ms);
    return store->methods->ask(store, CONSOLE_ACTIONS_FORGET, &before, 1, NULL, NULL, err, WHAT) <
                       0 ||
                   store->methods->ask(store, CONSOLE_FILTERS_FORGET, NULL, 0, NULL, NULL, err,
                                       WHAT) < 0
               ? -1
               : 0;
}

int console_digest(struct console_store *store, struct inbox_digest *digest, struct error *err) {
    CLEANUP(summing_finish) struct summing summing = {.digest = digest};
    if (read_place(store, &summing.place, err) < 0) {
        return -1;
    }
    int summed = sum_deliveries(store, &summing, err);
    if (summed <= 0) {
        return summed;
    }
    int built = 1;
    for (int i = 0; i < FILTERS && built > 0; i++) {
        built = build_filter(store, summing.place.last_id, err);
    }
    if (built < 0) {
        return -1;
    }
    digest->more = built > 0 || summing.deliveries == INBOX_DIGEST_DELIVERIES;
    return digest->more ? 0 : forget(store, digest, err);
}
