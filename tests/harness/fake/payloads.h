/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Webhook payloads that are made of the state: a scenario names the event, the action and a few
 * values. */
#ifndef SNEK_HARNESS_FAKE_PAYLOADS_H
#define SNEK_HARNESS_FAKE_PAYLOADS_H

#include "fake/http_exchange.h"

/* The payload, the caller's, after what happened is in the state; NULL with the reason. `name` is
 * the event, a dot and the action if it has one. `values` may be NULL. */
json_t *payload_build(struct http_exchange *exchange, const char *name, const json_t *values,
                      struct error *err);

/* Does the fake make payloads of the event? `name` may have an action. */
bool payload_is_made(const char *name);
/* The events, as "check_run, check_suite". */
void payload_list_events(char *out, size_t bytes);

#endif
