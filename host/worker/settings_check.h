/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The check run ".github/NAME.yml" of a plugin with a schema for its repository configuration: it
 * shows what is wrong with the file in a pull request that changes it. */
#ifndef SNEK_WORKER_SETTINGS_CHECK_H
#define SNEK_WORKER_SETTINGS_CHECK_H

#include "worker/run.h"

#include <stdbool.h>

/* The delivery may start the check: a pull request with a new commit, or a re-run. */
bool settings_check_wants(const struct run *run);

/* A handler: makes the check run, if the pull request changes the file. GitHub's rejection of it
 * only skips it, so that the plugin's own handlers go on. */
int32_t settings_check(struct snek_run *shown);

#endif
