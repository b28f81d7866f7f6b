/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The history of one issue, pull request or discussion: deliveries and effects by time. */
#include "base/array.h"
#include "console/entries.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/search.h"
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* The effect of a request in words, by its method and the end of its path. */
static const char *words_of(const char *method, const char *url) {
    static const struct {
        const char *method, *end, *words;
    } known[] = {{"POST", "/comments", "wrote a comment"},
                 {"PATCH", "/comments/", "changed a comment"},
                 {"POST", "/labels", "added labels"},
                 {"DELETE", "/labels/", "removed a label"},
                 {"POST", "/assignees", "assigned people"},
                 {"POST", "/reactions", "added a reaction"},
                 {"POST", "/requested_reviewers", "requested reviews"},
                 {"POST", "/reviews", "wrote a review"},
                 {"PUT", "/merge", "merged"},
                 {"POST", "/issues", "opened an issue"}};
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        size_t bytes = strlen(known[i].end), all = strlen(url);
        bool within = known[i].end[bytes - 1] == '/' && strstr(url, known[i].end);
        bool ends = all >= bytes && strcmp(url + all - bytes, known[i].end) == 0;
        if (strcmp(method, known[i].method) == 0 && (within || ends)) {
            return known[i].words;
        }
    }
    return "sent a request";
}

/* The path behind "/repos/OWNER/REPOSITORY", or the whole. */
static const char *short_url(const char *url, const char *repository) {
    const char *repos = strstr(url, "/repos/");
    const char *rest = repos ? repos + strlen("/repos/") : url;
    size_t bytes = strlen(repository);
    return repos && strncasecmp(rest, repository, bytes) == 0 && rest[bytes] == '/' ? rest + bytes
                                                                                    : url;
}

static const struct inbox_entry *entry_of(const struct inbox_timeline *timeline, const char *guid) {
    for (size_t i = 0; i < timeline->n_entries; i++) {
        if (strcmp(timeline->entries[i].guid, guid) == 0) {
            return &timeline->entries[i];
        }
    }
    return NULL;
}

static void put_effect(struct console_task *task, const struct inbox_timeline *timeline,
                       const struct inbox_timeline_effect *effect) {
    struct buffer *page = &task->page;
    const struct inbox_audit_entry *row = &effect->audit;
    const struct inbox_entry *cause = entry_of(timeline, effect->delivery);
    /* A row of the audit is one request. A later one may have settled the effect. */
    bool has_no_response = row->status <= 0 && strcmp(row->state, "intended") == 0;
    const char *words = has_no_response ? "sent a request" : words_of(row->method, row->url);
    http_page_html(page, "<li class=\"effect\">");
    view_time(page, row->at_ms, task->now_ms);
    http_page_put(page, " <strong>%s</strong> %s <code class=\"soft\">%s %s</code> ", row->plugin,
                  words, row->method, short_url(row->url, timeline->repository));
    if (row->status > 0) {
        http_page_put(page, "<strong>%d</strong> ", (int)row->status);
    } else {
        view_state(page, has_no_response ? "no response" : row->state);
    }
    http_page_html(page, " because of ");
    view_put_delivery_link(page, effect->delivery, "");
    if (cause) {
        http_page_put(page, ">%s%s%s</a></li>\n", cause->event, *cause->action ? "." : "",
                      cause->action);
    } else {
        http_page_html(page, ">a delivery about something else</a></li>\n");
    }
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
        entry_put_short_reason(page, &runs[i]);
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
            put_effect(task, timeline, &timeline->effects[j++]);
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
    http_page_html(&task->page, "<p class=\"hint\">The deliveries about it, and the effects of "
                                "plugins on it, the newest first.</p>\n");
    put_list(task, timeline);
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
    bool none = timeline.n_entries == 0 && timeline.n_effects == 0 && timeline.next.first == 0;
    if (none && search.before.first == 0) {
        view_problem(task, 404, "Nothing is known of this item",
                     "The store has no delivery about this item, and no effect on it.",
                     "Check the number. The host deletes finished deliveries after "
                     "store.retention_days.");
    } else if (task->wants_json) {
        put_json(task, &timeline);
    } else {
        put_page(task, &timeline);
    }
    inbox_timeline_finish(&timeline);
}
