/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Decides whether a redirect is followed, and where it leads. From any thread; nothing is shared.
 */
#ifndef SNEK_BROKER_REDIRECT_H
#define SNEK_BROKER_REDIRECT_H

#include "broker/transport.h"
#include "broker/url.h"

#include <stdbool.h>

/* One request follows at most so many. */
#define REDIRECTS_MAX 5

/* May a redirect with this status be followed? For GET and HEAD any, for others those that keep the
 * method. */
bool redirect_is_followed(const char *method, int32_t status);

/* The target of the response's Location: 0 and `target`, or a negative enum snek_error and the
 * reason. It may lead neither off the origin, nor to the host's tokens, nor from a token's part of
 * the API to the app's. */
int32_t redirect_resolve(const struct origin *origin, const struct target *from,
                         const struct http_transfer *transfer, struct target *target,
                         struct error *err);

#endif
