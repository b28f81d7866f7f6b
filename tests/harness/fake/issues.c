/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists of a repository's issues and pull requests, changes of one, and labels. */
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/times.h"

#include <string.h>
#include <strings.h>

#define LABEL_CHARACTERS_MAX 50

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

/* Does the issue have each label of "a,b"? NULL: none is wanted. */
static bool has_labels(const json_t *issue, const char *names) {
    AUTO_FREE char *copy = names ? strdup(names) : NULL;
    char *rest = copy;
    for (char *name; (name = strsep(&rest, ",")) != NULL;) {
        if (*name && find_label(json_object_get(issue, "labels"), name) == SIZE_MAX) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(const json_t *issue, const char *state, const char *creator,
                      const char *labels) {
    const char *user = text_of(issue, "user");
    return has_labels(issue, labels) &&
           (strcmp(state, "all") == 0 || strcmp(text_of(issue, "state"), state) == 0) &&
           (!creator || (user && strcasecmp(user, creator) == 0));
}

bool query_since(struct http_exchange *exchange, const char *resource, char since[FAKE_TIME_MAX]) {
    AUTO_FREE char *text = exchange_query(exchange, "since");
    since[0] = '\0';
    /* GitHub takes a time only. */
    if (text && (*text == '-' || times_read(exchange->fake, text, since) < 0)) {
        respond_invalid(exchange, resource, "since", "invalid", "since is an ISO 8601 time");
        return false;
    }
    return true;
}

bool comes_before(const json_t *a, const json_t *b, const struct issue_order *order) {
    int way;
    if (strcmp(order->key, "comments") == 0) {
        way = (int)(number_of(a, "comments") - number_of(b, "comments"));
    } else {
        const char *key = strcmp(order->key, "updated") == 0 ? "updated_at" : "created_at";
        way = strcmp(text_of(a, key), text_of(b, key));
    }
    if (way == 0) {
        way = number_of(a, "id") < number_of(b, "id") ? -1 : 1;
    }
    return order->ascending ? way < 0 : way > 0;
}

/* False when it responded with an error. The newest come first, GitHub's default. */
static bool read_order(struct http_exchange *exchange, struct issue_order *order) {
    static const char *const keys[] = {"created", "updated", "comments"};
    AUTO_FREE char *sort = exchange_query(exchange, "sort");
    AUTO_FREE char *direction = exchange_query(exchange, "direction");
    *order = (struct issue_order){.key = sort ? NULL : keys[0],
                                  .ascending = direction && strcmp(direction, "asc") == 0};
    for (size_t i = 0; sort && i < sizeof keys / sizeof *keys; i++) {
        order->key = strcmp(sort, keys[i]) == 0 ? keys[i] : order->key;
    }
    if (!order->key) {
        respond_invalid(exchange, "Issue", "sort", "invalid",
                        "sort is created, updated or comments");
        return false;
    }
    if (direction && !order->ascending && strcmp(direction, "desc") != 0) {
        respond_invalid(exchange, "Issue", "direction", "invalid", "direction is asc or desc");
        return false;
    }
    return true;
}

void handle_issues_get(struct http_exchange *exchange) {
    AUTO_FREE char *state = exchange_query(exchange, "state");
    AUTO_FREE char *creator = exchange_query(exchange, "creator");
    AUTO_FREE char *labels = exchange_query(exchange, "labels");
    struct issue_order order;
    char since[FAKE_TIME_MAX];
    if (!read_order(exchange, &order) || !query_since(exchange, "Issue", since)) {
        return;
    }
    json_t *all = json_array(), *issue;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "issues"), i, issue) {
        if (!is_wanted(issue, state ? state : "open", creator, labels) ||
            strcmp(text_of(issue, "updated_at"), since) < 0) {
            continue;
        }
        json_t *shape = shape_issue(exchange->fake, exchange->repository, issue);
        size_t at = json_array_size(all);
        while (at > 0 && comes_before(shape, json_array_get(all, at - 1), &order)) {
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
    times_touch(exchange->fake, issue);
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
                times_touch(exchange->fake, issue);
            }
        }
        respond_labels(exchange, issue);
    }
    json_decref(body);
}

void handle_label_delete(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false);
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
    times_touch(exchange->fake, issue);
    respond_labels(exchange, issue);
}
