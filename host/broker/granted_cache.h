/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Remembers for ten minutes which permissions an installation grants, for the tokens of all
 * plugins. So one of them asks GitHub (GET /app/installations/ID), and the others need not.
 *
 * Threads: the broker's alone. */
#ifndef SNEK_BROKER_GRANTED_CACHE_H
#define SNEK_BROKER_GRANTED_CACHE_H

#include "base/json.h"
#include "base/lru_map.h"

#include <stdint.h>

#define GRANTED_FOR_MS (10 * 60000)

struct granted_cache {
    struct lru_map map;
};

void granted_cache_init(struct granted_cache *cache);
void granted_cache_finish(struct granted_cache *cache);

/* Replaces what is known of the installation. When memory is short, nothing is known then.
 * `permissions` is a JSON object, which is copied. */
void granted_cache_put(struct granted_cache *cache, const char *installation,
                       const struct json_value *permissions);
void granted_cache_drop(struct granted_cache *cache, const char *installation);

/* True when the installation's permissions are known: `*permissions`, borrowed until the next call,
 * and the monotonic time until which they count. */
bool granted_cache_get(struct granted_cache *cache, const char *installation,
                       struct json_value *permissions, int64_t *until_ms);

#endif
