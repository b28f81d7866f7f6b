/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the kernel about a worker: its processor clock, and /proc/PID/status. */
#include "worker_process/usage.h"

#include "base/cleanup.h"

#include <stdio.h>
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

unsigned usage_threads(pid_t pid) {
    char path[64], line[256];
    unsigned threads = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    AUTO_FILE FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "Threads: %u", &threads);
    }
    return threads;
}

int usage_slow_down(pid_t pid) {
    return setpriority(PRIO_PGRP, (id_t)pid, NICE_LOWEST);
}
