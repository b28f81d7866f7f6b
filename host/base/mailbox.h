/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How threads meet: any thread posts, one thread (the owner) opens. A posted mail belongs to the
 * mailbox until it is opened, and is opened exactly once. The mail is part of the caller's own
 * struct, so posting allocates nothing and cannot fail. */
#ifndef SNEK_BASE_MAILBOX_H
#define SNEK_BASE_MAILBOX_H

#include "base/list.h"

#include <pthread.h>

struct mail {
    struct mail *next;
    void (*open)(struct mail *mail); /* called on the owner's thread; may free the mail */
};

struct mailbox {
    pthread_mutex_t lock;
    struct mail *first, **last;
    int event_fd; /* readable while there is mail; for the owner's epoll or poll */
};

int mailbox_init(struct mailbox *mailbox);    /* 0, or -1 with errno */
void mailbox_finish(struct mailbox *mailbox); /* must be empty */

void mailbox_post(struct mailbox *mailbox, struct mail *mail); /* from any thread; in order */

/* Opens everything that was posted before the call; the number opened. Owner's thread. */
unsigned mailbox_drain(struct mailbox *mailbox);

#endif
