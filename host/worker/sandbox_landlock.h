/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Landlock by raw system calls, for every ABI of the kernel: the process can then open the files
 * that it may read, and no other file. */
#ifndef SNEK_WORKER_SANDBOX_LANDLOCK_H
#define SNEK_WORKER_SANDBOX_LANDLOCK_H

#include "base/error.h"

#include <stddef.h>

/* The newest ABI whose rights this code knows. A later kernel enforces these as well. */
#define SANDBOX_LANDLOCK_ABI_MAX 7

/* The kernel's ABI, at most `abi_max`; 0 when there is no Landlock. */
int sandbox_landlock_abi(int abi_max);

/* From now on the calling thread, and the threads that it starts, can open only these files and the
 * system's libraries and time zones, for reading. It keeps its open descriptors. `abi` is from
 * sandbox_landlock_abi(), at least 1. Requires no_new_privs. 0, or -1 and a sentence; nothing
 * has changed then. */
int sandbox_landlock_enter(int abi, const char *const *files, size_t n_files, struct error *err);

#endif
