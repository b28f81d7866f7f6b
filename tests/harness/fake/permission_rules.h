/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The permission that GitHub asks for, by method and path: of the fake's endpoints and of all
 * others, so that a scripted response needs it too. */
#ifndef SNEK_HARNESS_FAKE_PERMISSION_RULES_H
#define SNEK_HARNESS_FAKE_PERMISSION_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* `level` of `name` or of `or_else` (which may be NULL). `name` NULL: none is needed. */
struct permission_need {
    const char *name, *or_else, *level;
};

/* The need of a path that is given as its unescaped segments. False: no rule is for this path. */
bool permission_rule_find(const char *method, char *const segments[], size_t n_segments,
                          struct permission_need *need);

#endif
