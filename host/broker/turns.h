/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A queue in which each owner's items take one turn after the other, so that a plugin that has
 * hundreds waiting lets every other in between. Not for several threads. */
#ifndef SNEK_BROKER_TURNS_H
#define SNEK_BROKER_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct turn {
    const char *owner; /* borrowed while it is queued; NULL: nobody's, which goes first */
    uint64_t number;
    bool queued;
    TAILQ_ENTRY(turn) link;
};

TAILQ_HEAD(turn_list, turn);

struct turns {
    struct turn_list list; /* in the order of turns */
    uint64_t number;       /* of the one that was taken last */
};

void turns_init(struct turns *turns);
void turns_add(struct turns *turns, struct turn *turn);
void turns_remove(struct turns *turns, struct turn *turn); /* queued or not; gives up its turn */
void turns_take(struct turns *turns, struct turn *turn);   /* it is its turn */

#endif
