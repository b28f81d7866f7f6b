/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds lines of /proc/PID/status by their names. */
#include "worker_process/kernel_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The value of Seccomp while a filter is in force. */
#define SECCOMP_FILTER 2
/* The file has about 1500 bytes, and more with many groups or processors. */
#define STATUS_BYTES_MAX 16384

static int read_status(int fd, char text[STATUS_BYTES_MAX]) {
    ssize_t got = pread(fd, text, STATUS_BYTES_MAX - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? 0 : -1;
}

/* `name` is "\nNAME:". -1 when there is no such line. */
static long number_of(const char *text, const char *name) {
    const char *line = strstr(text, name);
    return line ? strtol(line + strlen(name), NULL, 10) : -1;
}

int kernel_status_confirm(int fd, enum frame_sandbox_level level, struct error *err) {
    char text[STATUS_BYTES_MAX];
    if (fd < 0) {
        return 0;
    }
    if (read_status(fd, text) < 0 && errno == ESRCH) {
        /* It has ended already; its last frame or its exit status shows why. */
        return 0;
    }
    if (text[0] == '\0') {
        return error_set(err, "cannot read its worker's /proc/self/status: %s", strerror(errno));
    }
    long seccomp = number_of(text, "\nSeccomp:"), no_new_privs = number_of(text, "\nNoNewPrivs:");
    bool filtered = level == FRAME_LEVEL_OFF || seccomp == SECCOMP_FILTER;
    if (no_new_privs != 1 || !filtered) {
        return error_set(err,
                         "its worker reports the sandbox level %s, but the kernel says NoNewPrivs "
                         "%ld and Seccomp %ld",
                         frame_level_name(level), no_new_privs, seccomp);
    }
    return 0;
}

unsigned kernel_status_threads(int fd) {
    char text[STATUS_BYTES_MAX];
    if (fd < 0 || read_status(fd, text) < 0) {
        return 0;
    }
    long threads = number_of(text, "\nThreads:");
    return threads > 0 ? (unsigned)threads : 0;
}
