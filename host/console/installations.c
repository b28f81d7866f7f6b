/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The installations that wait for a rate limit or for a permission, and the end of their waits. */
#include "inbox/installations.h"
#include "console/pages.h"
#include "console/room.h"
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const resources[] = {[INBOX_RATE_LIMIT_ALL] = "all requests",
                                        [INBOX_RATE_LIMIT_SEARCH] = "searches",
                                        [INBOX_RATE_LIMIT_GRAPHQL] = "GraphQL"};

static void put_release(struct console_task *task, const char *installation) {
    char path[CONSOLE_PATH_MAX];
    snprintf(path, sizeof path, "/installations/%s/release", installation);
    if (view_form_begin(task, path)) {
        http_page_put(&task->page,
                      "<button class=\"quiet\">End its waits<span class=\"hidden\"> of %s</span>"
                      "</button>\n",
                      installation);
        view_form_end(&task->page);
    }
}

static void put_row(struct console_task *task, const struct inbox_waiting_installation *row) {
    struct buffer *page = &task->page;
    if (*row->plugin) {
        http_page_put(page,
                      "<li><a href=\"" CONSOLE_PATH "/deliveries?state=parked&amp;plugin=%s\">"
                      "%lld parked runs of %s</a>: ",
                      row->plugin, (long long)row->parked, row->plugin);
        view_long_text(page, row->reason);
        http_page_html(page, " The owner of the installation accepts permissions at GitHub, in "
                             "<em>Settings, Applications, Configure</em>.</li>\n");
        return;
    }
    for (size_t i = 0; i < INBOX_RATE_LIMIT_RESOURCES; i++) {
        if (row->until_ms[i] > 0) {
            http_page_put(page, "<li>GitHub's limit for %s ends ", resources[i]);
            view_time(page, row->until_ms[i], task->now_ms);
            http_page_html(page, "</li>\n");
        }
    }
}

static bool has_other_before(const struct inbox_installations *found, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(found->rows[i].installation, found->rows[index].installation) == 0) {
            return true;
        }
    }
    return false;
}

static void put_page(struct console_task *task, const struct inbox_installations *found) {
    struct buffer *page = &task->page;
    view_begin(task, "Installations that wait", true);
    view_notice(task);
    if (found->n_rows == 0) {
        http_page_html(page, "<p class=\"health good\">No installation waits for a rate limit or a "
                             "permission.</p>\n");
    }
    for (size_t i = 0; i < found->n_rows; i++) {
        const char *installation = found->rows[i].installation;
        if (has_other_before(found, i)) {
            continue;
        }
        http_page_put(page, "<section class=\"card\">\n<h2>Installation %s</h2>\n<ul>\n",
                      installation);
        for (size_t j = i; j < found->n_rows; j++) {
            if (strcmp(found->rows[j].installation, installation) == 0) {
                put_row(task, &found->rows[j]);
            }
        }
        http_page_html(page, "</ul>\n<div class=\"actions\">");
        put_release(task, installation);
        http_page_html(page, "</div>\n</section>\n");
    }
    view_end(page);
}

static void put_json(struct console_task *task, const struct inbox_installations *found) {
    struct buffer *json = &task->page;
    view_json_open(json, NULL, '{');
    view_json_open(json, "waiting", '[');
    for (size_t i = 0; i < found->n_rows; i++) {
        const struct inbox_waiting_installation *row = &found->rows[i];
        view_json_open(json, NULL, '{');
        view_json_text(json, "installation", row->installation);
        view_json_text(json, "plugin", row->plugin);
        view_json_number(json, "parked", row->parked);
        view_json_text(json, "reason", row->reason);
        view_json_time(json, "all_until", row->until_ms[INBOX_RATE_LIMIT_ALL]);
        view_json_time(json, "search_until", row->until_ms[INBOX_RATE_LIMIT_SEARCH]);
        view_json_time(json, "graphql_until", row->until_ms[INBOX_RATE_LIMIT_GRAPHQL]);
        view_json_close(json, '}');
    }
    view_json_close(json, ']');
    view_json_close(json, '}');
}

void page_installations(struct console_task *task) {
    struct error err;
    struct inbox_installations found = {.operation = {.kind = INBOX_INSTALLATIONS},
                                        .now_ms = task->now_ms};
    if (room_read(task->console, &found.operation, &err) < 0) {
        view_store_failed(task, &err);
        return;
    }
    if (task->wants_json) {
        put_json(task, &found);
    } else {
        put_page(task, &found);
    }
    free(found.rows);
}

/* POST /console/installations/ID/release */
void action_installation(struct console_task *task) {
    static const char action[] = "/release";
    struct error err;
    char id[CONSOLE_PATH_MAX], path[CONSOLE_PATH_MAX];
    snprintf(id, sizeof id, "%s", task_rest(task));
    size_t bytes = strlen(id), action_bytes = strlen(action);
    if (bytes <= action_bytes || strcmp(id + bytes - action_bytes, action) != 0 ||
        strspn(id, "0123456789") != bytes - action_bytes) {
        view_problem(task, 404, "No such action", "The path names no installation to release.",
                     "Use the buttons on the page of installations.");
        return;
    }
    id[bytes - action_bytes] = '\0';
    struct inbox_installation_release release = {.operation = {.kind = INBOX_INSTALLATION_RELEASE},
                                                 .installation = id,
                                                 .now_ms = task->now_ms};
    int result = room_change(task->console, &release.operation, &err);
    int64_t count = release.limits + release.delayed + release.parked;
    room_note_action(task, "release installation", id, result, &err, count);
    if (result < 0) {
        view_store_failed(task, &err);
        return;
    }
    snprintf(path, sizeof path, "/installations?what=installation&value=%" PRId64, count);
    view_redirect(task, path);
}
