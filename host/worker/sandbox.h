/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the worker gives up before a plugin's first instruction runs. */
#ifndef SNEK_WORKER_SANDBOX_H
#define SNEK_WORKER_SANDBOX_H

#include "base/error.h"
#include "protocol/frames.h"

#include <stdint.h>

/* Main thread, before dlopen: constructors are plugin code too. 0 and the level reached, or -1 and
 * why not (strict, and less than the full level). */
int sandbox_enter(enum frame_sandbox wanted, uint64_t memory_mib, enum frame_sandbox_level *level,
                  struct error *err);

#endif
