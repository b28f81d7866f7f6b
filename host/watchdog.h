/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's watchdog: while its main loop turns, it reports to the supervisor twice in each
 * WATCHDOG_USEC. The supervisor reports to the service manager. Main thread. */
#ifndef SNEK_WATCHDOG_H
#define SNEK_WATCHDOG_H

#include "base/error.h"
#include "base/loop.h"

struct watchdog {
    struct loop *loop;
    /* fd -1: the watchdog is off. */
    struct loop_source timer;
};

/* Does nothing without WATCHDOG_USEC. */
int watchdog_start(struct watchdog *watchdog, struct loop *loop, struct error *err);
void watchdog_stop(struct watchdog *watchdog);

#endif
