/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The steps of a run in the order of their time: attempts, requests, its end. The console's thread.
 */
#ifndef SNEK_CONSOLE_STEPS_H
#define SNEK_CONSOLE_STEPS_H

#include "console/task.h"
#include "inbox/console.h"

void steps_put(struct console_task *task, const struct inbox_show *show, size_t run);
/* Adds the members "requests" and "attempts". */
void steps_put_json(struct buffer *json, const struct inbox_show *show);

#endif
