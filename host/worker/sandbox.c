/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The order in which a worker gives up its rights: each step still needs what a later one takes. */
#include "worker/sandbox.h"

#include "worker/sandbox_filter.h"
#include "worker/sandbox_landlock.h"
#include "worker/sandbox_limits.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void sandbox_prepare(void) {
    sandbox_limits_oom_first();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Allows debuggers and core files. A debugger's tool, such as valgrind or ASan, needs much memory.
 */
static int enter_off(struct sandbox_report *report, struct error *err) {
    error_set(&report->why, "plugin.sandbox is \"off\"");
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) {
        return error_set(err, "cannot make the worker dumpable: %s", strerror(errno));
    }
    return 0;
}

#ifdef SNEK_SANITIZED
/* LeakSanitizer traces its own process, and every sanitizer reads its own /proc: the filter and
 * Landlock would stop both. */
static int enter(const struct sandbox_options *options, struct sandbox_report *report,
                 struct error *err) {
    error_set(&report->why, "this build has sanitizers, which do not work with the filter");
    return 0;
}
#else
/* 0 and the level, or -1. A missing part of the kernel lowers the level. */
static int enter(const struct sandbox_options *options, struct sandbox_report *report,
                 struct error *err) {
    sandbox_limits_close_descriptors(options->socket_fd, options->last_fd);
    if (sandbox_limits_capabilities(err) < 0 ||
        sandbox_limits_resources(options->memory_mib, err) < 0) {
        return -1;
    }
    int abi = sandbox_landlock_abi(options->landlock_abi_max);
    bool files_hidden = false;
    if (abi == 0) {
        error_set(&report->why, "this kernel has no Landlock, or it is turned off");
    } else {
        /* On failure nothing is in force. */
        files_hidden =
            sandbox_landlock_enter(abi, options->files, options->n_files, &report->why) == 0;
    }
    if (sandbox_filter_enter(&report->why) < 0) {
        return 0;
    }
    report->level = files_hidden ? FRAME_LEVEL_FULL : FRAME_LEVEL_PARTIAL;
    /* The kernel's word, which the host asks for too. */
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return error_set(err, "the kernel does not confirm the seccomp filter");
    }
    return 0;
}
#endif

int sandbox_enter(const struct sandbox_options *options, struct sandbox_report *report,
                  struct error *err) {
    struct sandbox_report reached = {.level = FRAME_LEVEL_OFF};
    int result;
    if (!sandbox_limits_die_with_parent(options->socket_fd) &&
        options->wanted != FRAME_SANDBOX_OFF) {
        return error_set(err, "its parent process is gone");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return error_set(err, "cannot set no_new_privs: %s", strerror(errno));
    }
    if (options->wanted == FRAME_SANDBOX_OFF) {
        result = enter_off(&reached, err);
    } else {
        result = enter(options, &reached, err);
    }
    if (result < 0) {
        return -1;
    }
    assert((reached.level == FRAME_LEVEL_FULL) == (reached.why.text[0] == '\0'));
    if (options->wanted == FRAME_SANDBOX_STRICT && reached.level != FRAME_LEVEL_FULL) {
        return error_set(err,
                         "plugin.sandbox = \"strict\" requires the full sandbox, and %s: use "
                         "another kernel, or set plugin.sandbox = \"best\" to accept less",
                         reached.why.text);
    }
    *report = reached;
    return 0;
}
