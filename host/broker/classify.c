/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of the endpoints that notify people, and the classes of all others. */
#include "broker/classify.h"

#include "broker/graphql.h"

#include <fnmatch.h>
#include <string.h>

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
            fnmatch(notifying[i].path, path, FNM_PATHNAME | FNM_NOESCAPE) == 0) {
            return true;
        }
    }
    return false;
}

struct request_class classify_request(const char *method, const char *path, const char *body,
                                      size_t body_bytes) {
    if (strcmp(path, "/graphql") == 0) {
        return graphql_classify(body, body_bytes);
    }
    struct request_class class = {.resource = RESOURCE_CORE};
    if (strncmp(path, "/search/", 8) == 0) {
        class.resource = RESOURCE_SEARCH;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        class.pace = notifies(method, path) ? PACE_NOTIFY : PACE_WRITE;
    }
    return class;
}
