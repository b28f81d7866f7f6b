/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The values that were found in a payload, a response or a configuration: each is copied once,
 * however often a plugin reads it, so that no loop uses up the memory. Any thread. */
#ifndef SNEK_WORKER_FOUND_VALUES_H
#define SNEK_WORKER_FOUND_VALUES_H

#include "base/list.h"
#include "worker/arena.h"

#include <snekomatic/event.h>

struct found_value;

struct found_values {
    /* Guards the members below. */
    pthread_mutex_t lock;
    struct arena arena;
    TAILQ_HEAD(, found_value) list;
};

void found_values_init(struct found_values *values, size_t max_bytes);
void found_values_finish(struct found_values *values);

/* Works like the event service's find(), in JSON that stays in its place, or a part of it. Texts
 * live until found_values_finish(). `value` may be NULL. */
uint32_t found_values_find(struct found_values *values, const char *json, size_t bytes,
                           const char *path, struct snek_value *value);

#endif
