/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares the results of a step with what the scenario expects. */
#ifndef SNEK_SCENARIO_VERIFY_H
#define SNEK_SCENARIO_VERIFY_H

#include "base/buffer.h"

#include <stdbool.h>

struct step_runner;

/* Everything that differs, as lines for people. */
struct differences {
    struct buffer text;
};

__attribute__((format(printf, 2, 3))) void differences_add(struct differences *differences,
                                                           const char *format, ...);

void verify_step(struct step_runner *runner, struct differences *differences);
void verify_end(struct step_runner *runner, struct differences *differences);

/* Does a line of the log since the step began match the pattern? */
bool verify_is_logged(const struct step_runner *runner, const char *pattern);

#endif
