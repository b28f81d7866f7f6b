/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The API's table of routes. */
#ifndef SNEK_HARNESS_FAKE_ROUTES_H
#define SNEK_HARNESS_FAKE_ROUTES_H

#include "fake/http_exchange.h"

/* Performs the request and responds. */
void route_exchange(struct http_exchange *exchange);
/* May the caller send this request, whether there is a route or not? False when it responded with
 * GitHub's error. */
bool route_admits(struct http_exchange *exchange);

#endif
