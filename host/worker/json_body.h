/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bodies of requests: JSON made of fields, and the checks of JSON that the plugin wrote. */
#ifndef SNEK_WORKER_JSON_BODY_H
#define SNEK_WORKER_JSON_BODY_H

#include "base/buffer.h"

#include <snekomatic/github.h>

struct run;

/* The three return 0, or SNEK_E_INVALID or SNEK_E_TOO_LARGE with a reason left.
 * The fields as the members of a JSON object, without its braces. */
int32_t json_body_append(struct run *run, const struct snek_field *fields, uint32_t count,
                         struct buffer *body);
int32_t json_body_check(struct run *run, const char *body, size_t bytes);
/* Always SNEK_E_TOO_LARGE. */
int32_t json_body_too_large(struct run *run);

/* NULL, or the problem with `count` fields at `fields`. */
const char *json_body_problem(const struct snek_field *fields, uint32_t count);

#endif
