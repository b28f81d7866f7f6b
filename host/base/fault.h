/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Places at which a test may have processes killed, to see what a crash exactly there costs. They
 * are nothing unless Meson's option `fault_points` built them in, which no release does. */
#ifndef SNEK_BASE_FAULT_H
#define SNEK_BASE_FAULT_H

#include <sys/types.h>

#ifdef SNEK_FAULT_POINTS
/* Kills (SIGKILL) what the file named by SNEK_FAULT_FILE asks for: "LABEL host", "LABEL worker" or
 * "LABEL both", when LABEL is this place's. The file is gone then, so it fires once. From any
 * thread; `worker` is the worker at work. */
void fault_point(const char *label, pid_t worker);
#else
#define fault_point(label, worker) ((void)(worker))
#endif

#endif
