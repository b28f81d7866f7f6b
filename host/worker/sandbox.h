/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The limits that the worker sets on itself before the plugin's first instruction runs. */
#ifndef SNEK_WORKER_SANDBOX_H
#define SNEK_WORKER_SANDBOX_H

#include "base/error.h"
#include "protocol/frames.h"

#include <stdint.h>

/* Main thread, before dlopen, because constructors are plugin code too. 0 and the level reached, or
 * -1 and a sentence, also when `wanted` is strict and the full level cannot be reached. */
int sandbox_enter(enum frame_sandbox wanted, uint64_t memory_mib, enum frame_sandbox_level *level,
                  struct error *err);

#endif
