/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends an HTTP call to the host and waits for GitHub's response. */
#ifndef SNEK_WORKER_HTTP_SEND_H
#define SNEK_WORKER_HTTP_SEND_H

#include "worker/http_call.h"

/* Works like the github service's send(): 0, or a negative enum snek_error with a reason left.
 * `response` may be NULL. */
int32_t http_send(struct run *run, const struct http_call *call, struct snek_response **response);

#endif
