/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the first expectations of a scenario: the results and requests of steps that name none. */
#ifndef SNEK_SCENARIO_RECORD_H
#define SNEK_SCENARIO_RECORD_H

#include "scenario/step_runner.h"

/* Has the step no expectation of its own yet, and may it have one? */
bool record_wants(const json_t *step);
/* What came in the step, as lines of TOML. The caller's. */
json_t *record_step(const struct step_runner *runner);
/* Adds the lines to the file's steps: `steps` has a text for each, or null. 0, or -1 with the
 * reason; then the file is as it was. */
int record_write(const char *file, const json_t *steps, struct error *err);

#endif
