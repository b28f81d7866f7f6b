/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Explains the death of a worker by its exit status, its crash report and what it printed on
 * standard error. The worker wrote the last two, so they prove nothing. Threads: the loop's. */
#ifndef SNEK_WORKER_PROCESS_CRASH_H
#define SNEK_WORKER_PROCESS_CRASH_H

#include "protocol/crash_report.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define CRASH_TEXT_MAX 1024

/* The death of a worker, for people. */
struct worker_death {
    /* It follows "the worker": "was killed by signal 11 (Segmentation fault): stack overflow". */
    char how[300];
    /* It exited with status 0, by itself or because its socket was closed. */
    bool clean;
    /* "SIGSEGV"; "" without a signal. */
    char signal[16];
    /* "stack overflow"; "" when it is not known. */
    char meaning[100];
    /* "hello.so+0x1139 libc.so.6+0x2724a", the innermost first; "" without a crash report. */
    char backtrace[CRASH_TEXT_MAX];
    /* "hello.so=5a7c…"; the build IDs of the modules in the backtrace. */
    char build_ids[CRASH_TEXT_MAX];
    /* The command that shows the lines of the source; "". */
    char symbolize[CRASH_TEXT_MAX];
};

struct crash {
    /* The reading end of the crash pipe; -1: none. */
    int fd;
    /* The cause of an abort, by a line of standard error; NULL: unknown. Static. */
    const char *printed;
    /* The name of the file that the worker loads, and the path to show instead. */
    char loaded[80], shown[CRASH_PATH_MAX];
    uint32_t memory_mib;
};

/* Takes over `fd`, which does not block. The plugin's file is shown as `shown`. The worker may have
 * `memory_mib`. */
void crash_init(struct crash *crash, int fd, const char *shown, uint32_t memory_mib);
/* The worker loads the plugin from a file with the name HASH.so. */
void crash_set_file(struct crash *crash, const char *hash);
void crash_finish(struct crash *crash);

/* A line of standard error. */
void crash_note_line(struct crash *crash, const char *text, size_t bytes);

/* Fills `death`. `info` is the exit status. `killed_why` is the reason for which the host killed
 * the worker; "" when it did not. */
void crash_explain(struct crash *crash, const siginfo_t *info, const char *killed_why,
                   struct worker_death *death);

#endif
