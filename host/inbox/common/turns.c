/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The turns of plugins' installations: a short array, one item for each plugin. */
#include "inbox/common/turns.h"

#include "base/array.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct turn {
    char plugin[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
    /* The last claim that looked at all runs; 0: none since the last turns_forget_due(). */
    int64_t full_ms;
    int64_t due_from_ms;
};

/* The clocks of hosts differ. */
#define SKEW_MS 10000

void turns_finish(struct turns *turns) {
    free(turns->turns);
    *turns = (struct turns){0};
}

static struct turn *find(const struct turns *turns, const char *plugin) {
    for (size_t i = 0; i < turns->n_turns; i++) {
        if (strcmp(turns->turns[i].plugin, plugin) == 0) {
            return &turns->turns[i];
        }
    }
    return NULL;
}

const char *turns_last(const struct turns *turns, const char *plugin) {
    const struct turn *turn = find(turns, plugin);
    return turn ? turn->installation : "";
}

/* NULL when memory is short. */
static struct turn *find_or_add(struct turns *turns, const char *plugin) {
    struct turn *turn = find(turns, plugin);
    if (!turn) {
        turn = ARRAY_ADD(turns->turns, turns->n_turns);
        if (turn) {
            snprintf(turn->plugin, sizeof turn->plugin, "%s", plugin);
        }
    }
    return turn;
}

void turns_passed(struct turns *turns, const char *plugin, const char *installation) {
    struct turn *turn = find_or_add(turns, plugin);
    if (turn) {
        snprintf(turn->installation, sizeof turn->installation, "%s", installation);
    }
}

void turns_took(struct turns *turns, const char *plugin, const struct inbox_claim *claim,
                size_t first) {
    size_t last = first;
    while (last + 1 < claim->n_runs &&
           strcmp(claim->runs[last + 1].installation, claim->runs[first].installation) != 0) {
        last++;
    }
    if (last < claim->n_runs) {
        turns_passed(turns, plugin, claim->runs[last].installation);
    }
}

int64_t turns_due_from(const struct turns *turns, const char *plugin, int64_t now_ms) {
    const struct turn *turn = find(turns, plugin);
    bool known = turn && turn->full_ms != 0 && now_ms >= turn->full_ms &&
                 now_ms - turn->full_ms < TURNS_FULL_MS;
    return known ? turn->due_from_ms : 0;
}

void turns_note_due(struct turns *turns, const char *plugin, int64_t now_ms, int64_t from_ms,
                    int64_t due_ms) {
    struct turn *turn = find_or_add(turns, plugin);
    if (!turn || (from_ms != 0 && turn->full_ms == 0)) {
        return;
    }
    int64_t first_ms = due_ms < now_ms ? due_ms : now_ms;
    turn->due_from_ms = first_ms > SKEW_MS ? first_ms - SKEW_MS : 0;
    if (from_ms == 0) {
        turn->full_ms = now_ms;
    }
}

void turns_queued(struct turns *turns, const char *plugin, int64_t due_ms) {
    struct turn *turn = find(turns, plugin);
    if (turn && due_ms < turn->due_from_ms) {
        turn->due_from_ms = due_ms;
    }
}

void turns_queued_elsewhere(struct turns *turns, int64_t due_ms) {
    for (size_t i = 0; i < turns->n_turns; i++) {
        turns_queued(turns, turns->turns[i].plugin, due_ms);
    }
}

void turns_forget_due(struct turns *turns) {
    for (size_t i = 0; i < turns->n_turns; i++) {
        turns->turns[i].full_ms = 0;
    }
}
