/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The end of a benchmark's program with a sentence, and the clock. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

void bench_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(EX_SOFTWARE);
}

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
