/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Says what a person can do about a run that did not do its work. The console's thread. */
#ifndef SNEK_CONSOLE_ADVICE_H
#define SNEK_CONSOLE_ADVICE_H

#include "console/task.h"
#include "inbox/console.h"

/* Paragraphs below a run. Nothing for a run that did its work, or that goes on by itself.
 * in_doubt: nobody knows about an effect of the run whether GitHub carried it out. */
void advice_put(struct console_task *task, const struct inbox_entry *run, bool in_doubt);

/* The run's worker died, so the plugin's code or a limit of it is the cause. */
bool advice_is_crash(const struct inbox_entry *run);

/* The plugin had nothing to do with the delivery. */
bool advice_is_skipped(const struct inbox_entry *run);

#endif
