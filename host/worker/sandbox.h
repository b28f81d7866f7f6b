/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The sandbox of a worker. The worker enters it before the plugin's first instruction runs, and
 * nothing in the process can leave it.
 *
 *   full     no_new_privs, the seccomp filter and Landlock are in force
 *   partial  without Landlock: the plugin can read what this user may read
 *   off      without the filter: debuggers, core files and sanitizers work */
#ifndef SNEK_WORKER_SANDBOX_H
#define SNEK_WORKER_SANDBOX_H

#include "base/error.h"
#include "protocol/frames.h"

#include <stdint.h>

struct sandbox_options {
    enum frame_sandbox wanted;
    uint64_t memory_mib;
    /* The socket to the host, which the parent process made. */
    int socket_fd;
    /* The last descriptor that stays open, if it is a pipe. */
    int last_fd;
    /* Absolute paths of the plugin and of the libraries that it brings. Borrowed for the call. */
    const char *const *files;
    size_t n_files;
    /* The newest ABI of Landlock to use: SANDBOX_LANDLOCK_ABI_MAX. Tests give less; 0: none. */
    int landlock_abi_max;
};

struct sandbox_report {
    enum frame_sandbox_level level;
    /* Why the level is not full; "" when it is. */
    struct error why;
};

/* The first call of main(), before any input is read: not dumpable, and first to be killed when the
 * kernel is short of memory. */
void sandbox_prepare(void);

/* On the only thread, before dlopen, because constructors are plugin code too. 0 and the level that
 * is reached; or -1 and a sentence, also when `wanted` is strict and the level is not full. The
 * process must then end, because a part of the sandbox may be in force. */
int sandbox_enter(const struct sandbox_options *options, struct sandbox_report *report,
                  struct error *err);

#endif
