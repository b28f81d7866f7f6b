/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* JSON as the SDK shows it: struct snek_value of event.h. */
#ifndef SNEK_WORKER_VALUE_H
#define SNEK_WORKER_VALUE_H

#include "worker/arena.h"

#include <snekomatic/event.h>

/* Finds `path` in `json` and fills `value` (which may be NULL: then only the kind counts); its text
 * is from `arena`. SNEK_ABSENT when there is nothing, `path` is NULL or memory is short. */
uint32_t value_find(struct arena *arena, const char *json, size_t bytes, const char *path,
                    struct snek_value *value);

#endif
