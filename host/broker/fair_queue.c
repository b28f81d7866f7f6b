/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers the entries of each owner, and keeps the queue sorted by number. */
#include "broker/fair_queue.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

void fair_queue_init(struct fair_queue *queue) {
    *queue = (struct fair_queue){0};
    TAILQ_INIT(&queue->list);
}

void fair_queue_add(struct fair_queue *queue, struct fair_queue_entry *entry) {
    struct fair_queue_entry *other, *before = NULL;
    assert(!entry->queued);
    entry->turn = queue->turn;
    TAILQ_FOREACH(other, &queue->list, link) {
        bool same = entry->owner && other->owner && strcmp(entry->owner, other->owner) == 0;
        if (same && other->turn > entry->turn) {
            entry->turn = other->turn;
        }
    }
    entry->turn += entry->owner != NULL;
    TAILQ_FOREACH(other, &queue->list, link) {
        if (other->turn <= entry->turn) {
            before = other;
        }
    }
    if (before) {
        TAILQ_INSERT_AFTER(&queue->list, before, entry, link);
    } else {
        TAILQ_INSERT_HEAD(&queue->list, entry, link);
    }
    entry->queued = true;
}

void fair_queue_remove(struct fair_queue *queue, struct fair_queue_entry *entry) {
    if (entry->queued) {
        TAILQ_REMOVE(&queue->list, entry, link);
        entry->queued = false;
    }
}

void fair_queue_take(struct fair_queue *queue, struct fair_queue_entry *entry) {
    assert(entry->queued);
    fair_queue_remove(queue, entry);
    if (entry->turn > queue->turn) {
        queue->turn = entry->turn;
    }
}
