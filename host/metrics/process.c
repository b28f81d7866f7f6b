/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The resources that the host's process uses, under the names of Prometheus' convention.
 * https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics */
#include "metrics/counters.h"

#include "base/clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void value(struct buffer *text, const char *name, const char *type, const char *help,
                  double number) {
    buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name,
                  number);
}

static double cpu_seconds(void) {
    struct timespec used = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* All pages, and those in memory. */
static bool memory_pages(uint64_t *all, uint64_t *resident) {
    FILE *file = fopen("/proc/self/statm", "re");
    bool read = file && fscanf(file, "%" SCNu64 " %" SCNu64, all, resident) == 2;
    if (file) {
        fclose(file);
    }
    return read;
}

uint64_t metrics_resident_bytes(int pid) {
    char path[40];
    uint64_t resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "re");
    bool read = file && fscanf(file, "%*u %" SCNu64, &resident) == 1;
    if (file) {
        fclose(file);
    }
    return read ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static unsigned open_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory)) {
        count++;
    }
    if (directory) {
        closedir(directory);
    }
    /* Without ".", ".." and the directory itself. */
    return count > 3 ? count - 3 : 0;
}

/* The start time, by the clock that also counts while the machine sleeps. */
static double start_seconds(void) {
    static _Atomic int64_t started_ms;
    int64_t known_ms = atomic_load_explicit(&started_ms, memory_order_relaxed);
    unsigned long long ticks = 0;
    if (known_ms == 0) {
        struct timespec now = {0};
        FILE *file = fopen("/proc/self/stat", "re");
        /* The name in brackets is our own and has no blank. */
        if (file && fscanf(file,
                           "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                           "%*s %*s %*s %*s %*s %llu",
                           &ticks) == 1) {
            clock_gettime(CLOCK_BOOTTIME, &now);
            int64_t since_boot_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
            int64_t began_ms = (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
            known_ms = clock_wall_ms() - (since_boot_ms - began_ms);
            atomic_store_explicit(&started_ms, known_ms, memory_order_relaxed);
        }
        if (file) {
            fclose(file);
        }
    }
    return (double)known_ms / 1e3;
}

void metrics_render_process(struct buffer *text) {
    uint64_t all = 0, resident = 0;
    double page = (double)sysconf(_SC_PAGESIZE);
    struct rlimit limit = {0};
    value(text, "process_cpu_seconds_total", "counter", "Processor time that the host used.",
          cpu_seconds());
    if (memory_pages(&all, &resident)) {
        value(text, "process_resident_memory_bytes", "gauge", "Memory that the host has.",
              (double)resident * page);
        value(text, "process_virtual_memory_bytes", "gauge", "Addresses that the host has.",
              (double)all * page);
    }
    value(text, "process_open_fds", "gauge", "Descriptors that are open.", open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        value(text, "process_max_fds", "gauge", "Descriptors that may be open.",
              (double)limit.rlim_cur);
    }
    value(text, "process_start_time_seconds", "gauge", "When the host started, since 1970.",
          start_seconds());
}
