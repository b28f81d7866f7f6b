/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Objects of the state as GraphQL's: found by their global id, and made into JSON. */
#ifndef SNEK_HARNESS_FAKE_GRAPHQL_NODES_H
#define SNEK_HARNESS_FAKE_GRAPHQL_NODES_H

#include "fake/http_exchange.h"

/* All borrowed of the state. */
struct graphql_node {
    /* The name of its type; NULL: there is none. */
    const char *type;
    json_t *item;
    /* Of items, comments and branches. */
    json_t *repository;
    /* Of projects, their items and the organization itself. */
    json_t *organization;
};

/* The node that the token reaches, whatever its permissions. */
struct graphql_node graphql_node_find(const struct http_exchange *exchange, const char *id);
/* The global id, new. */
json_t *graphql_node_id(const struct graphql_node *node);
/* The node's scalars and what needs no arguments, new. Keys with a "_" are for the resolvers. */
json_t *graphql_node_object(const struct http_exchange *exchange, const struct graphql_node *node);
/* A commit by its hash, new. */
json_t *graphql_commit_object(const json_t *repository, const char *sha);
/* The branch, new; NULL: there is none. */
json_t *graphql_ref_object(const json_t *repository, const char *name);
/* The permission to read or write the node: `name` or `or_else`. NULL: none. */
struct graphql_need {
    const char *name, *or_else;
};
struct graphql_need graphql_node_need(const char *type);

#endif
