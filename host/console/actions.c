/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The list of what persons did. */
#include "console/pages.h"
#include "console/room.h"
#include "console/search.h"
#include "console/view.h"
#include "inbox/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACTIONS ((size_t)200)

/* The GUID of the delivery that was changed; NULL: the target is something else. */
static const char *delivery_of(const struct inbox_action *action) {
    bool is_delivery = strcmp(action->what, "retry") == 0 || strcmp(action->what, "discard") == 0;
    return is_delivery ? action->target : NULL;
}

static void put_target(struct buffer *page, const struct inbox_action *action) {
    const char *delivery = delivery_of(action);
    if (delivery) {
        view_put_delivery_link(page, delivery, "");
        http_page_put(page, ">%s</a>", delivery);
    } else {
        http_page_text(page, action->target);
    }
}

static void put_page(struct console_task *task, const struct inbox_actions *found) {
    struct buffer *page = &task->page;
    view_begin(task, "Actions", true);
    http_page_put(page,
                  "<p>What people changed, here and with the command line. The host keeps it for "
                  "%u days (<code>store.audit_days</code>).</p>\n",
                  task->console->options.config->store.audit_days);
    http_page_html(
        page,
        found->n_actions == 0
            ? "<p class=\"card\">Nobody has changed anything yet.</p>\n"
            : "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
              "aria-label=\"Actions\"><table class=\"list\">\n<thead><tr><th scope=\"col\">When"
              "</th><th scope=\"col\">Who</th><th scope=\"col\">What</th><th "
              "scope=\"col\">Target</th><th scope=\"col\">Result</th></tr>"
              "</thead>\n<tbody>\n");
    for (size_t i = 0; i < found->n_actions; i++) {
        const struct inbox_action *action = &found->actions[i];
        http_page_html(page, "<tr><td class=\"nowrap\">");
        view_time(page, action->at_ms, task->now_ms);
        http_page_put(page, "</td><td>%s</td><td>%s</td><td class=\"wide\">", action->who,
                      action->what);
        put_target(page, action);
        http_page_put(page, "</td><td>%s</td></tr>\n", action->result);
    }
    if (found->n_actions > 0) {
        http_page_html(page, "</tbody></table></div>\n");
    }
    if (found->more) {
        http_page_put(page,
                      "<p><a class=\"button quiet\" href=\"" CONSOLE_PATH
                      "/actions?before=%lld\">Older</a></p>\n",
                      (long long)found->actions[found->n_actions - 1].id);
    }
    view_end(page);
}

static void put_json(struct console_task *task, const struct inbox_actions *found) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "actions", '[');
    for (size_t i = 0; i < found->n_actions; i++) {
        const struct inbox_action *action = &found->actions[i];
        view_json_open(json, NULL, '{');
        view_json_number(json, "id", action->id);
        view_json_time(json, "at", action->at_ms);
        view_json_text(json, "who", action->who);
        view_json_text(json, "what", action->what);
        view_json_text(json, "target", action->target);
        if (delivery_of(action)) {
            view_json_text(json, "delivery", action->target);
        } else {
            view_json_null(json, "delivery");
        }
        view_json_text(json, "result", action->result);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_bool(json, "more", found->more);
    view_json_close(json, '}');
}

void page_actions(struct console_task *task) {
    struct error err;
    const char *before = task_field(task, "before");
    struct inbox_actions found = {
        .operation = {.kind = INBOX_ACTIONS}, .before = search_number(before), .most = ACTIONS};
    if (*before && found.before == 0) {
        view_problem(task, 400, "The place in the list is unreadable",
                     "The parameter “before” must be the number of an action.",
                     "Begin with the first page.");
        return;
    }
    if (room_read(task->console, &found.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (task->wants_json) {
        put_json(task, &found);
    } else {
        put_page(task, &found);
    }
    free(found.actions);
}
