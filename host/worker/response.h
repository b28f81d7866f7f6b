/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's response to a request of a run, as the SDK's struct snek_response shows it. */
#ifndef SNEK_WORKER_RESPONSE_H
#define SNEK_WORKER_RESPONSE_H

#include "worker/calls.h"

#include <snekomatic/github.h>

/* NULL when memory is short. It is freed with the run, if it still exists then. */
struct snek_response *response_new(struct run *run);
void response_free(struct snek_response *response); /* takes NULL */

/* Moves the result into the response. */
void response_fill(struct snek_response *response, struct call_result *result);

/* The slots of the same names; these take NULL. */
int32_t response_status(const struct snek_response *response);
struct snek_text response_body(const struct snek_response *response);
struct snek_text response_header(struct snek_response *response, const char *name);
uint32_t response_find(struct snek_response *response, const char *path, struct snek_value *value);

/* Works like response_find(), in `json`, a part of the body. The texts live as long as the
 * response. */
uint32_t response_find_in(struct snek_response *response, const char *json, size_t bytes,
                          const char *path, struct snek_value *value);

#endif
