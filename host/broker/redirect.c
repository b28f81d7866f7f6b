/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rules for redirects. */
#include "broker/redirect.h"

#include "broker/response.h"

#include <snekomatic/types.h>

#include <string.h>

bool redirect_is_followed(const char *method, int32_t status) {
    switch (status) {
    case 301:
    case 302:
    case 303:
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    case 307:
    case 308:
        return true;
    default:
        return false;
    }
}

int32_t redirect_resolve(const struct origin *origin, const struct target *from,
                         const struct http_transfer *transfer, struct target *target,
                         struct error *err) {
    char location[URL_MAX + 1];
    size_t bytes = 0;
    const char *value = response_header(&transfer->headers, "location", &bytes);
    if (!value) {
        error_set(err, "it names no Location");
        return SNEK_E_SERVER;
    }
    if (bytes >= sizeof location) {
        error_set(err, "its Location is too long");
        return SNEK_E_SERVER;
    }
    memcpy(location, value, bytes);
    location[bytes] = '\0';
    int32_t outcome = origin_redirect(origin, from, location, target, err);
    if (outcome < 0) {
        return outcome;
    }
    if (target->of_tokens) {
        error_set(err, "it leads to the host's tokens");
        outcome = SNEK_E_FORBIDDEN;
    } else if (target->as_app != from->as_app) {
        error_set(err, "it leads from a token's part of the API to the app's, or back");
        outcome = SNEK_E_FOREIGN_ORIGIN;
    }
    if (outcome < 0) {
        target_finish(target);
    }
    return outcome;
}
