/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The people who may be assigned to issues and pull requests, and those who are. */
#include "fake/collaborators.h"
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/times.h"

#define ASSIGNEES_MAX 10

void handle_assignees_get(struct http_exchange *exchange) {
    json_t *all = json_array(), *user;
    size_t i;
    json_array_foreach(state_list(exchange->fake, "users"), i, user) {
        const char *login = text_of(user, "login");
        if (collaborators_may_be_assigned(exchange->fake, exchange->repository, login)) {
            json_array_append_new(all, shape_user(exchange->fake, login));
        }
    }
    respond_page(exchange, all);
}

void handle_assignee_get(struct http_exchange *exchange) {
    if (collaborators_may_be_assigned(exchange->fake, exchange->repository,
                                      exchange->parameters[2])) {
        respond_empty(exchange, 204);
    } else {
        respond_error(exchange, 404, "Not Found");
    }
}

static const struct field fields[] = {{"assignees", SCHEMA_NAMES, false, NULL}, {0}};

/* GitHub ignores people who may not be assigned. */
void handle_issue_assignees_post(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false), *login;
    json_t *body = issue ? exchange_fields(exchange, "Issue", fields) : NULL;
    json_t *assignees = json_object_get(issue, "assignees");
    size_t i;
    if (!body) {
        return;
    }
    json_array_foreach(json_object_get(body, "assignees"), i, login) {
        const char *name = json_string_value(login);
        if (json_array_size(assignees) < ASSIGNEES_MAX &&
            collaborators_may_be_assigned(exchange->fake, exchange->repository, name)) {
            names_add(assignees, name);
        }
    }
    times_touch(exchange->fake, issue);
    json_decref(body);
    respond_json(exchange, 201, shape_issue(exchange->fake, exchange->repository, issue));
}

void handle_issue_assignees_delete(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false), *login;
    json_t *body = issue ? exchange_fields(exchange, "Issue", fields) : NULL;
    json_t *assignees = json_object_get(issue, "assignees");
    size_t i;
    if (!body) {
        return;
    }
    json_array_foreach(json_object_get(body, "assignees"), i, login) {
        size_t at = names_find(assignees, json_string_value(login));
        if (at != SIZE_MAX) {
            json_array_remove(assignees, at);
        }
    }
    times_touch(exchange->fake, issue);
    json_decref(body);
    respond_json(exchange, 200, shape_issue(exchange->fake, exchange->repository, issue));
}
