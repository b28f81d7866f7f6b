/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tasks that wait for the console's thread, which takes them by turns: a session that has many
 * tasks does not delay the single one of another. Requests without a session (a program's token,
 * the public help) count as one session. */
#ifndef SNEK_CONSOLE_WAITING_H
#define SNEK_CONSOLE_WAITING_H

#include "console/task.h"

struct console_waiting {
    /* Tasks, linked by their mail, in the order of their arrival. */
    struct mail_list tasks;
    /* The turn of the last task that was taken. */
    uint64_t turn;
};

void console_waiting_init(struct console_waiting *waiting);
void console_waiting_add(struct console_waiting *waiting, struct console_task *task);
bool console_waiting_is_empty(const struct console_waiting *waiting);
/* Removes the next task. There must be one. */
struct console_task *console_waiting_take(struct console_waiting *waiting);

#endif
