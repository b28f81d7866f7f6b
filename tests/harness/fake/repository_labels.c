/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The labels of a repository, which exist apart from the issues that have them. */
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

#define TEXT SCHEMA_TEXT

/* A label that some issue has is the repository's too. */
static json_t *all_names(const json_t *repository) {
    json_t *names = json_array(), *item, *name;
    size_t i, k;
    json_array_foreach(json_object_get(repository, "labels"), i, item) {
        names_add(names, text_of(item, "name"));
    }
    json_array_foreach(json_object_get(repository, "issues"), i, item) {
        json_array_foreach(json_object_get(item, "labels"), k, name) {
            names_add(names, json_string_value(name));
        }
    }
    return names;
}

void handle_repository_labels_get(struct http_exchange *exchange) {
    json_t *all = json_array(), *names = all_names(exchange->repository), *name;
    size_t i;
    json_array_foreach(names, i, name) {
        json_array_append_new(
            all, shape_label(exchange->fake, exchange->repository, json_string_value(name)));
    }
    json_decref(names);
    respond_page(exchange, all);
}

/* The label's entry, made if only issues have it; NULL when it responded with 404. */
static json_t *find_label(struct http_exchange *exchange) {
    const char *wanted = exchange->parameters[2];
    json_t *list = json_object_get(exchange->repository, "labels");
    json_t *label = list_find(list, "name", wanted);
    json_t *names = all_names(exchange->repository);
    if (!label && names_find(names, wanted) != SIZE_MAX) {
        label = list_add(
            list, json_pack("{s:s, s:s, s:n}", "name", wanted, "color", "ededed", "description"));
    }
    json_decref(names);
    if (!label) {
        respond_error(exchange, 404, "Not Found");
    }
    return label;
}

static void respond_label(struct http_exchange *exchange, unsigned status, const json_t *label) {
    respond_json(exchange, status,
                 shape_label(exchange->fake, exchange->repository, text_of(label, "name")));
}

void handle_repository_label_get(struct http_exchange *exchange) {
    const json_t *label = find_label(exchange);
    if (label) {
        respond_label(exchange, 200, label);
    }
}

void handle_repository_labels_post(struct http_exchange *exchange) {
    static const struct field fields[] = {{"name", TEXT, true, NULL},
                                          {"color", TEXT, false, NULL},
                                          {"description", TEXT | SCHEMA_NULL, false, NULL},
                                          {0}};
    json_t *body = exchange_fields(exchange, "Label", fields);
    json_t *names = all_names(exchange->repository);
    if (body && names_find(names, text_of(body, "name")) != SIZE_MAX) {
        respond_invalid(exchange, "Label", "name", "already_exists", NULL);
    } else if (body) {
        const char *color = text_of(body, "color");
        json_t *label =
            json_pack("{s:O, s:s, s:s?}", "name", json_object_get(body, "name"), "color",
                      color ? color : "ededed", "description", text_of(body, "description"));
        list_add(json_object_get(exchange->repository, "labels"), label);
        respond_label(exchange, 201, label);
    }
    json_decref(names);
    json_decref(body);
}

/* The issues follow a new name; NULL takes the label off. */
static void rename_label(const json_t *repository, const char *old, const char *new) {
    size_t i;
    json_t *issue;
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        json_t *labels = json_object_get(issue, "labels");
        size_t at = names_find(labels, old);
        if (at != SIZE_MAX && new) {
            json_array_set_new(labels, at, json_string(new));
        } else if (at != SIZE_MAX) {
            json_array_remove(labels, at);
        }
    }
}

void handle_repository_label_patch(struct http_exchange *exchange) {
    static const struct field fields[] = {{"new_name", TEXT, false, NULL},
                                          {"color", TEXT, false, NULL},
                                          {"description", TEXT | SCHEMA_NULL, false, NULL},
                                          {0}};
    json_t *label = find_label(exchange);
    json_t *body = label ? exchange_fields(exchange, "Label", fields) : NULL;
    if (!body) {
        return;
    }
    json_t *name = json_object_get(body, "new_name");
    if (name) {
        rename_label(exchange->repository, text_of(label, "name"), json_string_value(name));
        json_object_set(label, "name", name);
        json_object_del(body, "new_name");
    }
    json_object_update(label, body);
    json_decref(body);
    respond_label(exchange, 200, label);
}

void handle_repository_label_delete(struct http_exchange *exchange) {
    json_t *label = find_label(exchange);
    if (label) {
        rename_label(exchange->repository, text_of(label, "name"), NULL);
        list_remove(json_object_get(exchange->repository, "labels"), label);
        respond_empty(exchange, 204);
    }
}
