/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a service manager wants to hear: sd_notify(3)'s protocol, a datagram to the socket that
 * NOTIFY_SOCKET names. Nothing is said, and nothing fails, where no manager asked to be told. */
#ifndef SNEK_SUPERVISOR_NOTIFY_H
#define SNEK_SUPERVISOR_NOTIFY_H

#include "base/error.h"

/* Takes NOTIFY_SOCKET out of the environment, so that nobody else speaks for the service, and
 * WATCHDOG_USEC too unless a manager wants to hear of us. The
 * descriptor to give notify_send(), -1 without a manager, or -2 when the name is none that can be
 * reached: a manager that waits for READY would end us later without a word. */
int notify_open(struct error *err);

/* `state` as sd_notify(3) has it: "READY=1". Never waits. */
void notify_send(int fd, const char *state);

#endif
