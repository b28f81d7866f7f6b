/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The history of one issue, pull request or discussion: deliveries and effects by time. */
#include "console/entries.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/search.h"
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES ((size_t)200)

/* "OWNER/REPO/12", the rest of the path. */
static bool read_place(const char *rest, char repository[HTTP_VALUE_MAX + 1], int64_t *number) {
    char text[CONSOLE_PATH_MAX];
    snprintf(text, sizeof text, "%s", rest);
    char *last = strrchr(text, '/');
    if (!last) {
        return false;
    }
    *last = '#';
    return search_read_item(text, repository, number) && *number > 0;
}

static void put_effect(struct console_task *task, const struct inbox_timeline_effect *effect) {
    struct buffer *page = &task->page;
    const struct inbox_audit_entry *row = &effect->audit;
    http_page_html(page, "<li class=\"effect\">");
    view_time(page, row->at_ms, task->now_ms);
    http_page_put(page, " <strong>%s</strong> sent <code>%s %s</code> ", row->plugin, row->method,
                  row->url);
    if (row->status > 0) {
        http_page_put(page, "<strong>%d</strong> ", (int)row->status);
    } else {
        view_state(page, strcmp(row->state, "intended") == 0 ? "in doubt" : row->state);
    }
    http_page_html(page, " ");
    view_put_delivery_link(page, effect->delivery, "");
    http_page_html(page, ">its delivery</a></li>\n");
}

static void put_delivery(struct console_task *task, const struct inbox_entry *runs, size_t count) {
    struct buffer *page = &task->page;
    http_page_html(page, "<li>");
    view_time(page, runs->received_ms, task->now_ms);
    http_page_html(page, " ");
    view_put_delivery_link(page, runs->guid, "");
    http_page_put(page, " class=\"row\">%s", runs->event);
    http_page_put(page, *runs->action ? ".%s</a>" : "%s</a>", runs->action);
    http_page_put(page, *runs->sender ? " by %s" : "%s", runs->sender);
    http_page_html(page, "<ul>\n");
    for (size_t i = 0; i < count && *runs[i].plugin; i++) {
        http_page_put(page, "<li>%s ", runs[i].plugin);
        entry_put_state(page, &runs[i]);
        http_page_html(page, " ");
        entry_put_reason(page, &runs[i]);
        http_page_html(page, "</li>\n");
    }
    http_page_html(page, "</ul></li>\n");
}

static size_t runs_of_delivery(const struct inbox_timeline *timeline, size_t first) {
    size_t count = 1;
    while (first + count < timeline->n_entries &&
           timeline->entries[first + count].delivery == timeline->entries[first].delivery) {
        count++;
    }
    return count;
}

/* Both lists have the newest first. */
static void put_list(struct console_task *task, const struct inbox_timeline *timeline) {
    size_t i = 0, j = 0;
    http_page_html(&task->page, "<ol class=\"timeline\">\n");
    while (i < timeline->n_entries || j < timeline->n_effects) {
        if (j < timeline->n_effects &&
            (i >= timeline->n_entries ||
             timeline->effects[j].audit.at_ms >= timeline->entries[i].received_ms)) {
            put_effect(task, &timeline->effects[j++]);
        } else {
            size_t count = runs_of_delivery(timeline, i);
            put_delivery(task, &timeline->entries[i], count);
            i += count;
        }
    }
    http_page_html(&task->page, "</ol>\n");
}

static void put_page(struct console_task *task, const struct inbox_timeline *timeline) {
    char title[HTTP_VALUE_MAX + 32], place[64];
    AUTO_BUFFER struct buffer url = BUFFER_INIT(8192);
    snprintf(title, sizeof title, "%s#%" PRId64, timeline->repository, timeline->number);
    view_begin(task, title, true);
    if (timeline->n_entries == 0 && timeline->n_effects == 0) {
        http_page_html(&task->page, "<p class=\"card\">Nothing happened there, as far as the store "
                                    "knows.</p>\n");
    } else {
        put_list(task, timeline);
    }
    if (timeline->next.first != 0) {
        snprintf(place, sizeof place, "%" PRId64 ".%" PRId64, timeline->next.first,
                 timeline->next.second);
        view_url(task, task->path, "before", place, &url);
        http_page_put(&task->page, "<p><a class=\"button quiet\" href=\"%s\">Older</a></p>\n",
                      url.data ? url.data : "");
    }
    view_end(&task->page);
}

static void put_json(struct console_task *task, const struct inbox_timeline *timeline) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "runs", '[');
    for (size_t i = 0; i < timeline->n_entries; i++) {
        entry_put_json(json, &timeline->entries[i]);
    }
    view_json_close(json, ']');
    view_json_open(json, "effects", '[');
    for (size_t i = 0; i < timeline->n_effects; i++) {
        const struct inbox_audit_entry *row = &timeline->effects[i].audit;
        view_json_open(json, NULL, '{');
        view_json_time(json, "at", row->at_ms);
        view_json_text(json, "delivery", timeline->effects[i].delivery);
        view_json_text(json, "plugin", row->plugin);
        view_json_text(json, "method", row->method);
        view_json_text(json, "url", row->url);
        view_json_text(json, "state", row->state);
        view_json_number(json, "status", row->status);
        view_json_text(json, "request_id", row->request_id);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_close(json, '}');
}

void page_timeline(struct console_task *task) {
    char repository[HTTP_VALUE_MAX + 1];
    struct search search;
    struct error err;
    struct inbox_timeline timeline = {
        .operation = {.kind = INBOX_TIMELINE}, .repository = repository, .most = ENTRIES};
    search_read(task, &search);
    timeline.before = search.before;
    if (!read_place(task_rest(task), repository, &timeline.number)) {
        view_problem(task, 404, "No such item",
                     "The path must be /console/items/OWNER/REPOSITORY/NUMBER.",
                     "Search for owner/repository#number.");
        return;
    }
    if (search.problem) {
        view_problem(task, 400, "The filter is unreadable", search.problem, "Correct it.");
        return;
    }
    if (room_read(task->console, &timeline.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (task->wants_json) {
        put_json(task, &timeline);
    } else {
        put_page(task, &timeline);
    }
    inbox_timeline_finish(&timeline);
}
