/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Derives GitHub's web address. */
#include "setup/origins.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HTTPS "https://"

bool setup_web_url(const char *api_url, char web_url[SETUP_ORIGIN_MAX]) {
    static const char api[] = HTTPS "api.";
    const char *authority = strstr(api_url, "://");
    if (!authority) {
        return false;
    }
    size_t bytes =
        (size_t)(authority - api_url) + strlen("://") + strcspn(authority + strlen("://"), "/");
    bool has_path = api_url[bytes] != '\0';
    /* A server of one's own has a path, /api/v3, and no name for its API. */
    if (!has_path && strncasecmp(api_url, api, sizeof api - 1) == 0) {
        return snprintf(web_url, SETUP_ORIGIN_MAX, HTTPS "%.*s", (int)(bytes - (sizeof api - 1)),
                        api_url + sizeof api - 1) < SETUP_ORIGIN_MAX;
    }
    return snprintf(web_url, SETUP_ORIGIN_MAX, "%.*s", (int)bytes, api_url) < SETUP_ORIGIN_MAX;
}
