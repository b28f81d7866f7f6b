/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host gives up system calls that it never needs: to start programs or processes, to look into
 * other processes or to signal them, and to change the system. So a fault in a parser is no shell.
 * The supervisor starts the workers; the host signals them by the pidfds that it got. */
#ifndef SNEK_SYSTEM_CALLS_H
#define SNEK_SYSTEM_CALLS_H

#include "base/error.h"

/* Forbids them for this process and all its threads, for good: they fail with EPERM. Call it before
 * any thread starts. Does nothing in a build with sanitizers, which fork and trace. 0, or -1 when
 * the kernel has no seccomp. */
int system_calls_restrict(struct error *err);

#endif
