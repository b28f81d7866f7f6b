/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks that need no response of GitHub. */
#include "broker/request_check.h"

#include "base/text.h"
#include "broker/headers.h"
#include "inbox/limits.h"

#include <snekomatic/types.h>

#include <string.h>
#include <strings.h>

#define PERMISSIONS_MAX 65536

static bool is_one_of(const char *text, const char *const *texts) {
    for (; *texts; texts++) {
        if (strcmp(*texts, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_given(const char *text) {
    return text && text[0];
}

static bool is_repository(const char *text) {
    const char *slash = strchr(text, '/');
    return slash && slash != text && slash[1] && !strchr(slash + 1, '/');
}

const char *request_permissions(const struct broker_request *request) {
    bool none = !is_given(request->permissions) || strcmp(request->permissions, "{}") == 0;
    return none ? "{\"metadata\":\"read\"}" : request->permissions;
}

static bool is_json(const char *type) {
    return !is_given(type) || strncasecmp(type, "application/json", 16) == 0;
}

/* 0, or -1 and a sentence. */
static int check_texts(const struct broker_request *request, struct error *err) {
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", NULL};
    if (!is_one_of(request->method, methods)) {
        return error_set(err, "the method is none of GET, HEAD, PUT, POST, PATCH, DELETE");
    }
    if ((request->method[0] == 'G' || request->method[0] == 'H') && request->body_bytes > 0) {
        return error_set(err, "a GET takes no body");
    }
    if (!is_given(request->installation) ||
        strnlen(request->installation, INBOX_NAME_MAX + 1) > INBOX_NAME_MAX) {
        return error_set(err, "the run has no installation to act for");
    }
    if (strnlen(request_permissions(request), PERMISSIONS_MAX + 1) > PERMISSIONS_MAX ||
        (request->optional && strnlen(request->optional, PERMISSIONS_MAX + 1) > PERMISSIONS_MAX)) {
        return error_set(err, "the permissions are longer than 65536 bytes");
    }
    if ((request->accept && !headers_is_value(request->accept)) ||
        (request->content_type && !headers_is_value(request->content_type))) {
        return error_set(err, "the media type has characters other than visible ASCII");
    }
    if (is_given(request->repository) && !is_repository(request->repository)) {
        return error_set(err, "the repository is not owner/name");
    }
    return headers_check(request->more_headers, err);
}

int32_t request_check(const struct broker_request *request, const struct origin *origin,
                      struct target *target, struct error *err) {
    if (check_texts(request, err) < 0) {
        return SNEK_E_INVALID;
    }
    int32_t outcome = origin_resolve(origin, request->url, target, err);
    if (outcome < 0) {
        return outcome;
    }
    if (strcmp(target->path, "/graphql") == 0 &&
        (strchr(request->url, '?') || !is_json(request->content_type))) {
        /* Elsewhere a document would not be searched for mutations. */
        error_set(err, "GraphQL takes its document in a JSON body, and nothing in the URL");
        return SNEK_E_INVALID;
    }
    char shown[URL_SHOWN + 1];
    text_clean(shown, sizeof shown, target->path, strlen(target->path));
    if (target->of_tokens) {
        error_set(err,
                  "%s %s: tokens are the host's: it creates one for each request, and revokes none",
                  request->method, shown);
        return SNEK_E_FORBIDDEN;
    }
    if (target->as_app && !request->app_requests) {
        error_set(err,
                  "%s %s: plugin %s may make no requests as the app; plugin.app_requests = true "
                  "allows it",
                  request->method, shown, request->plugin ? request->plugin : "?");
        return SNEK_E_FORBIDDEN;
    }
    return 0;
}
