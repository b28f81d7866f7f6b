/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs in tables and in JSON. The console's thread. */
#ifndef SNEK_CONSOLE_ENTRIES_H
#define SNEK_CONSOLE_ENTRIES_H

#include "console/task.h"
#include "inbox/console.h"

/* A table of runs, of which all of a delivery are together. */
void entries_put(struct console_task *task, const struct inbox_entry *entries, size_t n_entries);

/* The repository, or a link to the timeline of the item. */
void entry_put_place(struct buffer *page, const struct inbox_entry *entry);
/* Its badges. */
void entry_put_state(struct buffer *page, const struct inbox_entry *entry);
/* The reason of a run. Where nothing of the plugin matched, it leads to the page that says why. */
void entry_put_reason(struct buffer *page, const struct inbox_entry *entry);
/* The same for a list, which leads to the page of the delivery: a long reason is cut. */
void entry_put_short_reason(struct buffer *page, const struct inbox_entry *entry);
void entry_put_json(struct buffer *json, const struct inbox_entry *entry);

#endif
