/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/mailbox.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *mailbox) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    *mailbox = (struct mailbox){.event_fd = fd, .first = NULL};
    mailbox->last = &mailbox->first;
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

void mailbox_finish(struct mailbox *mailbox) {
    (void)pthread_mutex_destroy(&mailbox->lock);
    (void)close(mailbox->event_fd);
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail) {
    mail->next = NULL;
    (void)pthread_mutex_lock(&mailbox->lock);
    int was_empty = mailbox->first == NULL;
    *mailbox->last = mail;
    mailbox->last = &mail->next;
    if (was_empty) {
        /* Under the lock: the owner cannot finish the mailbox between the two. */
        uint64_t one = 1;
        (void)!write(mailbox->event_fd, &one, sizeof one);
    }
    (void)pthread_mutex_unlock(&mailbox->lock);
}

unsigned mailbox_drain(struct mailbox *mailbox) {
    uint64_t count;
    (void)pthread_mutex_lock(&mailbox->lock);
    struct mail *mail = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    (void)!read(mailbox->event_fd, &count, sizeof count);
    (void)pthread_mutex_unlock(&mailbox->lock);

    unsigned opened = 0;
    while (mail) {
        struct mail *next = mail->next; /* open() may free the mail */
        mail->open(mail);
        mail = next;
        opened++;
    }
    return opened;
}
