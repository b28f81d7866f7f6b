/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests in doubt that GitHub may still be carrying out. The loop's thread. */
#ifndef SNEK_DISPATCH_UNSETTLED_H
#define SNEK_DISPATCH_UNSETTLED_H

#include "dispatch/call.h"

/* How long GitHub may still be carrying out the request of call->entry, which is in doubt; 0 or
 * less: no more. `*here`: this host sent it. Else a host that died did, or the run was discarded by
 * hand. */
int64_t unsettled_ms(const struct call *call, bool *here);

/* Fails the call, and starts its run again after `wait_ms` without the loss of an attempt. */
void unsettled_defer(struct call *call, int64_t wait_ms, const struct error *why);

#endif
