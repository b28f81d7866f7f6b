/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides which handlers of the plugin a run is for, and calls them. */
#ifndef SNEK_WORKER_INVOKE_H
#define SNEK_WORKER_INVOKE_H

#include <stdint.h>

struct run;

/* Calls the handlers of the matching subscriptions, then those of the commands, until one does not
 * return SNEK_DONE or SNEK_SKIPPED. Returns the run's result, an enum snek_result or a negative
 * enum snek_error; run_reason() is then the reason for it. */
int32_t invoke_handlers(struct run *run);

#endif
