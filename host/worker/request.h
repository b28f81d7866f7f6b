/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From struct snek_request to a URL and a JSON body. */
#ifndef SNEK_WORKER_REQUEST_H
#define SNEK_WORKER_REQUEST_H

#include "worker/worker.h"

#include <snekomatic/github.h>

/* Checks `request` (any pointer of a plugin's), expands its URL into `url` and writes its fields as
 * JSON into `body`. 0 and a copy, of which `body` is what is to be sent: that JSON, the plugin's
 * own, or "" for none. Else SNEK_E_INVALID or SNEK_E_TOO_LARGE, with a reason left. */
int32_t request_build(struct run *run, const struct snek_request *request,
                      struct snek_request *copy, struct buffer *url, struct buffer *body);

#endif
