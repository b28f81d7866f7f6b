/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* JSON trees by path ("pull_request.labels[0].name"), merged, rewritten and compared. */
#ifndef SNEK_SCENARIO_TREE_H
#define SNEK_SCENARIO_TREE_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Borrowed; NULL when nothing is there. */
json_t *tree_find(json_t *root, const char *path);

/* Puts `value` (borrowed; NULL removes) at `path`, whose way must exist. 0, or -1 with where it
 * ends. */
int tree_set(json_t *root, const char *path, json_t *value, struct error *err);

/* Each key of `changes` is a path; tables merge into objects that are there. 0 or -1. */
int tree_change(json_t *root, json_t *changes, struct error *err);

/* A copy in which every text has each `from` exchanged for `to`. The caller's. */
json_t *tree_replace(const json_t *value, const char *from, const char *to);

/* Is everything of `wanted` in `found`? Objects may have more keys; a list may have more items, and
 * each wanted one must be in some of its items. 0, or -1 with the first that is not. */
int tree_contains(const json_t *found, const json_t *wanted, struct error *err);

/* Takes the host's markers (`<!-- snekomatic:effect=... -->`) off the ends of all texts: GitHub
 * shows none of them. */
void tree_hide_markers(json_t *value);

/* Short JSON, for messages. */
void tree_show(const json_t *value, char *out, size_t bytes);

#endif
