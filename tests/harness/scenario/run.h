/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `snekomatic-test run`: scenarios one after the other, reported as TAP. */
#ifndef SNEK_SCENARIO_RUN_H
#define SNEK_SCENARIO_RUN_H

/* Returns the exit status. */
int scenario_run(int argc, char *argv[]);

#endif
