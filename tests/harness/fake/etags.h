/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conditional requests. */
#ifndef SNEK_HARNESS_FAKE_ETAGS_H
#define SNEK_HARNESS_FAKE_ETAGS_H

#include "fake/http_exchange.h"

/* Adds the ETag. True when the caller has the response already; then it becomes a 304. */
bool response_is_unchanged(struct http_exchange *exchange);

#endif
