/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes each start of a thread wait until the host admits it: a seccomp filter of its own, whose
 * listener goes to the host. A filter cannot count, and RLIMIT_NPROC counts all processes of the
 * user. */
#ifndef SNEK_WORKER_THREAD_GATE_H
#define SNEK_WORKER_THREAD_GATE_H

/* Sets no_new_privs. On the only thread, before the sandbox. Returns the listener, which is the
 * caller's; or -1 with errno when this kernel (before Linux 5.19) or a container forbids it. Then
 * nothing has changed. Once the listener is closed, no thread can start any more. */
int thread_gate_close(void);

#endif
