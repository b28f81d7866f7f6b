/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "broker/kind.h"

#include "broker/broker.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Of GitHub's endpoints those whose pages say "triggers notifications" or that send an invitation.
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

/* ---- GraphQL ---- */

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Behind the string, or the block string, that starts at `at`. */
static const char *skip_string(const char *at) {
    if (strncmp(at, "\"\"\"", 3) == 0) {
        for (at += 3; *at && strncmp(at, "\"\"\"", 3) != 0; at++) {
            at += strncmp(at, "\\\"\"\"", 4) == 0 ? 3 : 0;
        }
        return *at ? at + 3 : at;
    }
    for (at++; *at && *at != '"' && *at != '\n' && *at != '\r'; at++) {
        at += *at == '\\' && at[1] ? 1 : 0;
    }
    return *at ? at + 1 : at;
}

/* Is one of the document's operations a mutation? Names count at depth 0 only: elsewhere they are
 * fields or arguments. */
static bool has_mutation(const char *at) {
    int depth = 0;
    while (*at) {
        size_t name = 0;
        if (*at == '#') {
            at += strcspn(at, "\r\n");
        } else if (*at == '"') {
            at = skip_string(at);
        } else if (is_name(*at)) {
            while (is_name(at[name])) {
                name++;
            }
            if (depth == 0 && name == 8 && memcmp(at, "mutation", 8) == 0) {
                return true;
            }
            at += name;
        } else {
            depth += strchr("{([", *at) ? 1 : strchr("})]", *at) ? -1 : 0;
            at++;
        }
    }
    return false;
}

/* Comments, reviews, issues, pull requests and discussions. */
static bool mutation_notifies(const char *document) {
    static const char *const signs[] = {
        "omment",           "eview",  "createIssue", "createPullRequest", "createDiscussion",
        "mergePullRequest", "ssignee"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (strstr(document, signs[i])) {
            return true;
        }
    }
    return false;
}

/* The one document of a request: of two keys of one name parsers differ which counts. NULL when
 * there are more, or none, or memory is short. The caller's to free(). */
static char *document_of(const char *body, size_t body_bytes) {
    struct json_reader reader;
    struct json_value query;
    unsigned count = 0;
    json_init(&reader, body, body_bytes);
    if (json_next(&reader) != JSON_OBJECT_BEGIN) {
        return NULL;
    }
    while (json_next(&reader) == JSON_KEY) {
        count += json_text_is(reader.text, reader.text_bytes, "query", 5);
        if (json_skip(&reader, json_next(&reader)) < 0) {
            return NULL;
        }
    }
    if (count != 1 || !json_find(body, body_bytes, "query", &query) || query.type != JSON_STRING) {
        return NULL;
    }
    char *document = malloc(query.raw_bytes);
    if (document) {
        size_t bytes = json_unescape(query.raw + 1, query.raw_bytes - 2, document);
        document[bytes] = '\0';
        if (strlen(document) != bytes) { /* and what stands behind a NUL is not looked at */
            free(STEAL(document));
        }
    }
    return document;
}

static struct request_kind kind_of_graphql(const char *body, size_t body_bytes) {
    struct request_kind kind = {.bucket = BUCKET_GRAPHQL, .graphql = true};
    AUTO_FREE char *document = document_of(body ? body : "", body ? body_bytes : 0);
    if (!document) {
        kind.mutation = true; /* to be on the safe side */
        kind.pace = PACE_NOTIFY;
        return kind;
    }
    kind.mutation = has_mutation(document);
    kind.pace = !kind.mutation ? PACE_NONE : mutation_notifies(document) ? PACE_NOTIFY : PACE_WRITE;
    return kind;
}

bool broker_graphql_reads(const char *body, size_t body_bytes) {
    return !kind_of_graphql(body, body_bytes).mutation;
}

struct request_kind request_kind_of(const char *method, const char *path, const char *body,
                                    size_t body_bytes) {
    if (strcmp(path, "/graphql") == 0) {
        return kind_of_graphql(body, body_bytes);
    }
    struct request_kind kind = {.bucket =
                                    strncmp(path, "/search/", 8) == 0 ? BUCKET_SEARCH : BUCKET_ALL};
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        kind.pace = notifies(method, path) ? PACE_NOTIFY : PACE_WRITE;
    }
    return kind;
}
