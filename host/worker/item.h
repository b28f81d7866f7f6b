/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The helpers for issues, pull requests and checks share this: the item of the event, and the right
 * to make a thing that a plugin makes once. Any thread of a handler. */
#ifndef SNEK_WORKER_ITEM_H
#define SNEK_WORKER_ITEM_H

#include <stdint.h>

struct run;

/* The number of the event's issue or pull request; 0 when it has none. */
int64_t item_number(struct run *run);

/* Reserves `name` for this run, until the run ends. 0; SNEK_E_BUSY when another run has it, with
 * `what` in the reason; or another negative enum snek_error with a reason. Look again afterwards
 * whether the thing is there: another run may have made it just before. */
int32_t item_reserve(struct run *run, const char *name, const char *what);

#endif
