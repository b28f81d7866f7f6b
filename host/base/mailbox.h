/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads meet in mailboxes: any thread posts mail, one thread (the owner) opens it. Posted mail
 * belongs to the mailbox until it is opened, exactly once. The mail is a member of the caller's
 * struct, so that posting allocates nothing and cannot fail. */
#ifndef SNEK_BASE_MAILBOX_H
#define SNEK_BASE_MAILBOX_H

#include "base/list.h"

#include <pthread.h>

struct mail {
    /* Called on the owner's thread; may free the mail. */
    void (*open)(struct mail *mail);
    /* The mailbox's until the mail is opened; the caller's at any other time. */
    TAILQ_ENTRY(mail) link;
};

TAILQ_HEAD(mail_list, mail);

struct mailbox {
    pthread_mutex_t lock;
    /* Under `lock`. */
    struct mail_list mail;
    /* Readable while there is mail; for the owner's epoll or poll. */
    int event_fd;
};

/* Returns 0, or -1 with errno. */
int mailbox_init(struct mailbox *mailbox);
/* The mailbox must be empty. */
void mailbox_finish(struct mailbox *mailbox);

/* Any thread posts. The owner gets the mail in the order of posting. */
void mailbox_post(struct mailbox *mailbox, struct mail *mail);

/* Posts the whole list, which is empty then, and wakes the owner once. */
void mailbox_post_all(struct mailbox *mailbox, struct mail_list *list);

/* Opens all mail that was posted before the call and returns its number. Owner's thread. */
unsigned mailbox_drain(struct mailbox *mailbox);

#endif
