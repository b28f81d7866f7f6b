/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes the requests that change something at GitHub, so that none happens twice. */
#ifndef SNEK_DISPATCH_EFFECT_H
#define SNEK_DISPATCH_EFFECT_H

#include "dispatch/call.h"

/* True when the request changes something at GitHub, or may. */
bool effect_is(const struct http_call *request);

/* Makes the effect of call->broker. If call->entry is not NULL, an earlier attempt has begun this
 * effect. */
void effect_begin(struct call *call, struct run *run, const uint8_t key[INBOX_KEY_BYTES],
                  const struct http_call *request);

/* Retries to record the responses that the store could not record. */
void effects_tick(struct call_group *group, int64_t now_ms);
/* When to try again; INT64_MAX: all are recorded. Monotonic. */
int64_t effects_next_ms(const struct call_group *group);
/* The host stops: tries once more, then gives up. */
void effects_settle(struct call_group *group);

#endif
