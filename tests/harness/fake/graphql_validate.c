/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks a document against the schema, with GitHub's messages and codes. */
#include "fake/graphql_context.h"
#include "fake/graphql_schema.h"
#include "fake/state.h"

#include <string.h>

#define FRAGMENTS_DEPTH_MAX 16

void graphql_error(struct graphql_context *context, const char *message, const json_t *at,
                   json_t *path, json_t *more) {
    json_t *error = more ? more : json_object();
    if (path) {
        json_object_set_new(error, "path", path);
    }
    if (at) {
        json_object_set_new(error, "locations",
                            json_pack("[{s:O, s:O}]", "line", json_array_get(at, 0), "column",
                                      json_array_get(at, 1)));
    }
    json_object_set_new(error, "message", json_string(message));
    json_array_append_new(context->errors, error);
}

/* What is checked: the path to it, and how many fragments it is in. */
struct place {
    struct graphql_context *context;
    json_t *path;
    size_t fragments;
};

static void report(const struct place *place, const char *message, const json_t *at,
                   json_t *extensions) {
    graphql_error(place->context, message, at, json_copy(place->path),
                  json_pack("{s:o}", "extensions", extensions));
}

static void check_selections(struct place *place, const json_t *selections, const char *type);

/* ---- arguments ---- */

static void check_argument(struct place *place, const json_t *selection, const json_t *field,
                           const char *name, const json_t *value) {
    char message[600];
    const char *type = text_of(json_object_get(field, "arguments"), name);
    const char *field_name = text_of(selection, "field");
    const json_t *at = json_object_get(selection, "at");
    struct graphql_problem problem = {.path = ""};
    if (!type) {
        snprintf(message, sizeof message, "Field '%s' doesn't accept argument '%s'", field_name,
                 name);
        report(place, message, at,
               json_pack("{s:s, s:s, s:s, s:s}", "code", "argumentNotAccepted", "name", field_name,
                         "typeName", "Field", "argumentName", name));
    } else if (!graphql_value_fits(place->context, type, value, &problem)) {
        bool is_value = !*problem.code;
        snprintf(message, sizeof message,
                 "Argument '%s%s%s' on Field '%s' has an invalid value (%s). Expected type '%s'.",
                 name, *problem.path ? "." : "", problem.path, field_name, problem.said, type);
        report(place, is_value ? message : problem.said, at,
               json_pack("{s:s, s:s}", "code",
                         is_value ? "argumentLiteralsIncompatible" : problem.code, "argumentName",
                         name));
    }
}

static void check_arguments(struct place *place, const json_t *selection, const json_t *field) {
    const char *name;
    json_t *value, *type;
    const json_t *given = json_object_get(selection, "arguments");
    json_object_foreach((json_t *)given, name, value) {
        check_argument(place, selection, field, name, value);
    }
    json_object_foreach(json_object_get(field, "arguments"), name, type) {
        const char *text = json_string_value(type), *field_name = text_of(selection, "field");
        if (text[strlen(text) - 1] == '!' && !json_object_get(given, name)) {
            char message[200];
            snprintf(message, sizeof message, "Field '%s' is missing required arguments: %s",
                     field_name, name);
            report(place, message, json_object_get(selection, "at"),
                   json_pack("{s:s, s:s, s:s, s:s}", "code", "missingRequiredArguments",
                             "className", "Field", "name", field_name, "arguments", name));
        }
    }
}

/* ---- fields ---- */

static void check_field_type(struct place *place, const json_t *selection, const char *type) {
    const json_t *definition = graphql_schema_find(place->context->schema, type);
    const json_t *selections = json_object_get(selection, "selections");
    const char *field = text_of(selection, "field"), *name = text_of(definition, "name");
    char message[400], node[128];
    bool is_leaf = graphql_schema_is_leaf(definition);
    snprintf(node, sizeof node, "field '%s'", field);
    if (selections && !is_leaf) {
        check_selections(place, selections, name);
        return;
    }
    if (!selections && is_leaf) {
        return;
    }
    if (is_leaf) {
        snprintf(message, sizeof message,
                 "Selections can't be made on scalars (field '%s' returns %s but has selections)",
                 field, name);
    } else {
        snprintf(message, sizeof message,
                 "Field must have selections (field '%s' returns %s but has no selections. Did you "
                 "mean '%s { ... }'?)",
                 field, name, field);
    }
    report(place, message, json_object_get(selection, "at"),
           json_pack("{s:s, s:s, s:s}", "code", "selectionMismatch", "nodeName", node, "typeName",
                     name));
}

static void check_field(struct place *place, const json_t *selection, const char *type) {
    const char *name = text_of(selection, "field");
    const json_t *definition = json_object_get(place->context->schema, type);
    const json_t *field = json_object_get(json_object_get(definition, "fields"), name);
    char message[200];
    json_array_append(place->path, json_object_get(selection, "alias"));
    if (field) {
        check_arguments(place, selection, field);
        check_field_type(place, selection, text_of(field, "type"));
    } else if (strcmp(name, "__typename") != 0) {
        snprintf(message, sizeof message, "Field '%s' doesn't exist on type '%s'", name, type);
        report(place, message, json_object_get(selection, "at"),
               json_pack("{s:s, s:s, s:s}", "code", "undefinedField", "typeName", type, "fieldName",
                         name));
    }
    json_array_remove(place->path, json_array_size(place->path) - 1);
}

/* ---- fragments and directives ---- */

static void check_fragment(struct place *place, const json_t *fragment, const json_t *at,
                           const char *type) {
    const char *on = text_of(fragment, "on");
    char message[200];
    on = on ? on : type;
    if (!json_object_get(place->context->schema, on)) {
        snprintf(message, sizeof message, "No such type %s, so it can't be a fragment condition",
                 on);
        report(place, message, at,
               json_pack("{s:s, s:s}", "code", "undefinedType", "typeName", on));
    } else if (!graphql_schema_overlaps(place->context->schema, on, type)) {
        snprintf(message, sizeof message, "Fragment on %s can't be spread inside %s", on, type);
        report(place, message, at,
               json_pack("{s:s, s:s, s:s}", "code", "cannotSpreadFragment", "typeName", on,
                         "parentTypeName", type));
    } else {
        check_selections(place, json_object_get(fragment, "selections"), on);
    }
}

static void check_spread(struct place *place, const json_t *selection, const char *type) {
    const char *name = text_of(selection, "spread");
    const json_t *at = json_object_get(selection, "at");
    const json_t *fragment =
        json_object_get(json_object_get(place->context->document, "fragments"), name);
    char message[200];
    if (fragment && place->fragments < FRAGMENTS_DEPTH_MAX) {
        place->fragments++;
        check_fragment(place, fragment, at, type);
        place->fragments--;
        return;
    }
    snprintf(message, sizeof message,
             fragment ? "Fragment %s contains an infinite loop"
                      : "Fragment %s was used, but not defined",
             name);
    report(place, message, at,
           json_pack("{s:s, s:s}", "code", fragment ? "infiniteLoop" : "useAndDefineFragment",
                     "fragmentName", name));
}

static void check_selections(struct place *place, const json_t *selections, const char *type) {
    size_t i;
    json_t *selection;
    json_array_foreach(selections, i, selection) {
        const char *directive = text_of(selection, "directive");
        if (directive) {
            char message[200];
            snprintf(message, sizeof message, "The fake GitHub executes no directive @%s",
                     directive);
            report(place, message, json_object_get(selection, "directive_at"),
                   json_pack("{s:s}", "code", "undefinedDirective"));
        }
        if (json_object_get(selection, "field")) {
            check_field(place, selection, type);
        } else if (json_object_get(selection, "spread")) {
            check_spread(place, selection, type);
        } else {
            check_fragment(place, selection, json_object_get(selection, "at"), type);
        }
    }
}

/* ---- the operation ---- */

static void check_variables(struct place *place) {
    size_t i;
    json_t *variable;
    const struct graphql_context *context = place->context;
    const char *operation = text_of(context->operation, "name");
    json_array_foreach(json_object_get(context->operation, "variables"), i, variable) {
        const char *name = text_of(variable, "name"), *type = text_of(variable, "type");
        const json_t *at = json_object_get(variable, "at");
        char message[300];
        if (!graphql_schema_find(context->schema, type)) {
            snprintf(message, sizeof message, "%s isn't a defined input type (on $%s)", type, name);
            report(place, message, at,
                   json_pack("{s:s, s:s, s:s}", "code", "variableRequiresValidType", "typeName",
                             type, "variableName", name));
        } else if (!json_object_get(context->used, name)) {
            snprintf(message, sizeof message, "Variable $%s is declared by %s%s but not used", name,
                     operation ? "" : "anonymous ",
                     operation ? operation : text_of(context->operation, "kind"));
            report(place, message, at,
                   json_pack("{s:s, s:s}", "code", "variableNotUsed", "variableName", name));
        }
    }
}

void graphql_validate(struct graphql_context *context) {
    const char *kind = text_of(context->operation, "kind");
    const char *name = text_of(context->operation, "name");
    struct place place = {.context = context, .path = json_array()};
    json_array_append_new(place.path,
                          json_sprintf("%s%s%s", kind, name ? " " : "", name ? name : ""));
    check_selections(&place, json_object_get(context->operation, "selections"),
                     strcmp(kind, "mutation") == 0 ? "Mutation" : "Query");
    check_variables(&place);
    json_decref(place.path);
}
