/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Classifies a request by its method, path and body: does it change something at GitHub, does it
 * notify people, and which of GitHub's quotas does it use? From any thread; nothing is shared. */
#ifndef SNEK_BROKER_CLASSIFY_H
#define SNEK_BROKER_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>

enum request_pace {
    /* It reads. */
    PACE_NONE,
    /* It changes something. */
    PACE_WRITE,
    /* It changes something, and people get a notification or a mail. */
    PACE_NOTIFY,
};

/* GitHub's quotas ("Rate limits for the REST API"), as X-RateLimit-Resource names them. */
enum resource { RESOURCE_CORE, RESOURCE_SEARCH, RESOURCE_GRAPHQL, RESOURCES };

struct request_class {
    enum request_pace pace;
    enum resource resource;
    bool graphql;
    /* A GraphQL document that changes something. */
    bool mutation;
};

/* `path` is below the API's root, without the query. */
struct request_class classify_request(const char *method, const char *path, const char *body,
                                      size_t body_bytes);

/* GET, HEAD and a GraphQL query change nothing. */
static inline bool request_reads(const struct request_class *class) {
    return class->pace == PACE_NONE;
}

#endif
