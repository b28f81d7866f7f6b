/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fields that the fake works out when a document asks for them: queries with arguments, and
 * mutations. */
#ifndef SNEK_HARNESS_FAKE_GRAPHQL_CALLS_H
#define SNEK_HARNESS_FAKE_GRAPHQL_CALLS_H

#include "fake/graphql_context.h"
#include "fake/graphql_nodes.h"

/* All borrowed. */
struct graphql_call {
    struct graphql_context *context;
    const struct http_exchange *exchange;
    /* The object that has the field, and the field in the document. */
    const json_t *object, *field;
    json_t *arguments, *path;
};

/* The field's value, the caller's; NULL: none, and perhaps an error was added. */
json_t *graphql_query(struct graphql_call *call);
json_t *graphql_mutation(struct graphql_call *call);

/* Adds an error of GitHub's `type`, such as "NOT_FOUND". Returns NULL. */
__attribute__((format(printf, 3, 4))) json_t *
graphql_fail(struct graphql_call *call, const char *type, const char *format, ...);
/* Does the token have the permission? False with the error when it has not. A NULL name: it may. */
bool graphql_may(struct graphql_call *call, struct graphql_need need, const char *level);
/* The node of an id that the token may read or write; `type` may be NULL: any. Without one the
 * error was added. */
struct graphql_node graphql_node_of(struct graphql_call *call, const char *id, const char *type,
                                    const char *level);
/* The repository OWNER/NAME that the token reaches; NULL with the error. */
json_t *graphql_repository_of(struct graphql_call *call, const char *full_name);

#endif
