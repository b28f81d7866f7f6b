/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The middle ring: wires the rooms together and runs them until a signal, or the supervisor's end,
 * says stop. Started by the supervisor, never by hand. */
#ifndef SNEK_HOST_H
#define SNEK_HOST_H

/* `config_path` NULL: found as config_load() does. The exit status. */
int host_run(const char *config_path);

#endif
