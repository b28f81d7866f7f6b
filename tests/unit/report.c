/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the report of a test program apart from the log of the code under test. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void report_keep_apart(void) {
    int report = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *stream = NULL;
    if (report >= 0) {
        stream = fdopen(report, "w");
    }
    if (!stream || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        abort();
    }
    setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    /* glibc's streams are variables that a program may set. */
    stdout = stream;
}
