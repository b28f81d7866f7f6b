/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads what the kernel says about a worker in /proc/PID/status. The worker opens the file itself
 * and passes it to the host, because /proc may hide the worker from its host (hidepid, systemd's
 * ProtectProc=): no process may trace a worker, so it counts as another user's. */
#ifndef SNEK_WORKER_PROCESS_KERNEL_STATUS_H
#define SNEK_WORKER_PROCESS_KERNEL_STATUS_H

#include "base/error.h"
#include "protocol/frames.h"

/* 0 when the file of descriptor `fd` confirms the level, or when the worker has ended, or `fd` is
 * -1: there is no /proc, and the worker has asked the kernel itself. -1 and a sentence when the
 * kernel says something else. */
int kernel_status_confirm(int fd, enum frame_sandbox_level level, struct error *err);

/* The threads of the process; 0 when it is gone or `fd` is -1. */
unsigned kernel_status_threads(int fd);

#endif
