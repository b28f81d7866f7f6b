/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Values of GraphQL: arguments of a document, and the variables that come with it. */
#include "fake/graphql_context.h"
#include "fake/graphql_schema.h"
#include "fake/state.h"

#include <stdarg.h>
#include <string.h>

#define TYPE_BYTES 96

__attribute__((format(printf, 2, 3))) static bool fail(struct graphql_problem *problem,
                                                       const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->said, sizeof problem->said, format, arguments);
    va_end(arguments);
    return false;
}

/* The path grows from its end. */
static void add_to_path(struct graphql_problem *problem, const char *part) {
    char rest[sizeof problem->path];
    memcpy(rest, problem->path, sizeof rest);
    snprintf(problem->path, sizeof problem->path, "%.60s%s%.90s", part, *rest ? "." : "", rest);
}

static bool is_required(const char *type) {
    return type[strlen(type) - 1] == '!';
}

/* Copies the type without its "!". */
static void nullable_type(const char *type, char out[TYPE_BYTES]) {
    snprintf(out, TYPE_BYTES, "%.*s", (int)(strlen(type) - is_required(type)), type);
}

/* ---- variables in a document ---- */

static const json_t *find_variable(const struct graphql_context *context, const char *name) {
    size_t i;
    json_t *variable;
    json_array_foreach(json_object_get(context->operation, "variables"), i, variable) {
        if (strcmp(text_of(variable, "name"), name) == 0) {
            return variable;
        }
    }
    return NULL;
}

/* May a variable of the type `given` stand where `wanted` is? A list's inner types are compared
 * likewise. */
static bool type_suits(const char *wanted, const char *given, bool has_default) {
    char inner_wanted[TYPE_BYTES], inner_given[TYPE_BYTES];
    if (is_required(wanted) && !is_required(given) && !has_default) {
        return false;
    }
    nullable_type(wanted, inner_wanted);
    nullable_type(given, inner_given);
    if (*inner_wanted != '[' || *inner_given != '[') {
        return strcmp(inner_wanted, inner_given) == 0;
    }
    inner_wanted[strlen(inner_wanted) - 1] = '\0';
    inner_given[strlen(inner_given) - 1] = '\0';
    return type_suits(inner_wanted + 1, inner_given + 1, false);
}

static bool variable_fits(struct graphql_context *context, const char *type, const char *name,
                          struct graphql_problem *problem) {
    const json_t *variable = find_variable(context, name);
    const char *operation = text_of(context->operation, "name");
    json_object_set_new(context->used, name, json_true());
    if (!variable) {
        snprintf(problem->code, sizeof problem->code, "variableNotDefined");
        return fail(problem, "Variable $%s is used by %s%s but not declared", name,
                    operation ? "" : "anonymous ",
                    operation ? operation : text_of(context->operation, "kind"));
    }
    if (!type_suits(type, text_of(variable, "type"), json_object_get(variable, "default"))) {
        snprintf(problem->code, sizeof problem->code, "variableMismatch");
        return fail(problem, "Type mismatch on variable $%s (%s / %s)", name,
                    text_of(variable, "type"), type);
    }
    return true;
}

/* ---- values ---- */

static bool object_fits(struct graphql_context *context, const json_t *definition,
                        const json_t *object, struct graphql_problem *problem) {
    const json_t *fields = json_object_get(definition, "fields");
    const char *name, *type = text_of(definition, "name");
    json_t *value, *field;
    json_object_foreach((json_t *)object, name, value) {
        const json_t *known = json_object_get(fields, name);
        bool fits = known && graphql_value_fits(context, text_of(known, "type"), value, problem);
        if (!known) {
            fail(problem, "Field is not defined on %s", type);
        }
        if (!fits) {
            add_to_path(problem, name);
            return false;
        }
    }
    json_object_foreach((json_t *)fields, name, field) {
        if (is_required(text_of(field, "type")) && !json_object_get(object, name)) {
            add_to_path(problem, name);
            return fail(problem, "Expected value to not be null");
        }
    }
    return true;
}

static bool scalar_fits(const char *type, const json_t *value, struct graphql_problem *problem) {
    bool fits = json_is_string(value);
    if (strcmp(type, "Int") == 0) {
        fits = json_is_integer(value);
    } else if (strcmp(type, "Boolean") == 0) {
        fits = json_is_boolean(value);
    } else if (strcmp(type, "ID") == 0) {
        fits = json_is_string(value) || json_is_integer(value);
    }
    char *given = fits ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!fits) {
        fail(problem, "Could not coerce value %.80s to %s", given ? given : "null", type);
    }
    free(given);
    return fits;
}

static bool named_value_fits(struct graphql_context *context, const char *type, const json_t *value,
                             struct graphql_problem *problem) {
    const json_t *definition = graphql_schema_find(context->schema, type);
    const json_t *plain = json_object_get(value, "value"), *of = json_object_get(definition, "of");
    if (graphql_schema_is_kind(definition, "enum")) {
        const char *given = text_of(value, "enum");
        given = given ? given : json_string_value(plain);
        return (given && graphql_schema_lists(of, given)) ||
               fail(problem, "Expected \"%.40s\" to be one of the values of %s",
                    given ? given : "null", type);
    }
    if (graphql_schema_is_kind(definition, "input")) {
        const json_t *object = json_object_get(value, "object");
        return object ? object_fits(context, definition, object, problem)
                      : fail(problem, "Expected it to be an object of %s", type);
    }
    return scalar_fits(type, plain, problem);
}

bool graphql_value_fits(struct graphql_context *context, const char *type, const json_t *value,
                        struct graphql_problem *problem) {
    const char *variable = text_of(value, "variable");
    char inner[TYPE_BYTES];
    if (variable) {
        return variable_fits(context, type, variable, problem);
    }
    if (json_is_null(json_object_get(value, "value"))) {
        return !is_required(type) || fail(problem, "Expected value to not be null");
    }
    nullable_type(type, inner);
    if (*inner != '[') {
        return named_value_fits(context, inner, value, problem);
    }
    inner[strlen(inner) - 1] = '\0';
    const json_t *list = json_object_get(value, "list");
    size_t i;
    json_t *item;
    if (!list) {
        return graphql_value_fits(context, inner + 1, value, problem);
    }
    json_array_foreach(list, i, item) {
        if (!graphql_value_fits(context, inner + 1, item, problem)) {
            char part[24];
            snprintf(part, sizeof part, "%zu", i);
            add_to_path(problem, part);
            return false;
        }
    }
    return true;
}

/* JSON in the form of a document's value. */
static json_t *value_of_json(const json_t *json) {
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_object(json)) {
        json_t *object = json_object();
        json_object_foreach((json_t *)json, key, item) {
            json_object_set_new(object, key, value_of_json(item));
        }
        return json_pack("{s:o}", "object", object);
    }
    if (json_is_array(json)) {
        json_t *list = json_array();
        json_array_foreach(json, i, item) {
            json_array_append_new(list, value_of_json(item));
        }
        return json_pack("{s:o}", "list", list);
    }
    return json_pack("{s:O}", "value", json);
}

json_t *graphql_value(const struct graphql_context *context, const json_t *value) {
    const char *key, *variable = text_of(value, "variable");
    json_t *item;
    size_t i;
    if (variable) {
        return json_incref(json_object_get(context->variables, variable));
    }
    if (json_object_get(value, "object")) {
        json_t *object = json_object();
        json_object_foreach(json_object_get(value, "object"), key, item) {
            json_t *made = graphql_value(context, item);
            if (made) {
                json_object_set_new(object, key, made);
            }
        }
        return object;
    }
    if (json_object_get(value, "list")) {
        json_t *list = json_array();
        json_array_foreach(json_object_get(value, "list"), i, item) {
            json_t *made = graphql_value(context, item);
            json_array_append_new(list, made ? made : json_null());
        }
        return list;
    }
    json_t *plain = json_object_get(value, "value");
    return json_incref(plain ? plain : json_object_get(value, "enum"));
}

json_t *graphql_arguments(const struct graphql_context *context, const json_t *field) {
    json_t *whole = json_pack("{s:O}", "object", json_object_get(field, "arguments"));
    json_t *arguments = graphql_value(context, whole);
    json_decref(whole);
    return arguments;
}

/* ---- the variables of a request ---- */

static void reject_variable(struct graphql_context *context, const json_t *variable, json_t *value,
                            const struct graphql_problem *problem) {
    char message[640];
    snprintf(message, sizeof message,
             "Variable $%s of type %s was provided invalid value%s%s%s%s%s",
             text_of(variable, "name"), text_of(variable, "type"), *problem->path ? " for " : "",
             problem->path, *problem->path ? " (" : "", *problem->path ? problem->said : "",
             *problem->path ? ")" : "");
    json_t *path = json_array();
    if (*problem->path) {
        json_array_append_new(path, json_string(problem->path));
    }
    graphql_error(context, message, json_object_get(variable, "at"), NULL,
                  json_pack("{s:{s:O?, s:[{s:o, s:s}]}}", "extensions", "value", value, "problems",
                            "path", path, "explanation", problem->said));
}

void graphql_variables(struct graphql_context *context, const json_t *given) {
    size_t i;
    json_t *variable;
    json_array_foreach(json_object_get(context->operation, "variables"), i, variable) {
        struct graphql_problem problem = {.path = ""};
        const char *name = text_of(variable, "name"), *type = text_of(variable, "type");
        const json_t *fallback = json_object_get(variable, "default");
        json_t *value = json_object_get(given, name);
        if (!value && fallback) {
            json_object_set_new(context->variables, name, graphql_value(context, fallback));
            continue;
        }
        if (!value && !is_required(type)) {
            continue;
        }
        json_t *form = value_of_json(value ? value : json_null());
        if (graphql_value_fits(context, type, form, &problem)) {
            json_object_set(context->variables, name, value);
        } else {
            reject_variable(context, variable, value, &problem);
        }
        json_decref(form);
    }
}
