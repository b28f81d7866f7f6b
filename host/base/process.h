/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Protects the memory of a process that holds secrets. */
#ifndef SNEK_BASE_PROCESS_H
#define SNEK_BASE_PROCESS_H

/* No core file may hold a secret, and no other process of our user may read our memory. Call it
 * first in main(): until then, another process of this user can. */
void process_harden(void);

#endif
