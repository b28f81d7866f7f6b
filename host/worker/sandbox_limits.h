/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes from the worker more than system calls and files: descriptors, capabilities, and resources
 * beyond its limits. */
#ifndef SNEK_WORKER_SANDBOX_LIMITS_H
#define SNEK_WORKER_SANDBOX_LIMITS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The first call of main(): the kernel kills this process before others when memory is short. Later
 * the process is not dumpable, and then it could not open its own file. Failure changes nothing. */
void sandbox_limits_oom_first(void);

/* The kernel kills this process when its parent dies. False when the parent is dead already: then
 * the process must end. `socket_fd` is a socket that the parent made. */
bool sandbox_limits_die_with_parent(int socket_fd);

/* Closes every descriptor but the socket to the host, pipes up to `last_fd` (the outputs and the
 * crash report), and /dev/null: a plugin could write to a file, and could control a terminal. */
void sandbox_limits_close_descriptors(int socket_fd, int last_fd);

/* Limits memory, descriptors, files and the like. 0, or -1 and a sentence. */
int sandbox_limits_resources(uint64_t memory_mib, struct error *err);

/* Drops all capabilities, if the process has any. 0, or -1 and a sentence. */
int sandbox_limits_capabilities(struct error *err);

#endif
