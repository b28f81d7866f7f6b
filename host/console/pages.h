/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of pages: each path has one function, which makes the page or carries out the action.
 * The console's thread. */
#ifndef SNEK_CONSOLE_PAGES_H
#define SNEK_CONSOLE_PAGES_H

#include "console/task.h"

struct console_page {
    /* Below /console. */
    const char *path;
    /* In the menu; NULL: not there. */
    const char *menu;
    /* The path goes on behind a slash, for example with a GUID: task_rest(). */
    bool has_rest;
    /* It takes a POST only; else a GET only. */
    bool is_action;
    void (*handle)(struct console_task *task);
};

extern const struct console_page console_pages[];
extern const size_t n_console_pages;

/* The text after the page's path and a slash. */
const char *task_rest(const struct console_task *task);

/* Each belongs to a row of the table. */
void page_overview(struct console_task *task);
void page_deliveries(struct console_task *task);
void page_delivery(struct console_task *task);
void action_delivery(struct console_task *task);
void page_timeline(struct console_task *task);
void page_failures(struct console_task *task);
void action_preview(struct console_task *task);
void action_apply(struct console_task *task);
void page_plugins(struct console_task *task);
void page_plugin(struct console_task *task);
void action_plugin(struct console_task *task);
void page_installations(struct console_task *task);
void action_installation(struct console_task *task);
void page_recovery(struct console_task *task);
void page_actions(struct console_task *task);
void page_help(struct console_task *task);

#endif
