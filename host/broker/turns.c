/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "broker/turns.h"

#include <stddef.h>
#include <string.h>

void turns_init(struct turns *turns) {
    *turns = (struct turns){0};
    TAILQ_INIT(&turns->list);
}

void turns_add(struct turns *turns, struct turn *turn) {
    struct turn *other, *before = NULL;
    turn->number = turns->number;
    TAILQ_FOREACH(other, &turns->list, link) {
        bool same = turn->owner && other->owner && strcmp(turn->owner, other->owner) == 0;
        if (same && other->number > turn->number) {
            turn->number = other->number;
        }
    }
    turn->number += turn->owner != NULL;
    TAILQ_FOREACH(other, &turns->list, link) {
        if (other->number <= turn->number) {
            before = other;
        }
    }
    if (before) {
        TAILQ_INSERT_AFTER(&turns->list, before, turn, link);
    } else {
        TAILQ_INSERT_HEAD(&turns->list, turn, link);
    }
    turn->queued = true;
}

void turns_remove(struct turns *turns, struct turn *turn) {
    if (turn->queued) {
        TAILQ_REMOVE(&turns->list, turn, link);
        turn->queued = false;
    }
}

void turns_take(struct turns *turns, struct turn *turn) {
    turns_remove(turns, turn);
    if (turn->number > turns->number) {
        turns->number = turn->number;
    }
}
