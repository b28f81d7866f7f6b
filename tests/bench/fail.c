/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ends a benchmark's program with a sentence. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>
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
