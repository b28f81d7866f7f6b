/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Asks the kernel about a worker: its processor clock, and /proc/PID/stat. */
#include "worker_process/usage.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (bytes <= 0) {
        return 0;
    }
    text[bytes] = '\0';
    /* The name of the process is in parentheses and may hold any character. 17 fields follow up to
     * the number of threads, the 20th of all. */
    const char *at = strrchr(text, ')');
    unsigned threads = 0;
    for (int field = 0; at && field < 18; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at) {
        sscanf(at, "%u", &threads);
    }
    return threads;
}

int usage_slow_down(pid_t pid) {
    return setpriority(PRIO_PGRP, (id_t)pid, NICE_LOWEST);
}
