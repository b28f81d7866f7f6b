/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calls that a worker makes. The response of each comes from the run's journal, the broker or
 * the inbox. Threads: the loop's. */
#ifndef SNEK_DISPATCH_CALLS_H
#define SNEK_DISPATCH_CALLS_H

#include "dispatch/call.h"

/* A request to GitHub. */
void calls_http(struct call_group *group, struct run *run, const struct http_call *request);

/* A question about the app, which the broker answers. */
void calls_app(struct call_group *group, struct run *run, const struct app_call *request);

/* A set or key of the plugin's store. */
void calls_store(struct call_group *group, struct run *run, const struct store_call *request);

#endif
