/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's sign of life: while its main loop turns, the supervisor, and by it a service manager's
 * watchdog, hears so twice in each WATCHDOG_USEC. Main thread. */
#ifndef SNEK_WATCHDOG_H
#define SNEK_WATCHDOG_H

#include "base/error.h"
#include "base/loop.h"

struct watchdog {
    struct loop *loop;
    struct loop_source timer; /* fd -1: nobody asked for it */
};

/* Without WATCHDOG_USEC it does nothing. */
int watchdog_start(struct watchdog *watchdog, struct loop *loop, struct error *err);
void watchdog_stop(struct watchdog *watchdog);

#endif
