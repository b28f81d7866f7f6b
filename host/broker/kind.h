/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What kind of request it is, told from its method, path and body: whether it changes something at
 * GitHub, whether people hear of it, and which of GitHub's quotas it takes from. From any thread;
 * nothing is shared. */
#ifndef SNEK_BROKER_KIND_H
#define SNEK_BROKER_KIND_H

#include <stdbool.h>
#include <stddef.h>

enum request_pace {
    PACE_NONE,   /* it reads */
    PACE_WRITE,  /* it changes something */
    PACE_NOTIFY, /* and people get a notification or a mail */
};

enum request_bucket { BUCKET_ALL, BUCKET_SEARCH, BUCKET_GRAPHQL, BUCKETS };

struct request_kind {
    enum request_pace pace;
    enum request_bucket bucket;
    bool graphql;
    bool mutation; /* of GraphQL */
};

/* `path` is below the API's root, without the query. */
struct request_kind request_kind_of(const char *method, const char *path, const char *body,
                                    size_t body_bytes);

/* GET, HEAD and a GraphQL query change nothing. */
static inline bool request_reads(const struct request_kind *kind) {
    return kind->pace == PACE_NONE;
}

#endif
