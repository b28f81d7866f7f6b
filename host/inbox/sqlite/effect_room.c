/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One room for each plugin in each installation; those used least recently are forgotten. */
#include "inbox/sqlite/effect_room.h"

#include <assert.h>
#include <stdlib.h>

#define ROOMS_MAX 1024
#define KEY_MAX 4096

static void on_evict(struct lru_entry *entry, void *context) {
    (void)context;
    free(CONTAINER_OF(entry, struct effect_room, entry));
}

void effect_rooms_init(struct effect_rooms *rooms) {
    lru_map_init(&rooms->map,
                 &(struct lru_map_options){.entries_max = ROOMS_MAX, .on_evict = on_evict});
}

void effect_rooms_finish(struct effect_rooms *rooms) {
    lru_map_finish(&rooms->map);
}

struct effect_room *effect_rooms_find(struct effect_rooms *rooms,
                                      const struct inbox_effect *effect) {
    AUTO_BUFFER struct buffer key = BUFFER_INIT(KEY_MAX);
    if (lru_map_key_part(&key, effect->plugin) < 0 ||
        lru_map_key_part(&key, effect->installation) < 0) {
        return NULL;
    }
    struct lru_entry *found = lru_map_find(&rooms->map, key.data, key.bytes);
    if (found) {
        return CONTAINER_OF(found, struct effect_room, entry);
    }
    struct effect_room *room = calloc(1, sizeof *room);
    if (room && lru_map_put(&rooms->map, &room->entry, key.data, key.bytes, 0) < 0) {
        free(STEAL(room));
    }
    return room;
}

bool effect_room_take(struct effect_room *room, int64_t per_hour, int64_t at_ms) {
    assert(room->left >= 0);
    if (room->left == 0 || room->per_hour != per_hour || at_ms < room->counted_ms) {
        return false;
    }
    room->left--;
    return true;
}

void effect_room_set(struct effect_room *room, int64_t per_hour, int64_t at_ms, int64_t count) {
    assert(count >= 0 && count < per_hour);
    room->per_hour = per_hour;
    room->counted_ms = at_ms;
    room->left = per_hour - count - 1;
}
