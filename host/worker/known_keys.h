/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The keys that an object of a configuration may have. */
#ifndef SNEK_WORKER_KNOWN_KEYS_H
#define SNEK_WORKER_KNOWN_KEYS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* 0; -1 when the object has a key that is not among `keys`: `err` has "KEY is unknown; the nearest
 * right key is ...", and `at` is the offset of the key's quote. Another value than an object has no
 * keys. `json` is well-formed. */
int known_keys_check(const char *json, size_t bytes, const char *const *keys, uint32_t keys_count,
                     size_t *at, struct error *err);

/* The sentence for a key that is not among `keys`. Returns -1. */
int known_keys_unknown(const char *key, const char *const *keys, uint32_t keys_count,
                       struct error *err);

#endif
