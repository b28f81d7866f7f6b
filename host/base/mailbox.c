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
    mailbox->last = &mailbox->first;
    pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

void mailbox_finish(struct mailbox *mailbox) {
    assert(!mailbox->first);
    pthread_mutex_destroy(&mailbox->lock);
    close(mailbox->event_fd);
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail) {
    assert(mail->open);
    SCOPED_LOCK(&mailbox->lock);
    bool was_empty = !mailbox->first;
    mail->next = NULL;
    *mailbox->last = mail;
    mailbox->last = &mail->next;
    if (was_empty) {
        /* Under the lock: the owner must not finish the mailbox between the two steps. The write
         * cannot fail: mailbox_drain() has reset the counter. */
        eventfd_write(mailbox->event_fd, 1);
    }
}

static struct mail *take_all(struct mailbox *mailbox) {
    eventfd_t count;
    SCOPED_LOCK(&mailbox->lock);
    struct mail *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    eventfd_read(mailbox->event_fd, &count);
    return first;
}

unsigned mailbox_drain(struct mailbox *mailbox) {
    unsigned opened = 0;
    for (struct mail *mail = take_all(mailbox), *next; mail; mail = next) {
        /* open() may free the mail. */
        next = mail->next;
        mail->open(mail);
        opened++;
    }
    return opened;
}
