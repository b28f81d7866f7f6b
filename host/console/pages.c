/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds a request's page. */
#include "console/pages.h"

#include "base/array.h"
#include "base/clock.h"
#include "console/view.h"

#include <string.h>

const struct console_page console_pages[] = {
    {.path = "", .menu = "Overview", .handle = page_overview},
    {.path = "/overview", .handle = page_overview},
    {.path = "/deliveries", .menu = "Deliveries", .handle = page_deliveries},
    {.path = "/deliveries", .has_rest = true, .handle = page_delivery},
    {.path = "/deliveries", .has_rest = true, .is_action = true, .handle = action_delivery},
    {.path = "/items", .has_rest = true, .handle = page_timeline},
    {.path = "/failures", .menu = "Failures", .handle = page_failures},
    {.path = "/failures/preview", .is_action = true, .handle = action_preview},
    {.path = "/failures/apply", .is_action = true, .handle = action_apply},
    {.path = "/plugins", .menu = "Plugins", .handle = page_plugins},
    {.path = "/plugins", .has_rest = true, .handle = page_plugin},
    {.path = "/plugins", .has_rest = true, .is_action = true, .handle = action_plugin},
    {.path = "/installations", .menu = "Installations", .handle = page_installations},
    {.path = "/installations", .has_rest = true, .is_action = true, .handle = action_installation},
    {.path = "/recovery", .menu = "Recovery", .handle = page_recovery},
    {.path = "/actions", .menu = "Actions", .handle = page_actions},
    {.path = "/help", .menu = "Help", .handle = page_help},
};
const size_t n_console_pages = ARRAY_LENGTH(console_pages);

static bool matches(const struct console_page *page, const char *path) {
    size_t bytes = strlen(page->path);
    if (strncmp(path, page->path, bytes) != 0) {
        return false;
    }
    return page->has_rest ? path[bytes] == '/' && path[bytes + 1] != '\0' : path[bytes] == '\0';
}

static const struct console_page *find(const char *path, bool is_action) {
    for (size_t i = 0; i < n_console_pages; i++) {
        if (console_pages[i].is_action == is_action && matches(&console_pages[i], path)) {
            return &console_pages[i];
        }
    }
    return NULL;
}

const char *task_rest(const struct console_task *task) {
    const struct console_page *page = find(task->path, task->is_post);
    return page && page->has_rest ? task->path + strlen(page->path) + 1 : "";
}

void console_pages_handle(struct console_task *task) {
    const struct console_page *page = find(task->path, task->is_post);
    task->now_ms = clock_wall_ms();
    task->status = 200;
    if (page) {
        page->handle(task);
        return;
    }
    bool other = find(task->path, !task->is_post) != NULL;
    if (other) {
        view_problem(task, 405, "This path does not accept this method",
                     task->is_post ? "It is a page, and takes no form."
                                   : "It takes the form of a button, and is no page.",
                     "Use the menu.");
        return;
    }
    view_problem(task, 404, "There is no such page", "The console has no page at this path.",
                 "Use the menu.");
}
