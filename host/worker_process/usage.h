/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Measures a worker's processor time, and lowers its priority. Any thread. */
#ifndef SNEK_WORKER_PROCESS_USAGE_H
#define SNEK_WORKER_PROCESS_USAGE_H

#include <stdint.h>
#include <sys/types.h>

/* Milliseconds of processor time that all threads of the process have used; -1 when it is gone. */
int64_t usage_cpu_ms(pid_t pid);

/* Gives all threads of the process group `pid` the lowest priority, nice 19. A process may do this
 * to another one of its user. 0, or -1 with errno. */
int usage_slow_down(pid_t pid);

#endif
