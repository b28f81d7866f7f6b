/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host's sign of life: while its main loop turns, the supervisor, and by it a service manager's
 * watchdog, hears so twice in each WATCHDOG_USEC. Main thread. */
#ifndef SNEK_PULSE_H
#define SNEK_PULSE_H

#include "base/error.h"
#include "base/loop.h"

struct pulse {
    struct loop *loop;
    struct loop_source timer; /* fd -1: nobody asked for it */
};

/* Without WATCHDOG_USEC it does nothing. */
int pulse_start(struct pulse *pulse, struct loop *loop, struct error *err);
void pulse_stop(struct pulse *pulse);

#endif
