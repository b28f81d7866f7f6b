/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks the level that a worker reports against the kernel's view of its sandbox. */
#ifndef SNEK_WORKER_PROCESS_SANDBOX_STATUS_H
#define SNEK_WORKER_PROCESS_SANDBOX_STATUS_H

#include "base/error.h"
#include "protocol/frames.h"

#include <sys/types.h>

/* Reads /proc/PID/status. 0 when it confirms the level, or when /proc does not show the process
 * (hidepid, systemd's ProtectProc=): the worker has asked the kernel itself. -1 and a sentence when
 * the kernel says something else. */
int sandbox_status_confirm(pid_t pid, enum frame_sandbox_level level, struct error *err);

#endif
