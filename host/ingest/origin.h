/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hosts that a request for a page may name. Any thread. */
#ifndef SNEK_INGEST_ORIGIN_H
#define SNEK_INGEST_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_ORIGIN_MAX 320

/* May a request with this header Host use our pages? Only the host of `public_url` (NULL: there is
 * none), this machine's loopback names, and the address at which the request arrived: a name of a
 * stranger could resolve to this machine (DNS rebinding). On success `origin` is the start of the
 * URL that the browser uses. */
bool http_host_is_ours(const char *host, size_t host_bytes, const char *public_url,
                       const char *local_address, char origin[HTTP_ORIGIN_MAX]);

#endif
