/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares the lines NoNewPrivs and Seccomp of /proc/PID/status with the level. */
#include "worker_process/sandbox_status.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* The value of Seccomp while a filter is in force. */
#define SECCOMP_FILTER 2

int sandbox_status_confirm(pid_t pid, enum frame_sandbox_level level, struct error *err) {
    char path[64], line[256];
    int seccomp = -1, no_new_privs = -1;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    AUTO_FILE FILE *file = fopen(path, "re");
    if (!file) {
        return errno == ENOENT || errno == EACCES || errno == EPERM
                   ? 0
                   : error_set(err, "cannot read %s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "Seccomp: %d", &seccomp);
        sscanf(line, "NoNewPrivs: %d", &no_new_privs);
    }
    bool filtered = level == FRAME_LEVEL_OFF || seccomp == SECCOMP_FILTER;
    if (no_new_privs != 1 || !filtered) {
        return error_set(
            err,
            "its worker reports the sandbox level %s, but the kernel says NoNewPrivs %d "
            "and Seccomp %d",
            frame_level_name(level), no_new_privs, seccomp);
    }
    return 0;
}
