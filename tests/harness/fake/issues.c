/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists of a repository's issues and pull requests, changes of one, and labels. */
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>
#include <strings.h>

#define LABEL_CHARACTERS_MAX 50

static bool is_wanted(const json_t *issue, const char *state, const char *creator,
                      const char *label) {
    const char *user = text_of(issue, "user");
    bool has_label = !label;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(issue, "labels"), i, name) {
        has_label |= label && strcasecmp(json_string_value(name), label) == 0;
    }
    return has_label &&
           (strcmp(state, "all") == 0 || strcmp(text_of(issue, "state"), state) == 0) &&
           (!creator || (user && strcasecmp(user, creator) == 0));
}

/* The newest come first, GitHub's default. A higher number is a newer issue. */
void handle_issues_get(struct http_exchange *exchange) {
    AUTO_FREE char *state = exchange_query(exchange, "state");
    AUTO_FREE char *creator = exchange_query(exchange, "creator");
    AUTO_FREE char *direction = exchange_query(exchange, "direction");
    AUTO_FREE char *label = exchange_query(exchange, "labels");
    bool ascending = direction && strcmp(direction, "asc") == 0;
    json_t *all = json_array(), *issue;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "issues"), i, issue) {
        if (!is_wanted(issue, state ? state : "open", creator, label)) {
            continue;
        }
        json_t *shape = shape_issue(exchange->fake, exchange->repository, issue);
        size_t at = json_array_size(all);
        json_int_t number = number_of(issue, "number");
        while (at > 0) {
            json_int_t other = number_of(json_array_get(all, at - 1), "number");
            if (ascending ? other < number : other > number) {
                break;
            }
            at--;
        }
        json_array_insert_new(all, at, shape);
    }
    respond_page(exchange, all);
}

/* Changes title, body and state as far as the request has them. */
static bool change_issue(struct http_exchange *exchange, json_t *issue, const json_t *body) {
    const char *state = text_of(body, "state"), *key;
    json_t *value;
    if (json_object_get(body, "state") &&
        (!state || (strcmp(state, "open") != 0 && strcmp(state, "closed") != 0))) {
        respond_invalid(exchange, "Issue", "state", "invalid", "state is open or closed");
        return false;
    }
    json_object_foreach((json_t *)body, key, value) {
        if (!json_is_string(value)) {
            respond_invalid(exchange, "Issue", key, "invalid", "it is not a string");
            return false;
        }
    }
    json_object_foreach((json_t *)body, key, value) {
        if (strcmp(key, "state_reason") != 0) {
            json_object_set(issue, key, value);
        }
    }
    return true;
}

void handle_issue_patch(struct http_exchange *exchange) {
    static const char *const allowed[] = {"title", "body", "state", "state_reason", NULL};
    json_t *issue = find_issue(exchange, false);
    json_t *body = issue ? exchange_body(exchange, "Issue", allowed) : NULL;
    if (!body) {
        return;
    }
    if (change_issue(exchange, issue, body)) {
        respond_json(exchange, 200, shape_issue(exchange->fake, exchange->repository, issue));
    }
    json_decref(body);
}

/* -- labels -- */

static size_t find_label(const json_t *labels, const char *name) {
    size_t i;
    json_t *label;
    json_array_foreach(labels, i, label) {
        if (strcasecmp(json_string_value(label), name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void respond_labels(struct http_exchange *exchange, const json_t *issue) {
    respond_json(exchange, 200, shape_labels(exchange->fake, exchange->repository, issue));
}

void handle_labels_get(struct http_exchange *exchange) {
    const json_t *issue = find_issue(exchange, false);
    if (issue) {
        respond_labels(exchange, issue);
    }
}

void handle_labels_post(struct http_exchange *exchange) {
    static const char *const allowed[] = {"labels", NULL};
    json_t *issue = find_issue(exchange, false), *name;
    json_t *body = issue ? exchange_body(exchange, "Label", allowed) : NULL;
    const json_t *wanted = json_object_get(body, "labels");
    bool sound = json_array_size(wanted) > 0;
    size_t i;
    if (!body) {
        return;
    }
    json_array_foreach(wanted, i, name) {
        size_t bytes = json_string_length(name);
        sound &= json_is_string(name) && bytes > 0 && bytes <= LABEL_CHARACTERS_MAX;
    }
    if (!sound) {
        respond_invalid(exchange, "Label", "labels", "invalid",
                        "labels is a list of names of 1 to 50 characters");
    } else {
        json_t *labels = json_object_get(issue, "labels");
        json_array_foreach(wanted, i, name) {
            if (find_label(labels, json_string_value(name)) == SIZE_MAX) {
                json_array_append(labels, name);
            }
        }
        respond_labels(exchange, issue);
    }
    json_decref(body);
}

void handle_label_delete(struct http_exchange *exchange) {
    const json_t *issue = find_issue(exchange, false);
    json_t *labels = json_object_get(issue, "labels");
    if (!issue) {
        return;
    }
    size_t at = find_label(labels, exchange->parameters[3]);
    if (at == SIZE_MAX) {
        respond_error(exchange, 404, "Label does not exist");
        return;
    }
    json_array_remove(labels, at);
    respond_labels(exchange, issue);
}
