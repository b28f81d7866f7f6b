/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The results as a file in JUnit's XML, which CI servers show: a suite for each scenario, a case
 * for each step. */
#ifndef SNEK_SCENARIO_JUNIT_H
#define SNEK_SCENARIO_JUNIT_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct junit {
    /* Ours: [{"suite", "name", "ms", "failure"}] in their order. */
    json_t *cases;
    /* When the case that runs began, by the monotonic clock. */
    int64_t began_ms;
};

void junit_init(struct junit *junit);
void junit_finish(struct junit *junit);
/* The time until the next case counts for that one. */
void junit_begin(struct junit *junit);
void junit_add(struct junit *junit, const char *suite, const char *name, bool good);
/* Adds to the reason why the last case failed. */
void junit_explain(struct junit *junit, const char *text, size_t bytes);
/* Writes the file. 0, or -1 with the reason. */
int junit_write(const struct junit *junit, const char *path, struct error *err);

#endif
