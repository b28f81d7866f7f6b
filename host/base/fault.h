/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Places where a test may kill processes, to examine a crash exactly there. They exist only when
 * Meson's option `fault_points` is on, which it is in no release. */
#ifndef SNEK_BASE_FAULT_H
#define SNEK_BASE_FAULT_H

#include <sys/types.h>

#ifdef SNEK_FAULT_POINTS
/* Reads the file named by SNEK_FAULT_FILE: "LABEL host", "LABEL worker" or "LABEL both". If LABEL
 * is this place's, sends SIGKILL to those processes. It removes the file first, so that it fires
 * once. From any thread; `worker` is the worker that the work is for. */
void fault_point(const char *label, pid_t worker);
#else
#define fault_point(label, worker) ((void)(worker))
#endif

#endif
