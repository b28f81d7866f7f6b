/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads GraphQL: its tokens, and documents with queries and mutations.
 *
 * A document becomes JSON:
 *   {"operations": [{"kind": "query", "name", "variables": [{"name", "type", "default", "at"}],
 *                    "selections", "at"}],
 *    "fragments": {NAME: {"on", "selections", "at"}}}
 * A selection is {"field", "alias", "arguments": {NAME: VALUE}, "selections", "at"},
 * {"spread": NAME, "at"} or {"on": TYPE, "selections", "at"}. A value is {"variable": NAME},
 * {"enum": NAME}, {"list": [VALUE]}, {"object": {NAME: VALUE}} or {"value": JSON}. "at" is the line
 * and the column. */
#ifndef SNEK_HARNESS_FAKE_GRAPHQL_PARSER_H
#define SNEK_HARNESS_FAKE_GRAPHQL_PARSER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum graphql_token {
    GRAPHQL_END,
    GRAPHQL_NAME,
    GRAPHQL_INT,
    GRAPHQL_FLOAT,
    GRAPHQL_STRING,
    /* "..." */
    GRAPHQL_SPREAD,
    /* One of ! $ & ( ) : = @ [ ] { | }, as `start` shows. */
    GRAPHQL_SIGN,
    /* A character that no token begins with, or a string that does not end. */
    GRAPHQL_BAD
};

struct graphql_parser {
    /* What is read next. */
    const char *at, *line_start;
    int line;
    /* The current token. */
    enum graphql_token token;
    const char *start;
    size_t bytes;
    int token_line, token_column;
    size_t depth;
    /* The first error; empty: none. Line 0: it has no place. */
    char error[160];
    int error_line, error_column;
};

/* Reads the first token. `text` is borrowed as long as the parser is used. */
void graphql_begin(struct graphql_parser *parser, const char *text);
void graphql_advance(struct graphql_parser *parser);
/* Is the current token this sign or this word? */
bool graphql_is(const struct graphql_parser *parser, char sign);
bool graphql_is_word(const struct graphql_parser *parser, const char *word);
/* Skips the sign if it is there. */
bool graphql_skip(struct graphql_parser *parser, char sign);
/* Skips the sign; false with the error when it is not there. */
bool graphql_expect(struct graphql_parser *parser, char sign);
/* Reads a name as a new JSON text; NULL with the error when there is none. */
json_t *graphql_name(struct graphql_parser *parser);
/* Reads a type such as [ID!]! as a new JSON text; NULL with the error. */
json_t *graphql_type(struct graphql_parser *parser);
/* The error: the current token is not expected. Returns false. */
bool graphql_reject(struct graphql_parser *parser);
/* The place of the current token, [line, column]. New. */
json_t *graphql_place(const struct graphql_parser *parser);

/* The document in the form above, the caller's; NULL with the parser's error. */
json_t *graphql_parse(struct graphql_parser *parser, const char *text);

#endif
