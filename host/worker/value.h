/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Converts JSON to the SDK's struct snek_value (event.h). */
#ifndef SNEK_WORKER_VALUE_H
#define SNEK_WORKER_VALUE_H

#include "worker/arena.h"

#include <snekomatic/event.h>

/* Finds `path` in `json`, fills `value` (which may be NULL) and returns its kind. The text is from
 * `arena`. SNEK_ABSENT when the path leads nowhere or is NULL, or when memory is short. */
uint32_t value_find(struct arena *arena, const char *json, size_t bytes, const char *path,
                    struct snek_value *value);

#endif
