/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The seccomp filter of a worker: an allow-list of system calls and of their arguments. */
#ifndef SNEK_WORKER_SANDBOX_FILTER_H
#define SNEK_WORKER_SANDBOX_FILTER_H

#include "base/error.h"

/* From now on the calling thread, and the threads that it starts, can use only the system calls of
 * the list. There is no way back. Requires no_new_privs. 0, or -1 and a sentence when the kernel
 * has no seccomp filters; nothing has changed then. */
int sandbox_filter_enter(struct error *err);

#endif
