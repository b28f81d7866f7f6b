/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies the timers of an attempt out of its worker's frames. */
#include "dispatch/timer_list.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>

static void free_change(struct inbox_timer_change *change) {
    free((char *)(uintptr_t)change->key);
    free((char *)(uintptr_t)change->body);
    free((char *)(uintptr_t)change->guid);
}

static char *new_guid(void) {
    uint8_t bytes[UUID_BYTES];
    char text[UUID_TEXT_MAX];
    arc4random_buf(bytes, sizeof bytes);
    uuid_format(bytes, UUID_RANDOM, text);
    return strdup(text);
}

bool timer_list_add(struct timer_list *list, int64_t delay_ms, struct frame_text key,
                    struct frame_text payload) {
    if (list->n_changes >= FRAME_TIMERS_MAX ||
        list->bytes + payload.bytes > FRAME_TIMERS_BYTES_MAX) {
        return false;
    }
    bool sets = payload.bytes > 0;
    struct inbox_timer_change change = {.key = strndup(key.data, key.bytes),
                                        .body = sets ? strndup(payload.data, payload.bytes) : NULL,
                                        .body_bytes = payload.bytes,
                                        .due_ms = sets ? clock_true_ms() + delay_ms : 0,
                                        .guid = new_guid()};
    struct inbox_timer_change *added = NULL;
    if (change.key && change.guid && (!sets || change.body)) {
        added = ARRAY_ADD(list->changes, list->n_changes);
    }
    if (!added) {
        free_change(&change);
        return false;
    }
    *added = change;
    list->bytes += payload.bytes;
    return true;
}

void timer_list_finish(struct timer_list *list) {
    for (size_t i = 0; i < list->n_changes; i++) {
        free_change(&list->changes[i]);
    }
    free(list->changes);
    *list = (struct timer_list){0};
}
