/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which hosts a request may name, and where GitHub's web pages are. Any thread. */
#ifndef SNEK_SETUP_ORIGINS_H
#define SNEK_SETUP_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>

#define SETUP_ORIGIN_MAX 320

/* May a request with this header Host use the setup? Only the host of `public_url` (NULL: there is
 * none), this machine's loopback names, and the address at which the request arrived: a name of a
 * stranger could resolve to this machine (DNS rebinding). On success `origin` is the start of the
 * URL that the browser uses. */
bool setup_host_is_ours(const char *host, size_t host_bytes, const char *public_url,
                        const char *local_address, char origin[SETUP_ORIGIN_MAX]);

/* The start of the URLs of GitHub's pages for an API's URL: https://github.com for
 * https://api.github.com, https://HOST for https://HOST/api/v3 and for https://api.HOST.ghe.com.
 * False when it does not fit. */
bool setup_web_url(const char *api_url, char web_url[SETUP_ORIGIN_MAX]);

#endif
