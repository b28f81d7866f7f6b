/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of the endpoints that notify people, and the classes of all others. */
#include "broker/classify.h"

#include "broker/graphql.h"

#include <curl/curl.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

/* GitHub's endpoints whose pages say "triggers notifications", and those that send an invitation.
 * A * is one segment. */
static const struct {
    const char *method, *path;
} notifying[] = {
    {"POST", "/repos/*/*/issues"},
    {"POST", "/repos/*/*/issues/*/comments"},
    {"POST", "/repos/*/*/issues/*/assignees"},
    {"POST", "/repos/*/*/pulls"},
    {"POST", "/repos/*/*/pulls/*/comments"},
    {"POST", "/repos/*/*/pulls/*/comments/*/replies"},
    {"POST", "/repos/*/*/pulls/*/reviews"},
    {"POST", "/repos/*/*/pulls/*/reviews/*/events"},
    {"POST", "/repos/*/*/pulls/*/requested_reviewers"},
    {"PUT", "/repos/*/*/pulls/*/merge"},
    {"POST", "/repos/*/*/commits/*/comments"},
    {"POST", "/repos/*/*/releases"},
    {"PUT", "/repos/*/*/collaborators/*"},
    {"POST", "/orgs/*/invitations"},
    {"PUT", "/orgs/*/memberships/*"},
    {"PUT", "/orgs/*/teams/*/memberships/*"},
    {"PUT", "/teams/*/memberships/*"},
};

static bool notifies(const char *method, const char *path) {
    for (size_t i = 0; i < sizeof notifying / sizeof *notifying; i++) {
        if (strcmp(method, notifying[i].method) == 0 &&
            fnmatch(notifying[i].path, path, FNM_PATHNAME | FNM_NOESCAPE | FNM_CASEFOLD) == 0) {
            return true;
        }
    }
    return false;
}

/* The path as a lenient server reads it: decoded once, without slashes at its end. The caller frees
 * it with curl_free(). NULL: no memory. */
static char *read_path(const char *path) {
    int bytes = 0;
    char *decoded = curl_easy_unescape(NULL, path, 0, &bytes);
    while (decoded && bytes > 1 && decoded[bytes - 1] == '/') {
        decoded[--bytes] = '\0';
    }
    return decoded;
}

struct request_class classify_request(const char *method, const char *path, const char *body,
                                      size_t body_bytes) {
    if (strcmp(path, "/graphql") == 0) {
        return graphql_classify(body, body_bytes);
    }
    struct request_class class = {.resource = RESOURCE_CORE};
    char *read = read_path(path);
    const char *plain_path = read ? read : path;
    if (strncasecmp(plain_path, "/search/", 8) == 0) {
        class.resource = RESOURCE_SEARCH;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        class.pace = notifies(method, plain_path) ? PACE_NOTIFY : PACE_WRITE;
    }
    curl_free(read);
    return class;
}
