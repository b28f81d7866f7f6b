/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Executes an operation: walks its selections along the objects. */
#include "fake/graphql_calls.h"

#include "fake/graphql_schema.h"
#include "fake/state.h"

#include <string.h>

static void select_fields(struct graphql_context *context, const json_t *selections,
                          const json_t *object, json_t *path, json_t *into);

/* A value in the form that the document asks for; steals it. */
static json_t *complete(struct graphql_context *context, const json_t *field, json_t *value,
                        json_t *path) {
    json_t *made = NULL, *item;
    size_t i;
    if (json_is_object(value)) {
        made = json_object();
        select_fields(context, json_object_get(field, "selections"), value, path, made);
    } else if (json_is_array(value)) {
        made = json_array();
        json_array_foreach(value, i, item) {
            json_array_append_new(path, json_integer((json_int_t)i));
            json_array_append_new(made, complete(context, field, json_incref(item), path));
            json_array_remove(path, json_array_size(path) - 1);
        }
    } else {
        return value ? value : json_null();
    }
    json_decref(value);
    return made;
}

static json_t *field_value(struct graphql_context *context, const json_t *object,
                           const json_t *field, json_t *path) {
    json_t *known = json_object_get(object, text_of(field, "field"));
    if (known) {
        return json_incref(known);
    }
    const char *type = text_of(object, "__typename");
    struct graphql_call call = {.context = context,
                                .exchange = context->exchange,
                                .object = object,
                                .field = field,
                                .arguments = graphql_arguments(context, field),
                                .path = path};
    json_t *value =
        type && strcmp(type, "Mutation") == 0 ? graphql_mutation(&call) : graphql_query(&call);
    json_decref(call.arguments);
    return value;
}

/* Does the fragment's condition fit the object? Objects without a type have one kind only. */
static bool is_of(const struct graphql_context *context, const json_t *object,
                  const json_t *fragment) {
    const char *on = text_of(fragment, "on"), *type = text_of(object, "__typename");
    return !on || !type || graphql_schema_includes(context->schema, on, type);
}

static void select_field(struct graphql_context *context, const json_t *field, const json_t *object,
                         json_t *path, json_t *into) {
    const char *alias = text_of(field, "alias");
    json_array_append_new(path, json_string(alias));
    json_t *value = complete(context, field, field_value(context, object, field, path), path);
    json_array_remove(path, json_array_size(path) - 1);
    json_t *before = json_object_get(into, alias);
    if (json_is_object(before) && json_is_object(value)) {
        json_object_update(before, value);
        json_decref(value);
    } else {
        json_object_set_new(into, alias, value);
    }
}

static void select_fields(struct graphql_context *context, const json_t *selections,
                          const json_t *object, json_t *path, json_t *into) {
    size_t i;
    json_t *selection;
    json_array_foreach(selections, i, selection) {
        const char *spread = text_of(selection, "spread");
        const json_t *fragment =
            spread ? json_object_get(json_object_get(context->document, "fragments"), spread)
                   : selection;
        if (json_object_get(selection, "field")) {
            select_field(context, selection, object, path, into);
        } else if (is_of(context, object, fragment)) {
            select_fields(context, json_object_get(fragment, "selections"), object, path, into);
        }
    }
}

json_t *graphql_execute(struct graphql_context *context) {
    bool changes = strcmp(text_of(context->operation, "kind"), "mutation") == 0;
    json_t *root = json_pack("{s:s}", "__typename", changes ? "Mutation" : "Query");
    json_t *data = json_object(), *path = json_array();
    select_fields(context, json_object_get(context->operation, "selections"), root, path, data);
    json_decref(root);
    json_decref(path);
    return data;
}
