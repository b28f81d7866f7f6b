/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Draws bars with SVG. */
#include "console/chart.h"

#include "base/array.h"
#include "console/view.h"
#include "ingest/page.h"

#include <string.h>

#define HEIGHT 100
/* Units of a bucket and of its bar. */
#define STEP 6
#define BAR 5

static const struct {
    enum inbox_series_span span;
    const char *name, *shown, *words;
} spans[] = {{INBOX_SERIES_HOUR, "hour", "Hour", "the last hour"},
             {INBOX_SERIES_DAY, "day", "Day", "the last 24 hours"},
             {INBOX_SERIES_WEEK, "week", "Week", "the last 7 days"}};

enum inbox_series_span chart_span(const struct console_task *task) {
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++) {
        if (strcmp(task_field(task, "span"), spans[i].name) == 0) {
            return spans[i].span;
        }
    }
    return INBOX_SERIES_DAY;
}

struct sums {
    int64_t count, dead, ended, latency_ms, most_count, most_latency_ms, longest_ms;
};

static int64_t mean_latency_ms(const struct inbox_series_bucket *bucket) {
    return bucket->ended > 0 ? bucket->latency_sum_ms / bucket->ended : 0;
}

static int64_t greater(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static struct sums sum(const struct inbox_series *series) {
    struct sums sums = {.most_count = 1, .most_latency_ms = 1};
    for (size_t i = 0; i < series->n_buckets; i++) {
        const struct inbox_series_bucket *bucket = &series->buckets[i];
        sums.count += bucket->count;
        sums.dead += bucket->dead;
        sums.ended += bucket->ended;
        sums.latency_ms += bucket->latency_sum_ms;
        sums.most_count = greater(sums.most_count, greater(bucket->count, bucket->dead));
        sums.most_latency_ms = greater(sums.most_latency_ms, mean_latency_ms(bucket));
        sums.longest_ms = greater(sums.longest_ms, bucket->latency_max_ms);
    }
    return sums;
}

static void put_bar(struct buffer *page, size_t index, int64_t value, int64_t most,
                    const char *kind) {
    /* Dead runs are drawn over the deliveries, narrower. */
    int width = strcmp(kind, "dead") == 0 ? BAR / 2 : BAR;
    int64_t height = value * HEIGHT / most;
    if (value > 0) {
        height = greater(height, 2);
        http_page_put(page,
                      "<rect class=\"%s\" x=\"%zu\" y=\"%lld\" width=\"%d\" height=\"%lld\"/>",
                      kind, index * STEP, (long long)(HEIGHT - height), width, (long long)height);
    }
}

static void begin_drawing(struct buffer *page, const struct inbox_series *series) {
    http_page_put(page,
                  "<svg class=\"chart\" viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" "
                  "role=\"img\" aria-label=\"",
                  series->n_buckets * STEP, HEIGHT + 1);
}

static void put_counts(struct buffer *page, const struct inbox_series *series,
                       const struct sums *sums, const char *words) {
    http_page_html(page, "<figure>\n<h3>Deliveries and dead runs</h3>\n");
    begin_drawing(page, series);
    http_page_put(page, "%lld %s and %lld %s in %s\">", (long long)sums->count,
                  sums->count == 1 ? "delivery" : "deliveries", (long long)sums->dead,
                  sums->dead == 1 ? "dead run" : "dead runs", words);
    for (size_t i = 0; i < series->n_buckets; i++) {
        put_bar(page, i, series->buckets[i].count, sums->most_count, "count");
        put_bar(page, i, series->buckets[i].dead, sums->most_count, "dead");
    }
    if (sums->count == 0) {
        http_page_put(page, "</svg>\n<figcaption>No delivery came in %s.</figcaption>\n</figure>\n",
                      words);
        return;
    }
    http_page_put(
        page,
        "</svg>\n<figcaption>Deliveries in %s, in green: %lld, at most %lld in a bar. Runs that "
        "are dead, in red: %lld.</figcaption>\n</figure>\n",
        words, (long long)sums->count, (long long)sums->most_count, (long long)sums->dead);
}

static void put_latency(struct buffer *page, const struct inbox_series *series,
                        const struct sums *sums, const char *words) {
    char mean[VIEW_DURATION_MAX], longest[VIEW_DURATION_MAX];
    view_duration(sums->ended > 0 ? sums->latency_ms / sums->ended : 0, mean);
    view_duration(sums->longest_ms, longest);
    http_page_html(page, "<figure>\n<h3>Latency</h3>\n");
    begin_drawing(page, series);
    if (sums->ended == 0) {
        http_page_put(page, "From arrival to end in %s: none is summed up yet\">", words);
    } else {
        http_page_put(page, "From arrival to end in %s: %s on average, %s at most\">", words, mean,
                      longest);
    }
    for (size_t i = 0; i < series->n_buckets; i++) {
        put_bar(page, i, mean_latency_ms(&series->buckets[i]), sums->most_latency_ms, "latency");
    }
    if (sums->ended == 0) {
        http_page_html(
            page, "</svg>\n<figcaption>No run to measure yet. A run counts two minutes after its "
                  "delivery came.</figcaption>\n</figure>\n");
        return;
    }
    http_page_put(page,
                  "</svg>\n<figcaption>From the arrival of a delivery to the end of its run: %s on "
                  "average, %s at most, of %lld runs</figcaption>\n</figure>\n",
                  mean, longest, (long long)sums->ended);
}

void chart_put(struct console_task *task, const struct inbox_series *series) {
    struct buffer *page = &task->page;
    struct sums sums = sum(series);
    const char *words = "";
    http_page_html(page, "<h2 id=\"time\">Over time</h2>\n<p class=\"actions\">");
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++) {
        bool current = spans[i].span == series->span;
        words = current ? spans[i].words : words;
        http_page_put(page, "<a class=\"button quiet\" href=\"" CONSOLE_PATH "?span=%s\"",
                      spans[i].name);
        http_page_put(page, current ? " aria-current=\"true\">%s</a> " : ">%s</a> ",
                      spans[i].shown);
    }
    http_page_html(page, "</p>\n<div class=\"charts\">\n");
    put_counts(page, series, &sums, words);
    put_latency(page, series, &sums, words);
    http_page_html(page, "</div>\n");
}

void chart_put_json(struct buffer *json, const struct inbox_series *series) {
    view_json_open(json, "series", '{');
    view_json_time(json, "first", series->first_ms);
    view_json_number(json, "step_ms", inbox_series_step_ms(series->span));
    view_json_open(json, "buckets", '[');
    for (size_t i = 0; i < series->n_buckets; i++) {
        const struct inbox_series_bucket *bucket = &series->buckets[i];
        view_json_open(json, NULL, '{');
        view_json_number(json, "deliveries", bucket->count);
        view_json_number(json, "dead", bucket->dead);
        view_json_number(json, "ended", bucket->ended);
        view_json_number(json, "latency_mean_ms", mean_latency_ms(bucket));
        view_json_number(json, "latency_max_ms", bucket->latency_max_ms);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_close(json, '}');
}
