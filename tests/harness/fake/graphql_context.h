/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One request to /graphql: what its validation and its execution share. */
#ifndef SNEK_HARNESS_FAKE_GRAPHQL_CONTEXT_H
#define SNEK_HARNESS_FAKE_GRAPHQL_CONTEXT_H

#include "fake/http_exchange.h"

struct graphql_context {
    struct http_exchange *exchange;
    /* Ours. The document is in the form of graphql_parser.h. */
    json_t *schema, *document;
    /* Borrowed of the document. */
    const json_t *operation;
    /* Ours: the values of the variables; the names of those that the document uses. */
    json_t *variables, *used;
    /* Ours: a list in GitHub's form. */
    json_t *errors;
};

/* Adds an error. `at` is [line, column] or NULL; `path` and `more` (its other members) are stolen
 * and may be NULL. */
void graphql_error(struct graphql_context *context, const char *message, const json_t *at,
                   json_t *path, json_t *more);

/* graphql_values.c: the first thing that is wrong with a value. */
struct graphql_problem {
    /* Where in the value: "message.headline". */
    char path[160];
    char said[240];
    /* "" unless GitHub's code of the error is not that of a wrong value. */
    char code[40];
};
/* Does the value, in the form of graphql_parser.h, fit the type? */
bool graphql_value_fits(struct graphql_context *context, const char *type, const json_t *value,
                        struct graphql_problem *problem);
/* The value as JSON, the caller's; a variable without one is NULL. */
json_t *graphql_value(const struct graphql_context *context, const json_t *value);
/* The arguments of a field as JSON, the caller's. */
json_t *graphql_arguments(const struct graphql_context *context, const json_t *field);
/* Checks `given` (NULL: none), and sets context->variables. Errors are added. */
void graphql_variables(struct graphql_context *context, const json_t *given);

/* graphql_validate.c: checks the document against the schema. Errors are added. */
void graphql_validate(struct graphql_context *context);

/* graphql_execute.c: the operation's data, the caller's. Errors are added. */
json_t *graphql_execute(struct graphql_context *context);

#endif
