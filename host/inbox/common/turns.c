/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The turns of plugins' installations: a short array, one item for each plugin. */
#include "inbox/common/turns.h"

#include "base/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct turn {
    char plugin[INBOX_NAME_MAX + 1];
    char installation[INBOX_NAME_MAX + 1];
};

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

void turns_passed(struct turns *turns, const char *plugin, const char *installation) {
    struct turn *turn = find(turns, plugin);
    if (!turn) {
        turn = ARRAY_ADD(turns->turns, turns->n_turns);
    }
    if (turn) {
        snprintf(turn->plugin, sizeof turn->plugin, "%s", plugin);
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
