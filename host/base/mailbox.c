/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A locked list of mail, and an eventfd that wakes the owner. */
#include "base/mailbox.h"

#include "base/lock.h"

#include <assert.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *mailbox) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    *mailbox = (struct mailbox){.event_fd = fd};
    TAILQ_INIT(&mailbox->mail);
    pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

void mailbox_finish(struct mailbox *mailbox) {
    assert(TAILQ_EMPTY(&mailbox->mail));
    pthread_mutex_destroy(&mailbox->lock);
    close(mailbox->event_fd);
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail) {
    struct mail_list list;
    assert(mail->open);
    TAILQ_INIT(&list);
    TAILQ_INSERT_TAIL(&list, mail, link);
    mailbox_post_all(mailbox, &list);
}

void mailbox_post_all(struct mailbox *mailbox, struct mail_list *list) {
    assert(!TAILQ_EMPTY(list));
    SCOPED_LOCK(&mailbox->lock);
    bool was_empty = TAILQ_EMPTY(&mailbox->mail);
    TAILQ_CONCAT(&mailbox->mail, list, link);
    if (was_empty) {
        /* Under the lock: the owner must not finish the mailbox between the two steps. The write
         * cannot fail: mailbox_drain() has reset the counter. */
        eventfd_write(mailbox->event_fd, 1);
    }
}

static void take_all(struct mailbox *mailbox, struct mail_list *taken) {
    eventfd_t count;
    TAILQ_INIT(taken);
    SCOPED_LOCK(&mailbox->lock);
    TAILQ_CONCAT(taken, &mailbox->mail, link);
    eventfd_read(mailbox->event_fd, &count);
}

unsigned mailbox_drain(struct mailbox *mailbox) {
    struct mail_list taken;
    struct mail *mail;
    unsigned opened = 0;
    take_all(mailbox, &taken);
    while ((mail = TAILQ_FIRST(&taken))) {
        /* The handler may free the mail. */
        TAILQ_REMOVE(&taken, mail, link);
        mail->open(mail);
        opened++;
    }
    return opened;
}
