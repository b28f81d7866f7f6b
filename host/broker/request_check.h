/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a request that came from a worker, which is not trusted. From any thread; nothing is
 * shared. */
#ifndef SNEK_BROKER_REQUEST_CHECK_H
#define SNEK_BROKER_REQUEST_CHECK_H

#include "broker/broker.h"
#include "broker/url.h"

/* The permissions to ask GitHub for. A request without any asks for the least: to GitHub, naming
 * none would mean all. */
const char *request_permissions(const struct broker_request *request);

/* 0 and `target`, or a negative enum snek_error and a sentence. */
int32_t request_check(const struct broker_request *request, const struct origin *origin,
                      struct target *target, struct error *err);

#endif
