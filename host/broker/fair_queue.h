/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A queue in which owners take turns: a plugin with hundreds of waiting requests lets every other
 * plugin's requests in between. Not for several threads. */
#ifndef SNEK_BROKER_FAIR_QUEUE_H
#define SNEK_BROKER_FAIR_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct fair_queue_entry {
    /* Borrowed while the entry is queued. NULL: no owner; such an entry goes first. */
    const char *owner;
    uint64_t turn;
    bool queued;
    TAILQ_ENTRY(fair_queue_entry) link;
};

TAILQ_HEAD(fair_queue_list, fair_queue_entry);

struct fair_queue {
    /* In the order of turns. */
    struct fair_queue_list list;
    /* The turn of the entry that was taken last. */
    uint64_t turn;
};

void fair_queue_init(struct fair_queue *queue);
void fair_queue_add(struct fair_queue *queue, struct fair_queue_entry *entry);
/* Queued or not; the entry gives up its turn. */
void fair_queue_remove(struct fair_queue *queue, struct fair_queue_entry *entry);
/* Removes the entry because its turn has come. */
void fair_queue_take(struct fair_queue *queue, struct fair_queue_entry *entry);

#endif
