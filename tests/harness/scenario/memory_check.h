/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `--valgrind` and `--asan`: the command that runs the workers of a scenario, and the reports that
 * it leaves in the scenario's folder. */
#ifndef SNEK_SCENARIO_MEMORY_CHECK_H
#define SNEK_SCENARIO_MEMORY_CHECK_H

#include "scenario/verify.h"

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

enum memory_check { MEMORY_CHECK_NONE, MEMORY_CHECK_VALGRIND, MEMORY_CHECK_ASAN };

/* A worker is so much slower, at most. */
#define MEMORY_CHECK_FACTOR 10

/* 0, or -1 with what is missing and how to fix it. */
int memory_check_is_possible(enum memory_check check, struct error *err);

/* The value of SNEKOMATIC_WORKER_WRAPPER, the caller's; `plugins` are the host's tables, with
 * paths. The worker writes its reports into the folder in which the host runs. NULL with the
 * reason, for example that no plugin has AddressSanitizer. */
char *memory_check_wrapper(enum memory_check check, const json_t *plugins, struct error *err);

/* Adds the first report of each worker. `ended`: the workers have ended; prints a comment for each
 * that was killed before valgrind looked for leaks. */
void memory_check_verify(enum memory_check check, const char *folder, bool ended,
                         struct differences *differences);

#endif
