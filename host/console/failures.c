/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Dead and parked runs, grouped by plugin and reason. */
#include "console/pages.h"
#include "console/room.h"
#include "console/view.h"
#include "inbox/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_list_url(struct buffer *page, const struct inbox_failure_group *group) {
    AUTO_BUFFER struct buffer url = BUFFER_INIT(8192);
    buffer_printf(&url, CONSOLE_PATH "/deliveries?state=%s&plugin=", group->state);
    view_append_encoded(&url, group->plugin);
    buffer_append_text(&url, "&group=");
    view_append_encoded(&url, group->reason);
    http_page_text(page, url.data ? url.data : "");
}

static bool fits_a_field(const char *text) {
    return strlen(text) <= HTTP_VALUE_MAX;
}

static void put_bulk_button(struct console_task *task, const struct inbox_failure_group *group,
                            const char *what, const char *text, const char *style) {
    if (!fits_a_field(group->reason) || !view_form_begin(task, "/failures/preview")) {
        return;
    }
    view_hidden(&task->page, "what", what);
    view_hidden(&task->page, "state", group->state);
    view_hidden(&task->page, "plugin", group->plugin);
    view_hidden(&task->page, "group", group->reason);
    http_page_put(&task->page, "<button class=\"%s\">%s</button>\n", style, text);
    view_form_end(&task->page);
}

/* The times, and links to the deliveries. */
static void put_when(struct console_task *task, const struct inbox_failure_group *group) {
    struct buffer *page = &task->page;
    bool one = group->runs == 1;
    /* Pages show whole seconds. */
    if (group->first_ms / 1000 != group->last_ms / 1000) {
        http_page_html(page, "First ");
        view_time(page, group->first_ms, task->now_ms);
        http_page_html(page, ", last ");
    }
    view_time(page, group->last_ms, task->now_ms);
    http_page_html(page, ". ");
    view_put_delivery_link(page, group->guid, "");
    http_page_html(page, one ? ">Its delivery</a>" : ">The last one</a>, <a href=\"");
    if (!one) {
        put_list_url(page, group);
        http_page_html(page, "\">all of them</a>");
    }
}

static void put_group(struct console_task *task, const struct inbox_failure_group *group) {
    struct buffer *page = &task->page;
    bool dead = strcmp(group->state, "dead") == 0;
    http_page_put(page, "<section class=\"card\">\n<h2>%s: %lld ", group->plugin,
                  (long long)group->runs);
    view_state(page, group->state);
    http_page_html(page, "</h2>\n<p>");
    if (*group->label && strcmp(group->label, group->state) != 0) {
        http_page_put(page, "<strong>%s</strong>: ", group->label);
    }
    view_long_text(page, *group->last_reason ? group->last_reason : "without a reason");
    if (dead && strncmp(group->reason, "the worker ", strlen("the worker ")) == 0) {
        http_page_html(page,
                       "</p>\n<p><strong>Fix the plugin before you retry.</strong> The page of "
                       "the last one has the crash among its log lines.");
    }
    if (!dead) {
        http_page_html(page, "</p>\n<p>Parked runs go on by themselves when the cause is gone. <a "
                             "href=\"" CONSOLE_PATH "/installations\">The installations</a> have "
                             "the steps.");
    }
    http_page_html(page, "</p>\n<p class=\"soft\">");
    put_when(task, group);
    http_page_html(page, "</p>\n<div class=\"actions\">\n");
    bool one = group->runs == 1;
    put_bulk_button(task, group, "retry", one ? "Retry it…" : "Retry all…", "quiet");
    if (!dead) {
        put_bulk_button(task, group, "discard", one ? "Discard it…" : "Discard all…", "danger");
    }
    http_page_html(page, "</div>\n</section>\n");
}

static void put_page(struct console_task *task, const struct inbox_failures *failures) {
    struct buffer *page = &task->page;
    view_begin(task, "Failures", true);
    view_notice(task);
    if (failures->n_groups == 0) {
        http_page_html(page, "<p class=\"health good\">No run is dead or parked.</p>\n");
    }
    if (failures->cut) {
        http_page_html(page, "<p class=\"notice\">There are more failures than were looked at. The "
                             "numbers are of the latest ones.</p>\n");
    }
    bool differs = false;
    for (size_t i = 0; i < failures->n_groups; i++) {
        const struct inbox_failure_group *group = &failures->groups[i];
        put_group(task, group);
        differs = differs || (group->runs > 1 && strcmp(group->reason, group->last_reason) != 0);
    }
    if (differs) {
        http_page_html(page, "<p class=\"hint\">A group shows the reason of its last run. In the "
                             "reasons of the others, numbers and ids may differ.</p>\n");
    }
    view_end(page);
}

static void put_json(struct console_task *task, const struct inbox_failures *failures) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "groups", '[');
    for (size_t i = 0; i < failures->n_groups; i++) {
        const struct inbox_failure_group *group = &failures->groups[i];
        view_json_open(json, NULL, '{');
        view_json_text(json, "plugin", group->plugin);
        view_json_text(json, "state", group->state);
        view_json_text(json, "label", group->label);
        view_json_text(json, "reason", group->reason);
        view_json_text(json, "last_reason", group->last_reason);
        view_json_number(json, "runs", group->runs);
        view_json_time(json, "first", group->first_ms);
        view_json_time(json, "last", group->last_ms);
        view_json_text(json, "last_delivery", group->guid);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_bool(json, "cut", failures->cut);
    view_json_close(json, '}');
}

void page_failures(struct console_task *task) {
    struct error err;
    const char *plugin = task_field(task, "plugin");
    struct inbox_failures failures = {.operation = {.kind = INBOX_FAILURES},
                                      .plugin = *plugin ? plugin : NULL};
    if (room_read(task->console, &failures.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (task->wants_json) {
        put_json(task, &failures);
    } else {
        put_page(task, &failures);
    }
    inbox_failures_free(failures.groups, failures.n_groups);
}
