/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the kernel for a worker's processor clock. */
#include "worker_process/usage.h"

#include <sys/resource.h>
#include <time.h>

#define NICE_LOWEST 19

int64_t usage_cpu_ms(pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0) {
        return -1;
    }
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

int usage_slow_down(pid_t pid) {
    return setpriority(PRIO_PGRP, (id_t)pid, NICE_LOWEST);
}
