/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Notifies a service manager by sd_notify(3)'s protocol: a datagram to the socket that
 * NOTIFY_SOCKET names. Without that variable these functions do nothing and cannot fail. */
#ifndef SNEK_SUPERVISOR_NOTIFY_H
#define SNEK_SUPERVISOR_NOTIFY_H

#include "base/error.h"

/* Removes NOTIFY_SOCKET from the environment, so that no other process notifies for the service,
 * and WATCHDOG_USEC unless the manager watches this process. Returns the descriptor for
 * notify_send(); -1 without a manager; -2 when the socket cannot be reached, because a manager that
 * waits for READY would later end the service without a reason. */
int notify_open(struct error *err);

/* `state` is a line of sd_notify(3), such as "READY=1". Never waits. */
void notify_send(int fd, const char *state);

#endif
