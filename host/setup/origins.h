/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GitHub's web pages for an API's address. Any thread. */
#ifndef SNEK_SETUP_ORIGINS_H
#define SNEK_SETUP_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>

#define SETUP_ORIGIN_MAX 320

/* The start of the URLs of GitHub's pages for an API's URL: https://github.com for
 * https://api.github.com, https://HOST for https://HOST/api/v3 and for https://api.HOST.ghe.com.
 * False when it does not fit. */
bool setup_web_url(const char *api_url, char web_url[SETUP_ORIGIN_MAX]);

#endif
