/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Variants of a payload: each value in turn is missing, or null. */
#ifndef SNEK_CLI_PAYLOAD_VARIANTS_H
#define SNEK_CLI_PAYLOAD_VARIANTS_H

#include <jansson.h>
#include <stddef.h>

/* `what` is "" for the whole payload, else "without pull_request.user" or "with pull_request.user
 * null". Borrowed for the call. Nonzero ends the walk. */
typedef int on_variant(void *context, const char *what, const char *json, size_t bytes);

/* Calls back for the whole payload and for each variant of its members, at every depth. The result
 * of the last call; -1 when memory is short. `payload` is unchanged at the end, except for the
 * order of its members. */
int payload_variants(json_t *payload, on_variant *callback, void *context);

#endif
