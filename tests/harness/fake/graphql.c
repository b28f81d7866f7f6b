/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* POST /graphql. The fake executes no document: the state has the responses, and each names the
 * documents and variables that it is for. */
#include "fake/graphql.h"

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

/* ---- the document: do its brackets close? ---- */

struct reader {
    const char *at, *line_start;
    int line;
};

static void skip(struct reader *reader, size_t bytes) {
    for (; bytes > 0 && *reader->at; bytes--, reader->at++) {
        if (*reader->at == '\n') {
            reader->line++;
            reader->line_start = reader->at + 1;
        }
    }
}

/* Skips the string, or block string, that starts here. */
static void skip_string(struct reader *reader) {
    bool block = strncmp(reader->at, "\"\"\"", 3) == 0;
    size_t quotes = block ? 3 : 1;
    skip(reader, quotes);
    while (*reader->at && strncmp(reader->at, "\"\"\"", quotes) != 0) {
        skip(reader, *reader->at == '\\' ? 2 : 1);
    }
    skip(reader, quotes);
}

static void respond_errors(struct http_exchange *exchange, const char *message, json_t *locations) {
    json_t *error = json_pack("{s:s, s:o*}", "message", message, "locations", locations);
    respond_json(exchange, 200, json_pack("{s:[o]}", "errors", error));
}

static bool reject_bracket(struct http_exchange *exchange, const struct reader *reader) {
    static const char *const names[] = {"}", "RCURLY", ")", "RPAREN", "]", "RBRACKET"};
    int column = (int)(reader->at - reader->line_start) + 1;
    char message[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i += 2) {
        if (names[i][0] == *reader->at) {
            snprintf(message, sizeof message, "Parse error on \"%s\" (%s) at [%d, %d]", names[i],
                     names[i + 1], reader->line, column);
        }
    }
    respond_errors(exchange, message,
                   json_pack("[{s:i, s:i}]", "line", reader->line, "column", column));
    return false;
}

#define DEPTH_MAX 256

static char closing_bracket(char open) {
    if (open == '{') {
        return '}';
    }
    return open == '(' ? ')' : ']';
}

/* False when it responded with an error. */
static bool document_is_whole(struct http_exchange *exchange, const char *document) {
    struct reader reader = {document, document, 1};
    char open[DEPTH_MAX];
    size_t depth = 0;
    bool any = false;
    while (*reader.at && depth < DEPTH_MAX) {
        char c = *reader.at;
        if (c == '"') {
            skip_string(&reader);
            continue;
        }
        if (c == '#') {
            skip(&reader, strcspn(reader.at, "\n"));
            continue;
        }
        if (strchr("{([", c)) {
            open[depth++] = closing_bracket(c);
            any = any || c == '{';
        } else if (strchr("})]", c) && (depth == 0 || open[--depth] != c)) {
            return reject_bracket(exchange, &reader);
        }
        skip(&reader, 1);
    }
    if (depth > 0 || !any) {
        respond_errors(exchange, "Unexpected end of document", json_array());
    }
    return depth == 0 && any;
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

static void respond_document(struct http_exchange *exchange, const char *document,
                             const json_t *variables) {
    json_t *entry = take_entry(exchange->fake, document, variables);
    if (entry) {
        respond_entry(exchange, entry);
        json_decref(entry);
        return;
    }
    char message[512];
    snprintf(message, sizeof message,
             "The fake GitHub has no response to this document with these variables: put one "
             "into the state's list \"graphql\", such as {\"contains\": \"%.60s\", \"data\": "
             "{}} (see fake-github.md)",
             document + strspn(document, " \t\r\n"));
    respond_errors(exchange, message, NULL);
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
        respond_errors(exchange, "A query attribute must be specified and must be a string.", NULL);
    } else if (variables && !json_is_object(variables) && !json_is_null(variables)) {
        respond_invalid(exchange, "GraphQL", "variables", "invalid", "variables is not an object");
    } else if (name && !json_is_string(name) && !json_is_null(name)) {
        respond_invalid(exchange, "GraphQL", "operationName", "invalid",
                        "operationName is no string");
    } else if (document_is_whole(exchange, document)) {
        respond_document(exchange, document, variables);
    }
    json_decref(body);
}
