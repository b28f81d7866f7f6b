/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of GitHub's GraphQL schema that the fake executes. tests/system/test_fake_graphql.py
 * compares it with GitHub's own. */
#ifndef SNEK_HARNESS_FAKE_GRAPHQL_SCHEMA_H
#define SNEK_HARNESS_FAKE_GRAPHQL_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#define GRAPHQL_NAME_MAX 64

/* In GraphQL's schema language. */
extern const char graphql_schema_text[];

/* The schema as JSON, the caller's: {NAME: {"name", "kind": "type", "fields": {NAME: {"type",
 * "arguments": {NAME: TYPE}}}, "of": [NAME]}}. "of" has the interfaces of a type, the members of a
 * union, or the values of an enum. */
json_t *graphql_schema_load(void);
/* The definition of a type such as [Issue!]!; borrowed. */
const json_t *graphql_schema_find(const json_t *schema, const char *type);
/* Has it no fields: is it a scalar or an enum? */
bool graphql_schema_is_leaf(const json_t *definition);
bool graphql_schema_is_kind(const json_t *definition, const char *kind);
/* Is each `name` a `wanted`: the same, or one of the types of an interface or a union? */
bool graphql_schema_includes(const json_t *schema, const char *wanted, const char *name);
/* May a value be both? */
bool graphql_schema_overlaps(const json_t *schema, const char *one, const char *other);
/* Does the list of texts have it? */
bool graphql_schema_lists(const json_t *list, const char *text);

#endif
