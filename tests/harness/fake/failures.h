/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Failures that a test asks for. */
#ifndef SNEK_HARNESS_FAKE_FAILURES_H
#define SNEK_HARNESS_FAKE_FAILURES_H

#include "fake/http_exchange.h"

void failures_init(struct fake *fake);
void failures_finish(struct fake *fake);
/* Borrowed: the failures that no request has met yet. */
json_t *failures_list(const struct fake *fake);
/* Checks and adds one (stolen). 0, or -1 with the reason. */
int failures_add(struct fake *fake, json_t *failure, struct error *err);
void failures_clear(struct fake *fake);

/* The first failure that is meant for this request, counted down; the caller's; or NULL. With
 * `breaks` the first that replaces the response. */
json_t *failure_take(struct fake *fake, const struct http_exchange *exchange, bool breaks);
/* Changes the state as the failure says. */
void failure_change_state(struct fake *fake, const json_t *failure);
/* Does it replace the response? Otherwise it only delays it, or changes the state. */
bool failure_breaks(const json_t *failure);
void failure_respond(struct http_exchange *exchange, const json_t *failure);

#endif
