/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends the settings to a host. Only this room includes it. */
#ifndef SNEK_SUPERVISOR_SEND_SETTINGS_H
#define SNEK_SUPERVISOR_SEND_SETTINGS_H

#include "base/error.h"
#include "config/settings.h"

#include <stdbool.h>

/* Sends SUPERVISOR_SETTINGS on the control socket: the message of settings_write() in a memfd, so
 * that one packet carries any size. `restarted`: another host was ready before. 0, or -1. */
int send_settings(const struct settings *settings, bool restarted, int control_fd,
                  struct error *err);

#endif
