/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's primary rate limits. */
#ifndef SNEK_HARNESS_FAKE_RATE_LIMITS_H
#define SNEK_HARNESS_FAKE_RATE_LIMITS_H

#include "fake/http_exchange.h"

enum rate_resource { RESOURCE_CORE, RESOURCE_SEARCH, RESOURCE_GRAPHQL };

void rate_limits_init(struct fake *fake);
void rate_limits_finish(struct fake *fake);
/* A change of the settings that gives new limits begins new windows. */
void rate_limits_apply(struct fake *fake, const json_t *settings);

/* Counts the request. False: it responded that the limit is reached. */
bool rate_limit_allows(struct http_exchange *exchange, enum rate_resource resource);
/* Does not count the request after all. */
void rate_limit_give_back(struct http_exchange *exchange, enum rate_resource resource);
void rate_limit_headers(struct http_exchange *exchange, enum rate_resource resource);

#endif
