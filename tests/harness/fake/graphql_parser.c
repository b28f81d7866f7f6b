/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The grammar of GraphQL's documents. Each function fills an object that is in the tree already, so
 * that an error leaves nothing behind. */
#include "fake/graphql_parser.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

static bool read_value(struct graphql_parser *parser, json_t *into);
static bool read_selections(struct graphql_parser *parser, json_t *into);

/* Reads a name into the object. */
static bool put_name(struct graphql_parser *parser, json_t *into, const char *key) {
    json_t *name = graphql_name(parser);
    return name && json_object_set_new(into, key, name) == 0;
}

/* A new object in `into`. */
static json_t *put_object(json_t *into, const char *key) {
    json_object_set_new(into, key, json_object());
    return json_object_get(into, key);
}

static json_t *append_object(json_t *list) {
    json_array_append_new(list, json_object());
    return json_array_get(list, json_array_size(list) - 1);
}

/* ---- values ---- */

/* GraphQL's escapes are JSON's. A block string has none. */
static json_t *text_of_token(const struct graphql_parser *parser) {
    if (parser->bytes >= 6 && strncmp(parser->start, "\"\"\"", 3) == 0) {
        return json_stringn(parser->start + 3, parser->bytes - 6);
    }
    return json_loadb(parser->start, parser->bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static bool read_scalar(struct graphql_parser *parser, json_t *into) {
    json_t *value = NULL;
    if (parser->token == GRAPHQL_STRING) {
        value = text_of_token(parser);
    } else if (parser->token == GRAPHQL_INT) {
        value = json_integer(strtoll(parser->start, NULL, 10));
    } else if (parser->token == GRAPHQL_FLOAT) {
        value = json_real(strtod(parser->start, NULL));
    } else if (graphql_is_word(parser, "true") || graphql_is_word(parser, "false")) {
        value = json_boolean(*parser->start == 't');
    } else if (graphql_is_word(parser, "null")) {
        value = json_null();
    } else if (parser->token == GRAPHQL_NAME) {
        return put_name(parser, into, "enum");
    }
    if (!value) {
        return graphql_reject(parser);
    }
    json_object_set_new(into, "value", value);
    graphql_advance(parser);
    return true;
}

static bool read_list(struct graphql_parser *parser, json_t *into) {
    json_t *list = json_array();
    json_object_set_new(into, "list", list);
    while (!graphql_is(parser, ']')) {
        if (!read_value(parser, append_object(list))) {
            return false;
        }
    }
    graphql_advance(parser);
    return true;
}

/* NAME: VALUE and so on, up to `end`. */
static bool read_named_values(struct graphql_parser *parser, json_t *into, char end) {
    while (!graphql_is(parser, end)) {
        json_t *name = graphql_name(parser);
        bool is_read = name && graphql_expect(parser, ':') &&
                       read_value(parser, put_object(into, json_string_value(name)));
        json_decref(name);
        if (!is_read) {
            return false;
        }
    }
    graphql_advance(parser);
    return true;
}

static bool read_value(struct graphql_parser *parser, json_t *into) {
    bool is_read;
    if (++parser->depth > DEPTH_MAX) {
        return graphql_reject(parser);
    }
    if (graphql_skip(parser, '$')) {
        is_read = put_name(parser, into, "variable");
    } else if (graphql_skip(parser, '[')) {
        is_read = read_list(parser, into);
    } else if (graphql_skip(parser, '{')) {
        is_read = read_named_values(parser, put_object(into, "object"), '}');
    } else {
        is_read = read_scalar(parser, into);
    }
    parser->depth--;
    return is_read;
}

/* ---- types ---- */

json_t *graphql_type(struct graphql_parser *parser) {
    json_t *inner;
    bool is_list = graphql_skip(parser, '[');
    if (++parser->depth > DEPTH_MAX) {
        graphql_reject(parser);
        return NULL;
    }
    inner = is_list ? graphql_type(parser) : graphql_name(parser);
    parser->depth--;
    if (!inner || (is_list && !graphql_expect(parser, ']'))) {
        json_decref(inner);
        return NULL;
    }
    json_t *type = json_sprintf(is_list ? "[%s]%s" : "%s%s", json_string_value(inner),
                                graphql_skip(parser, '!') ? "!" : "");
    json_decref(inner);
    return type;
}

/* ---- selections ---- */

/* They are not empty when they are there. */
static bool read_arguments(struct graphql_parser *parser, json_t *into) {
    if (!graphql_skip(parser, '(')) {
        return true;
    }
    return graphql_is(parser, ')') ? graphql_reject(parser) : read_named_values(parser, into, ')');
}

static bool read_directives(struct graphql_parser *parser, json_t *into) {
    while (graphql_is(parser, '@')) {
        json_object_set_new(into, "directive_at", graphql_place(parser));
        graphql_advance(parser);
        if (!put_name(parser, into, "directive")) {
            return false;
        }
        if (!read_arguments(parser, put_object(into, "directive_arguments"))) {
            return false;
        }
    }
    return true;
}

static bool read_field(struct graphql_parser *parser, json_t *into) {
    json_t *name = graphql_name(parser);
    if (!name) {
        return false;
    }
    json_object_set_new(into, "alias", name);
    if (graphql_skip(parser, ':')) {
        if (!put_name(parser, into, "field")) {
            return false;
        }
    } else {
        json_object_set(into, "field", name);
    }
    if (!read_arguments(parser, put_object(into, "arguments"))) {
        return false;
    }
    return read_directives(parser, into) &&
           (!graphql_is(parser, '{') || read_selections(parser, into));
}

/* What follows "...". */
static bool read_fragment_use(struct graphql_parser *parser, json_t *into) {
    if (parser->token == GRAPHQL_NAME && !graphql_is_word(parser, "on")) {
        return put_name(parser, into, "spread") && read_directives(parser, into);
    }
    if (graphql_is_word(parser, "on")) {
        graphql_advance(parser);
        if (!put_name(parser, into, "on")) {
            return false;
        }
    }
    return read_directives(parser, into) && read_selections(parser, into);
}

static bool read_selections(struct graphql_parser *parser, json_t *into) {
    json_t *list = json_array();
    json_object_set_new(into, "selections", list);
    if (++parser->depth > DEPTH_MAX || !graphql_expect(parser, '{')) {
        return graphql_reject(parser);
    }
    do {
        json_t *selection = append_object(list);
        json_object_set_new(selection, "at", graphql_place(parser));
        bool is_fragment = parser->token == GRAPHQL_SPREAD;
        if (is_fragment) {
            graphql_advance(parser);
        }
        if (is_fragment ? !read_fragment_use(parser, selection) : !read_field(parser, selection)) {
            return false;
        }
    } while (!graphql_is(parser, '}'));
    graphql_advance(parser);
    parser->depth--;
    return true;
}

/* ---- documents ---- */

static bool read_variables(struct graphql_parser *parser, json_t *list) {
    if (!graphql_skip(parser, '(')) {
        return true;
    }
    do {
        json_t *variable = append_object(list);
        json_object_set_new(variable, "at", graphql_place(parser));
        if (!graphql_expect(parser, '$') || !put_name(parser, variable, "name") ||
            !graphql_expect(parser, ':')) {
            return false;
        }
        json_t *type = graphql_type(parser);
        if (!type) {
            return false;
        }
        json_object_set_new(variable, "type", type);
        if (graphql_skip(parser, '=') && !read_value(parser, put_object(variable, "default"))) {
            return false;
        }
    } while (!graphql_is(parser, ')'));
    graphql_advance(parser);
    return true;
}

static bool read_operation(struct graphql_parser *parser, json_t *operation) {
    json_t *variables = json_array();
    json_object_set_new(operation, "at", graphql_place(parser));
    json_object_set_new(operation, "kind", json_string("query"));
    json_object_set_new(operation, "variables", variables);
    if (graphql_is(parser, '{')) {
        return read_selections(parser, operation);
    }
    if (!put_name(parser, operation, "kind") ||
        (parser->token == GRAPHQL_NAME && !put_name(parser, operation, "name"))) {
        return false;
    }
    return read_variables(parser, variables) && read_directives(parser, operation) &&
           read_selections(parser, operation);
}

static bool read_fragment(struct graphql_parser *parser, json_t *fragments) {
    json_t *place = graphql_place(parser);
    graphql_advance(parser);
    json_t *name = graphql_is_word(parser, "on") ? NULL : graphql_name(parser);
    if (!name || !graphql_is_word(parser, "on")) {
        json_decref(place);
        json_decref(name);
        return graphql_reject(parser);
    }
    json_t *fragment = put_object(fragments, json_string_value(name));
    json_decref(name);
    json_object_set_new(fragment, "at", place);
    graphql_advance(parser);
    return put_name(parser, fragment, "on") && read_directives(parser, fragment) &&
           read_selections(parser, fragment);
}

static bool read_definition(struct graphql_parser *parser, json_t *document) {
    static const char *const kinds[] = {"query", "mutation", "subscription"};
    if (graphql_is_word(parser, "fragment")) {
        return read_fragment(parser, json_object_get(document, "fragments"));
    }
    bool starts = graphql_is(parser, '{');
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        starts = starts || graphql_is_word(parser, kinds[i]);
    }
    return starts ? read_operation(parser, append_object(json_object_get(document, "operations")))
                  : graphql_reject(parser);
}

json_t *graphql_parse(struct graphql_parser *parser, const char *text) {
    json_t *document = json_pack("{s:[], s:{}}", "operations", "fragments");
    graphql_begin(parser, text);
    do {
        if (!read_definition(parser, document)) {
            json_decref(document);
            return NULL;
        }
    } while (parser->token != GRAPHQL_END);
    return document;
}
