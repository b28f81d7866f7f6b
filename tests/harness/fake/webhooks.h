/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The webhooks that the fake sends, and the list of their deliveries. */
#ifndef SNEK_HARNESS_FAKE_WEBHOOKS_H
#define SNEK_HARNESS_FAKE_WEBHOOKS_H

#include "fake/http_exchange.h"

void webhooks_init(struct fake *fake);
/* Waits for the webhooks that are on their way. */
void webhooks_finish(struct fake *fake);

/* Sends a webhook of GitHub's own. Steals the payload. With the lock. */
void webhooks_send(struct fake *fake, const char *event, json_t *payload);

/* The control API's part of it. `body` is borrowed. */
void control_deliver(struct http_exchange *exchange, json_t *body);
void control_redeliver(struct http_exchange *exchange, json_t *body);
void control_payload(struct http_exchange *exchange, json_t *body);
void control_deliveries(struct http_exchange *exchange);
void control_age(struct http_exchange *exchange, json_t *body);

/* Is the URL's host under .invalid, where no host has a name (RFC 6761)? */
bool webhooks_lead_nowhere(const char *url);

#endif
