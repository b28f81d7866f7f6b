/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Limits and process attributes. Seccomp and Landlock are not built yet. */
#include "worker/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int limit(int resource, rlim_t max, const char *name, struct error *err) {
    struct rlimit limits;
    if (getrlimit(resource, &limits) < 0) {
        return error_set(err, "cannot read the limit on %s: %s", name, strerror(errno));
    }
    if (limits.rlim_max == RLIM_INFINITY || limits.rlim_max > max) {
        limits.rlim_max = max;
    }
    limits.rlim_cur = limits.rlim_max;
    if (setrlimit(resource, &limits) < 0) {
        return error_set(err, "cannot limit %s: %s", name, strerror(errno));
    }
    return 0;
}

int sandbox_enter(enum frame_sandbox wanted, uint64_t memory_mib, enum frame_sandbox_level *level,
                  struct error *err) {
    /* Without seccomp and Landlock the plugin can reach files and the network: the level is `off`.
     */
    if (wanted == FRAME_SANDBOX_STRICT) {
        return error_set(err,
                         "plugin.sandbox = \"strict\" requires the full sandbox, and this worker "
                         "has none yet: set \"best\" or \"off\"");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return error_set(err, "cannot set no_new_privs: %s", strerror(errno));
    }
    /* `off` is for debuggers and core files: main() made the process non-dumpable already. */
    if (prctl(PR_SET_DUMPABLE, wanted == FRAME_SANDBOX_OFF, 0, 0, 0) < 0) {
        return error_set(err, "cannot make the worker dumpable or not: %s", strerror(errno));
    }
    if (wanted != FRAME_SANDBOX_OFF && limit(RLIMIT_CORE, 0, "core files", err) < 0) {
        return -1;
    }
/* A sanitizer's shadow memory is far larger than any limit. */
#ifndef SNEK_SANITIZED
    /* With `off` neither: a debugger's tool, such as valgrind or ASan, needs much memory. */
    if (wanted != FRAME_SANDBOX_OFF &&
        limit(RLIMIT_DATA, (rlim_t)memory_mib << 20, "memory", err) < 0) {
        return -1;
    }
#else
    (void)memory_mib; /* see above */
#endif
    *level = FRAME_LEVEL_OFF;
    return 0;
}
