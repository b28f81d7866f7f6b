/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Kills processes at a named place, in builds for tests only. */
#include "base/fault.h"

#ifdef SNEK_FAULT_POINTS
#include "base/cleanup.h"

#include <signal.h>
#include <string.h>

void fault_point(const char *label, pid_t worker) {
    const char *name = getenv("SNEK_FAULT_FILE");
    char wanted[32], who[16];
    AUTO_FILE FILE *file = name ? fopen(name, "re") : NULL;
    if (!file || fscanf(file, "%31s %15s", wanted, who) != 2 || strcmp(wanted, label) != 0 ||
        unlink(name) < 0) {
        return;
    }
    if (strcmp(who, "host") != 0 && worker > 0) {
        kill(worker, SIGKILL);
    }
    if (strcmp(who, "worker") != 0) {
        kill(getpid(), SIGKILL);
    }
}
#endif
