/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A worker that got a fatal signal writes this into its crash pipe: a struct of fixed size, because
 * a signal handler builds it. It may write several, of which the last is the most complete. The
 * worker is not trusted: the host checks each number and text. */
#ifndef SNEK_PROTOCOL_CRASH_REPORT_H
#define SNEK_PROTOCOL_CRASH_REPORT_H

#include <stdint.h>

#define CRASH_MAGIC 0x68737263u
#define CRASH_FRAMES_MAX 32
#define CRASH_MODULES_MAX 16
#define CRASH_PATH_MAX 256
#define CRASH_BUILD_ID_MAX 20

enum crash_flag {
    /* The address lies just below the thread's stack. */
    CRASH_STACK_OVERFLOW = 1,
    /* The process could get no more memory. */
    CRASH_NO_MEMORY = 2,
};

/* The address is in no module. */
#define CRASH_NO_MODULE UINT32_MAX

struct crash_frame {
    /* From the start of its module, as addr2line takes it; without a module, the address itself. */
    uint64_t offset;
    uint32_t module;
    uint32_t unused;
};

struct crash_module {
    /* Ends with a NUL. */
    char path[CRASH_PATH_MAX];
    uint8_t build_id[CRASH_BUILD_ID_MAX];
    uint32_t build_id_bytes;
};

struct crash_report {
    uint32_t magic;
    int32_t signal, code;
    /* enum crash_flag. */
    uint32_t flags;
    /* Which memory was accessed; for SIGSYS the number of the system call. */
    uint64_t address;
    uint32_t n_frames, n_modules;
    struct crash_frame frames[CRASH_FRAMES_MAX];
    struct crash_module modules[CRASH_MODULES_MAX];
};

#endif
