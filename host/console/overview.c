/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The first page: one sentence of health, and the numbers behind it. */
#include "base/array.h"
#include "console/chart.h"
#include "console/entries.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/status.h"
#include "console/view.h"
#include "inbox/console.h"
#include "inbox/holds.h"
#include "inbox/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deliveries of the list. */
#define RECENT ((size_t)10)

struct overview {
    struct inbox_stats stats;
    struct inbox_search recent;
    struct inbox_series series;
    struct inbox_holds holds;
    struct status status;
};

static int load(struct console_task *task, struct overview *overview, struct error *err) {
    const struct console_options *options = &task->console->options;
    overview->stats =
        (struct inbox_stats){.operation = {.kind = INBOX_STATS}, .configured = options->configured};
    overview->series = (struct inbox_series){
        .operation = {.kind = INBOX_SERIES}, .span = chart_span(task), .now_ms = task->now_ms};
    overview->holds =
        (struct inbox_holds){.operation = {.kind = INBOX_HOLDS}, .now_ms = task->now_ms};
    overview->recent = (struct inbox_search){.operation = {.kind = INBOX_SEARCH}, .most = RECENT};
    status_read(task, &overview->status);
    return room_read(task->console, &overview->stats.operation, err) < 0 ||
                   room_read(task->console, &overview->series.operation, err) < 0 ||
                   room_read(task->console, &overview->holds.operation, err) < 0 ||
                   room_read(task->console, &overview->recent.operation, err) < 0
               ? -1
               : 0;
}

/* A page that needs a look, and how many of what are there. */
struct trouble {
    int64_t count;
    const char *path, *one, *many;
};

static int64_t count_holds(const struct overview *overview, enum inbox_hold_cause cause) {
    int64_t count = 0;
    for (size_t i = 0; i < overview->holds.n_holds; i++) {
        count += overview->holds.holds[i].cause == cause;
    }
    return count;
}

static bool put_trouble(struct buffer *page, const struct trouble *troubles, size_t n) {
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (troubles[i].count == 0) {
            continue;
        }
        http_page_html(page, any ? ", " : "<p class=\"health held\">The host is ready. Look at: ");
        http_page_put(page, "<a href=\"" CONSOLE_PATH "%s\">%lld %s</a>", troubles[i].path,
                      (long long)troubles[i].count,
                      troubles[i].count == 1 ? troubles[i].one : troubles[i].many);
        any = true;
    }
    http_page_html(page, any ? ".</p>\n" : "");
    return any;
}

static void put_health(struct console_task *task, const struct overview *overview) {
    const struct inbox_stats *stats = &overview->stats;
    const struct trouble troubles[] = {
        {stats->dead, "/failures", "dead run", "dead runs"},
        {stats->in_doubt, "/deliveries?state=in%20doubt", "effect in doubt", "effects in doubt"},
        {stats->parked, "/installations", "parked run", "parked runs"},
        {stats->held, "/deliveries?state=held", "held run", "held runs"},
        /* A hold matters before any run waits for its end. */
        {count_holds(overview, INBOX_HOLD_PAUSED), "/plugins", "pause", "pauses"},
        {count_holds(overview, INBOX_HOLD_QUARANTINED), "/plugins", "quarantined plugin",
         "quarantined plugins"},
        {count_holds(overview, INBOX_HOLD_LOOP), "/plugins", "stopped loop", "stopped loops"}};
    if (!overview->status.ready) {
        http_page_html(&task->page, "<p class=\"health bad\">The host is not ready: "
                                    "<a href=\"/readyz\">/readyz</a> gives the reason.</p>\n");
    } else if (!put_trouble(&task->page, troubles, ARRAY_LENGTH(troubles))) {
        http_page_html(&task->page, "<p class=\"health good\">All is well: the host is ready, and "
                                    "no run is dead, parked or in doubt.</p>\n");
    }
}

static void put_number(struct buffer *page, const char *name, int64_t number, const char *meaning) {
    http_page_html(page, number > 0 ? "<li>" : "<li class=\"none\">");
    http_page_html(page, "<a href=\"" CONSOLE_PATH "/deliveries?state=");
    http_page_html(page, strcmp(name, "in doubt") == 0 ? "in%20doubt" : name);
    http_page_put(
        page, "\"><span class=\"number\">%lld</span> %s</a> <span class=\"hint\">%s</span></li>\n",
        (long long)number, name, meaning);
}

static int64_t oldest_due_ms(const struct inbox_stats *stats) {
    return stats->oldest_due_ms == INT64_MAX ? 0 : stats->oldest_due_ms;
}

static void put_oldest(struct console_task *task, const char *name, int64_t time_ms,
                       const char *none) {
    http_page_put(&task->page, "<dt>%s</dt><dd>", name);
    if (time_ms == 0) {
        http_page_text(&task->page, none);
    } else {
        view_time(&task->page, time_ms, task->now_ms);
    }
    http_page_html(&task->page, "</dd>\n");
}

static void put_numbers(struct console_task *task, const struct inbox_stats *stats) {
    struct buffer *page = &task->page;
    http_page_html(page, "<h2 id=\"runs\">Runs</h2>\n<ul class=\"numbers\">\n");
    put_number(page, "queued", stats->queued, "due now or later");
    put_number(page, "running", stats->running, "in a worker");
    put_number(page, "blocked", stats->blocked, "wait for an earlier run that must end first");
    put_number(page, "waiting", stats->waiting, "their handler asked to wait");
    put_number(page, "held", stats->held, "under a pause, a quarantine or a stopped loop");
    put_number(page, "parked", stats->parked, "wait for a permission");
    put_number(page, "dead", stats->dead, "no longer retried by the host itself");
    put_number(page, "in doubt", stats->in_doubt, "effects without a recorded response");
    http_page_html(page, "</ul>\n<h2 id=\"oldest\">The oldest</h2>\n<dl class=\"facts\">\n");
    put_oldest(task, "queued or waiting run, by its due time", oldest_due_ms(stats),
               "no run is queued");
    put_oldest(task, "waiting run, since its delivery came", stats->oldest_waiting_ms,
               "no run waits");
    put_oldest(task, "effect in doubt", stats->oldest_in_doubt_ms, "none is in doubt");
    http_page_html(page, "</dl>\n");
}

static void put_recent(struct console_task *task, const struct inbox_search *recent) {
    http_page_html(&task->page, "<h2 id=\"recent\">The last deliveries</h2>\n");
    if (recent->n_entries == 0) {
        http_page_html(&task->page, "<p class=\"card\">None has come yet.</p>\n");
        return;
    }
    entries_put(task, recent->entries, recent->n_entries);
    http_page_html(&task->page,
                   "<p><a href=\"" CONSOLE_PATH "/deliveries\">All deliveries</a></p>\n");
}

static void put_json(struct console_task *task, const struct overview *overview) {
    const struct inbox_stats *stats = &overview->stats;
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_bool(json, "ready", overview->status.ready);
    view_json_open(json, "runs", '{');
    view_json_number(json, "queued", stats->queued);
    view_json_number(json, "running", stats->running);
    view_json_number(json, "blocked", stats->blocked);
    view_json_number(json, "waiting", stats->waiting);
    view_json_number(json, "held", stats->held);
    view_json_number(json, "parked", stats->parked);
    view_json_number(json, "dead", stats->dead);
    view_json_number(json, "not_configured", stats->not_configured);
    view_json_close(json, '}');
    view_json_number(json, "effects_in_doubt", stats->in_doubt);
    view_json_time(json, "oldest_due", oldest_due_ms(stats));
    view_json_time(json, "oldest_waiting", stats->oldest_waiting_ms);
    view_json_time(json, "oldest_in_doubt", stats->oldest_in_doubt_ms);
    view_json_open(json, "recent", '[');
    for (size_t i = 0; i < overview->recent.n_entries; i++) {
        entry_put_json(json, &overview->recent.entries[i]);
    }
    view_json_close(json, ']');
    chart_put_json(json, &overview->series);
    view_json_raw(json, "status", &overview->status.json);
    view_json_close(json, '}');
}

void page_overview(struct console_task *task) {
    struct overview overview;
    struct error err;
    if (load(task, &overview, &err) < 0) {
        view_store_failed(task, &err);
    } else if (task->wants_json) {
        put_json(task, &overview);
    } else {
        view_begin(task, "Overview", true);
        put_health(task, &overview);
        put_numbers(task, &overview.stats);
        chart_put(task, &overview.series);
        put_recent(task, &overview.recent);
        view_end(&task->page);
    }
    status_finish(&overview.status);
    inbox_entries_free(overview.recent.entries, overview.recent.n_entries);
    free(overview.holds.holds);
}
