/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The control API below /_fake/. */
#ifndef SNEK_HARNESS_FAKE_CONTROL_H
#define SNEK_HARNESS_FAKE_CONTROL_H

#include "fake/http_exchange.h"

void control_exchange(struct http_exchange *exchange);

#endif
