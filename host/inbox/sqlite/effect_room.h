/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How many more effects surely fit into a plugin's limit for an hour, so that not each effect
 * counts those of the last hour again. Only this process adds effects to an SQLite store: after a
 * count of n, the next limit - n effects fit, because time only takes effects out of the hour. If
 * the clock was set back, some may be in it again, so they are counted again. For the writer's
 * thread. */
#ifndef SNEK_INBOX_SQLITE_EFFECT_ROOM_H
#define SNEK_INBOX_SQLITE_EFFECT_ROOM_H

#include "base/lru_map.h"
#include "inbox/audit.h"

#include <stdbool.h>
#include <stdint.h>

/* The room of one plugin in one installation. */
struct effect_room {
    struct lru_entry entry;
    /* The limit that was in force; a reload may change it. */
    int64_t per_hour;
    /* The wall clock of the last count. */
    int64_t counted_ms;
    int64_t left;
};

struct effect_rooms {
    struct lru_map map;
};

void effect_rooms_init(struct effect_rooms *rooms);
void effect_rooms_finish(struct effect_rooms *rooms);

/* The room of the effect's plugin and installation, without any room at first. It stays valid until
 * the next call. NULL: no memory, or a very long name. */
struct effect_room *effect_rooms_find(struct effect_rooms *rooms,
                                      const struct inbox_effect *effect);

/* Takes the place of one effect at `at_ms`. False: only a count can tell whether it fits. */
bool effect_room_take(struct effect_room *room, int64_t per_hour, int64_t at_ms);

/* `count` effects, fewer than `per_hour`, are newer than an hour before `at_ms`, and one more is
 * added now. */
void effect_room_set(struct effect_room *room, int64_t per_hour, int64_t at_ms, int64_t count);

#endif
