/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* POST /graphql. A response of the state counts first: it names the documents and variables that it
 * is for. Otherwise the fake executes the document as far as it knows GitHub's schema. */
#include "fake/graphql.h"

#include "fake/graphql_context.h"
#include "fake/graphql_parser.h"
#include "fake/graphql_schema.h"
#include "fake/handlers.h"
#include "fake/response.h"
#include "fake/state.h"

#include <string.h>

/* ---- the state's entries ---- */

static int check_errors(const json_t *errors, struct error *err) {
    size_t i;
    json_t *one;
    json_array_foreach(errors, i, one) {
        if (!text_of(one, "message")) {
            return error_set(err, "errors[%zu] has no message", i);
        }
    }
    return errors && json_array_size(errors) == 0
               ? error_set(err, "errors is a list of objects with a message")
               : 0;
}

int graphql_check(json_t *entry, struct error *err) {
    const char *contains = NULL;
    json_int_t times = 1;
    json_t *variables = NULL, *data = NULL, *errors = NULL;
    json_error_t problem;
    if (json_unpack_ex(entry, &problem, 0, "{s?s, s?o, s?o, s?o, s?I !}", "contains", &contains,
                       "variables", &variables, "data", &data, "errors", &errors, "times",
                       &times) < 0) {
        return error_set(err, "%s", problem.text);
    }
    if (variables && !json_is_object(variables)) {
        return error_set(err, "variables is not an object");
    }
    if (!data && !errors) {
        return error_set(err, "it has no response: data, errors or both are needed");
    }
    if (data && !json_is_object(data) && !json_is_null(data)) {
        return error_set(err, "data is not an object");
    }
    if (times < 1) {
        return error_set(err, "times is a positive number; without it an entry is for always");
    }
    return check_errors(errors, err);
}

static bool fits(const json_t *entry, const char *document, const json_t *variables) {
    const char *contains = text_of(entry, "contains"), *name;
    json_t *value;
    if (contains && !strstr(document, contains)) {
        return false;
    }
    json_object_foreach(json_object_get(entry, "variables"), name, value) {
        json_t *given = json_object_get(variables, name);
        if (!(given ? json_equal(given, value) : json_is_null(value))) {
            return false;
        }
    }
    return true;
}

/* The first entry that fits, counted down; the caller's; NULL: none fits. */
static json_t *take_entry(struct fake *fake, const char *document, const json_t *variables) {
    json_t *entries = state_list(fake, "graphql"), *entry;
    size_t i;
    json_array_foreach(entries, i, entry) {
        if (!fits(entry, document, variables)) {
            continue;
        }
        json_int_t times = number_of(entry, "times");
        json_incref(entry);
        if (times == 1) {
            json_array_remove(entries, i);
        } else if (times > 1) {
            json_object_set_new(entry, "times", json_integer(times - 1));
        }
        return entry;
    }
    return NULL;
}

/* ---- the request ---- */

static void respond_entry(struct http_exchange *exchange, const json_t *entry) {
    json_t *response = json_object();
    static const char *const parts[] = {"data", "errors"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_t *part = json_object_get(entry, parts[i]);
        if (part) {
            json_object_set(response, parts[i], part);
        }
    }
    respond_json(exchange, 200, response);
}

static void respond_error_text(struct http_exchange *exchange, const char *message,
                               json_t *locations) {
    json_t *error = json_pack("{s:s, s:o*}", "message", message, "locations", locations);
    respond_json(exchange, 200, json_pack("{s:[o]}", "errors", error));
}

static void respond_unparsed(struct http_exchange *exchange, const struct graphql_parser *parser) {
    json_t *locations = json_array();
    if (parser->error_line > 0) {
        json_array_append_new(locations, json_pack("{s:i, s:i}", "line", parser->error_line,
                                                   "column", parser->error_column));
    }
    respond_error_text(exchange, parser->error, locations);
}

static void respond_without_entry(struct http_exchange *exchange, const char *document) {
    char message[512];
    snprintf(message, sizeof message,
             "The fake GitHub has no response to this document with these variables: put one "
             "into the state's list \"graphql\", such as {\"contains\": \"%.60s\", \"data\": "
             "{}} (see fake-github.md)",
             document + strspn(document, " \t\r\n"));
    respond_error_text(exchange, message, NULL);
}

/* ---- execution ---- */

/* The operation that is wanted; NULL when it responded with an error. */
static const json_t *find_operation(struct http_exchange *exchange, const json_t *document,
                                    const char *name) {
    const json_t *operations = json_object_get(document, "operations");
    size_t i;
    json_t *operation;
    json_array_foreach(operations, i, operation) {
        const char *given = text_of(operation, "name");
        if (name ? given && strcmp(given, name) == 0 : json_array_size(operations) == 1) {
            return operation;
        }
    }
    respond_error_text(
        exchange, name ? "No operation named by operationName" : "An operation name is required",
        NULL);
    return NULL;
}

/* Does the operation begin with a field that the fake does not execute? */
static bool has_unknown_root(const struct graphql_context *context) {
    const char *kind = text_of(context->operation, "kind");
    const json_t *root =
        json_object_get(context->schema, strcmp(kind, "mutation") == 0 ? "Mutation" : "Query");
    size_t i;
    json_t *selection;
    json_array_foreach(json_object_get(context->operation, "selections"), i, selection) {
        const char *field = text_of(selection, "field");
        if (field && strncmp(field, "__", 2) != 0 &&
            !json_object_get(json_object_get(root, "fields"), field)) {
            return true;
        }
    }
    return strcmp(kind, "subscription") == 0;
}

static void execute(struct graphql_context *context, const char *text, const json_t *variables) {
    json_t *data = NULL;
    if (has_unknown_root(context)) {
        respond_without_entry(context->exchange, text);
        return;
    }
    graphql_validate(context);
    if (json_array_size(context->errors) == 0) {
        graphql_variables(context, variables);
    }
    if (json_array_size(context->errors) == 0) {
        data = graphql_execute(context);
    }
    json_t *errors = json_array_size(context->errors) > 0 ? context->errors : NULL;
    respond_json(context->exchange, 200, json_pack("{s:o*, s:O*}", "data", data, "errors", errors));
}

static void respond_executed(struct http_exchange *exchange, const char *text, json_t *document,
                             const json_t *body) {
    const json_t *operation = find_operation(exchange, document, text_of(body, "operationName"));
    if (!operation) {
        return;
    }
    struct graphql_context context = {.exchange = exchange,
                                      .schema = graphql_schema_load(),
                                      .document = document,
                                      .operation = operation,
                                      .variables = json_object(),
                                      .used = json_object(),
                                      .errors = json_array()};
    execute(&context, text, json_object_get(body, "variables"));
    json_decref(context.schema);
    json_decref(context.variables);
    json_decref(context.used);
    json_decref(context.errors);
}

/* A document that cannot be read is an error, even when the state has a response to it. */
static void respond_document(struct http_exchange *exchange, const char *text, const json_t *body) {
    struct graphql_parser parser;
    json_t *document = graphql_parse(&parser, text);
    json_t *entry =
        document ? take_entry(exchange->fake, text, json_object_get(body, "variables")) : NULL;
    if (!document) {
        respond_unparsed(exchange, &parser);
    } else if (entry) {
        respond_entry(exchange, entry);
    } else {
        respond_executed(exchange, text, document, body);
    }
    json_decref(entry);
    json_decref(document);
}

void handle_graphql(struct http_exchange *exchange) {
    static const char *const allowed[] = {"query", "variables", "operationName", NULL};
    json_t *body = exchange_body(exchange, "GraphQL", allowed);
    if (!body) {
        return;
    }
    const char *document = text_of(body, "query");
    const json_t *variables = json_object_get(body, "variables");
    const json_t *name = json_object_get(body, "operationName");
    if (!document || !*document) {
        respond_error_text(exchange, "A query attribute must be specified and must be a string.",
                           NULL);
    } else if (variables && !json_is_object(variables) && !json_is_null(variables)) {
        respond_invalid(exchange, "GraphQL", "variables", "invalid", "variables is not an object");
    } else if (name && !json_is_string(name) && !json_is_null(name)) {
        respond_invalid(exchange, "GraphQL", "operationName", "invalid",
                        "operationName is no string");
    } else {
        respond_document(exchange, document, body);
    }
    json_decref(body);
}
