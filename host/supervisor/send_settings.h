/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends the settings to a host. Only this room includes it. */
#ifndef SNEK_SUPERVISOR_SEND_SETTINGS_H
#define SNEK_SUPERVISOR_SEND_SETTINGS_H

#include "base/error.h"
#include "config/settings.h"

#include <stdbool.h>

/* Sends SUPERVISOR_SETTINGS on the control socket: the message of settings_write() in a memfd, so
 * that one packet carries any size. `descriptions_fd`: see messages.h. 0, or -1. */
int send_settings(const struct settings *settings, int descriptions_fd, int control_fd,
                  struct error *err);

#endif
