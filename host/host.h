/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host process: wires the rooms together and runs them until a signal arrives or the supervisor
 * ends. The supervisor starts it, never a person. */
#ifndef SNEK_HOST_H
#define SNEK_HOST_H

/* Gets the settings from the supervisor. Returns the exit status. */
int host_run(void);

#endif
