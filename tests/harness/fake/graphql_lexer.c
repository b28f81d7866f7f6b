/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tokens of GraphQL, and errors that name one. */
#include "fake/graphql_parser.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void skip_bytes(struct graphql_parser *parser, size_t bytes) {
    for (; bytes > 0 && *parser->at; bytes--, parser->at++) {
        if (*parser->at == '\n') {
            parser->line++;
            parser->line_start = parser->at + 1;
        }
    }
}

/* White space, commas, comments and a byte order mark. */
static void skip_ignored(struct graphql_parser *parser) {
    for (;;) {
        size_t bytes = strspn(parser->at, " \t\r\n,");
        if (*parser->at == '#') {
            bytes = strcspn(parser->at, "\n");
        } else if (strncmp(parser->at, "\xef\xbb\xbf", 3) == 0) {
            bytes = 3;
        }
        if (bytes == 0) {
            return;
        }
        skip_bytes(parser, bytes);
    }
}

/* The string, or block string, that starts here. */
static enum graphql_token read_string(struct graphql_parser *parser) {
    bool block = strncmp(parser->at, "\"\"\"", 3) == 0;
    size_t quotes = block ? 3 : 1;
    skip_bytes(parser, quotes);
    while (*parser->at && strncmp(parser->at, "\"\"\"", quotes) != 0) {
        if (*parser->at == '\n' && !block) {
            return GRAPHQL_BAD;
        }
        skip_bytes(parser, *parser->at == '\\' ? 2 : 1);
    }
    if (!*parser->at) {
        return GRAPHQL_BAD;
    }
    skip_bytes(parser, quotes);
    return GRAPHQL_STRING;
}

static enum graphql_token read_number(struct graphql_parser *parser) {
    enum graphql_token token = GRAPHQL_INT;
    skip_bytes(parser, *parser->at == '-');
    size_t digits = strspn(parser->at, "0123456789");
    skip_bytes(parser, digits);
    if (*parser->at == '.' && isdigit((unsigned char)parser->at[1])) {
        token = GRAPHQL_FLOAT;
        skip_bytes(parser, 1 + strspn(parser->at + 1, "0123456789"));
    }
    if (digits > 0 && (*parser->at == 'e' || *parser->at == 'E')) {
        token = GRAPHQL_FLOAT;
        skip_bytes(parser, 1 + strspn(parser->at + 1, "+-"));
        skip_bytes(parser, strspn(parser->at, "0123456789"));
    }
    return digits > 0 ? token : GRAPHQL_BAD;
}

static enum graphql_token read_token(struct graphql_parser *parser) {
    char c = *parser->at;
    if (c == '\0') {
        return GRAPHQL_END;
    }
    if (c == '"') {
        return read_string(parser);
    }
    if (c == '-' || isdigit((unsigned char)c)) {
        return read_number(parser);
    }
    if (isalpha((unsigned char)c) || c == '_') {
        while (isalnum((unsigned char)*parser->at) || *parser->at == '_') {
            parser->at++;
        }
        return GRAPHQL_NAME;
    }
    if (strncmp(parser->at, "...", 3) == 0) {
        skip_bytes(parser, 3);
        return GRAPHQL_SPREAD;
    }
    skip_bytes(parser, 1);
    return strchr("!$&():=@[]{|}", c) ? GRAPHQL_SIGN : GRAPHQL_BAD;
}

void graphql_advance(struct graphql_parser *parser) {
    skip_ignored(parser);
    parser->start = parser->at;
    parser->token_line = parser->line;
    parser->token_column = (int)(parser->at - parser->line_start) + 1;
    parser->token = read_token(parser);
    parser->bytes = (size_t)(parser->at - parser->start);
}

void graphql_begin(struct graphql_parser *parser, const char *text) {
    *parser = (struct graphql_parser){.at = text, .line_start = text, .line = 1};
    graphql_advance(parser);
}

bool graphql_is(const struct graphql_parser *parser, char sign) {
    return parser->token == GRAPHQL_SIGN && *parser->start == sign;
}

bool graphql_is_word(const struct graphql_parser *parser, const char *word) {
    return parser->token == GRAPHQL_NAME && strlen(word) == parser->bytes &&
           strncmp(parser->start, word, parser->bytes) == 0;
}

bool graphql_skip(struct graphql_parser *parser, char sign) {
    bool is_there = graphql_is(parser, sign);
    if (is_there) {
        graphql_advance(parser);
    }
    return is_there;
}

bool graphql_expect(struct graphql_parser *parser, char sign) {
    return graphql_skip(parser, sign) || graphql_reject(parser);
}

/* The token's name in GitHub's errors. */
static const char *token_name(const struct graphql_parser *parser) {
    static const struct {
        char sign;
        const char *name;
    } signs[] = {{'{', "LCURLY"},   {'}', "RCURLY"},   {'(', "LPAREN"},   {')', "RPAREN"},
                 {'[', "LBRACKET"}, {']', "RBRACKET"}, {':', "COLON"},    {'!', "BANG"},
                 {'=', "EQUALS"},   {'$', "VAR_SIGN"}, {'@', "DIR_SIGN"}, {'|', "PIPE"}};
    static const char *const names[] = {"END",    "IDENTIFIER", "INT",       "FLOAT",
                                        "STRING", "ELLIPSIS",   "AMPERSAND", "UNKNOWN_CHAR"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (graphql_is(parser, signs[i].sign)) {
            return signs[i].name;
        }
    }
    return names[parser->token];
}

bool graphql_reject(struct graphql_parser *parser) {
    if (parser->error[0]) {
        return false;
    }
    if (parser->token == GRAPHQL_END) {
        snprintf(parser->error, sizeof parser->error, "Unexpected end of document");
        return false;
    }
    parser->error_line = parser->token_line;
    parser->error_column = parser->token_column;
    snprintf(parser->error, sizeof parser->error, "Parse error on \"%.*s\" (%s) at [%d, %d]",
             (int)(parser->bytes > 60 ? 60 : parser->bytes), parser->start, token_name(parser),
             parser->token_line, parser->token_column);
    return false;
}

json_t *graphql_name(struct graphql_parser *parser) {
    if (parser->token != GRAPHQL_NAME) {
        graphql_reject(parser);
        return NULL;
    }
    json_t *name = json_stringn(parser->start, parser->bytes);
    graphql_advance(parser);
    return name;
}

json_t *graphql_place(const struct graphql_parser *parser) {
    return json_pack("[i, i]", parser->token_line, parser->token_column);
}
