/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds the name that a person may have meant by one that does not exist. */
#ifndef SNEK_BASE_SUGGEST_H
#define SNEK_BASE_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes; longer names are near to nothing. */
#define SUGGEST_NAME_MAX 64

/* Edits (a letter added, left out, exchanged, or swapped with its neighbour) that make `a` of `b`;
 * SIZE_MAX when one is longer than SUGGEST_NAME_MAX. */
size_t suggest_distance(const char *a, const char *b);

/* Is `distance` so small that `name` may be a slip? One edit in three letters, at most three. */
bool suggest_is_near(const char *name, size_t distance);

/* Does `longer` begin with `name`, which has at least four bytes? "webhook_secret" means
 * "webhook_secret_file". */
bool suggest_is_prefix(const char *name, const char *longer);

#endif
