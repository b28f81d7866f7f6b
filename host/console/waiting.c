/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fair queueing (waiting.h). A session's tasks have turns of their own, one after the other, which
 * begin after the last turn that was served. At most CONSOLE_CONNECTIONS_MAX tasks wait, so a list
 * is fast enough. */
#include "console/waiting.h"

#include "base/list.h"

#include <assert.h>
#include <string.h>

static struct console_task *of_mail(struct mail *mail) {
    return CONTAINER_OF(mail, struct console_task, mail);
}

void console_waiting_init(struct console_waiting *waiting) {
    *waiting = (struct console_waiting){0};
    TAILQ_INIT(&waiting->tasks);
}

void console_waiting_add(struct console_waiting *waiting, struct console_task *task) {
    uint64_t last = waiting->turn;
    struct mail *mail;
    TAILQ_FOREACH(mail, &waiting->tasks, link) {
        const struct console_task *other = of_mail(mail);
        if (strcmp(other->form, task->form) == 0 && other->turn > last) {
            last = other->turn;
        }
    }
    task->turn = last + 1;
    TAILQ_INSERT_TAIL(&waiting->tasks, &task->mail, link);
}

bool console_waiting_is_empty(const struct console_waiting *waiting) {
    return TAILQ_EMPTY(&waiting->tasks);
}

struct console_task *console_waiting_take(struct console_waiting *waiting) {
    struct console_task *next = NULL;
    struct mail *mail;
    TAILQ_FOREACH(mail, &waiting->tasks, link) {
        struct console_task *task = of_mail(mail);
        if (!next || task->turn < next->turn) {
            next = task;
        }
    }
    assert(next && next->turn > 0);
    TAILQ_REMOVE(&waiting->tasks, &next->mail, link);
    if (next->turn > waiting->turn) {
        waiting->turn = next->turn;
    }
    return next;
}
