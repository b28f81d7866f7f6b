/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The times in the state: absolute or relative ones are read, and a change of an issue moves its
 * updated_at. */
#ifndef SNEK_HARNESS_FAKE_TIMES_H
#define SNEK_HARNESS_FAKE_TIMES_H

#include "fake/instance.h"

/* Makes "2025-01-31T23:59:59Z" of "-8 d" (ms, s, min, h, d; before now) or of an ISO 8601 time.
 * 0, or -1. */
int times_read(const struct fake *fake, const char *text, char out[FAKE_TIME_MAX]);
/* Rewrites every created_at, updated_at and merged_at below `value`. 0, or -1 with the reason. */
int times_rewrite(const struct fake *fake, json_t *value, struct error *err);
/* A change moves the issue's updated_at to now. */
void times_touch(const struct fake *fake, json_t *issue);
/* A comment that `changes` (with rewritten times) adds or changes moves its issue's updated_at,
 * unless the changes give that too. `state` is the merged state. */
void times_follow_comments(json_t *state, const json_t *changes);

#endif
