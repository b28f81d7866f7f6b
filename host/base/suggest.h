/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a person may have meant by a name that does not exist. */
#ifndef SNEK_BASE_SUGGEST_H
#define SNEK_BASE_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

#define SUGGEST_NAME_MAX 64 /* bytes; longer names are near to nothing */

/* Edits (a letter added, left out, exchanged, or swapped with its neighbour) that make `a` of `b`;
 * SIZE_MAX when one is longer than SUGGEST_NAME_MAX. */
size_t suggest_distance(const char *a, const char *b);

/* Is `distance` so small that `name` may be a slip? One edit in three letters, at most three. */
bool suggest_is_near(const char *name, size_t distance);

/* Is `name`, of four bytes at least, how `longer` begins? "webhook_secret" means the file of it. */
bool suggest_is_prefix(const char *name, const char *longer);

#endif
