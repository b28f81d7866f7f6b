/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host process: wires the rooms together and runs them until a signal arrives or the supervisor
 * ends. The supervisor starts it, never a person. */
#ifndef SNEK_HOST_H
#define SNEK_HOST_H

#include <stdbool.h>

/* `config_path` NULL: config_load() finds it. `restarted`: another host of this supervisor was
 * ready before; then a plugin that does not load is quarantined instead of ending the host. Returns
 * the exit status. */
int host_run(const char *config_path, bool restarted);

#endif
