/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bytes that no log line, child process or core file may hold. */
#ifndef SNEK_BASE_SECRET_H
#define SNEK_BASE_SECRET_H

#include "base/cleanup.h"

#include <stddef.h>

struct secret {
    /* Ours, NUL-terminated; NULL when there is none. */
    char *data;
    size_t bytes;
};

/* A copy; -1 when memory is short. */
int secret_copy(struct secret *secret, const char *data, size_t bytes);

/* Overwrites, then frees; takes an empty one. */
void secret_finish(struct secret *secret);

#define AUTO_SECRET CLEANUP(secret_finish)

/* Removes the variable `name` from the environment for good. It overwrites the value first, because
 * unsetenv() leaves the bytes readable in memory and in /proc. Call it before any thread starts. */
void secret_scrub_environment(const char *name);

/* Overwrites the values of all variables and empties the environment, for a process that starts
 * code of strangers. Call it before any thread starts. */
void secret_scrub_whole_environment(void);

#endif
