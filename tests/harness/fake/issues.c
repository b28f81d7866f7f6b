/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists of a repository's issues and pull requests, changes of one, and labels. */
#include "fake/collaborators.h"
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/state_fill.h"
#include "fake/times.h"

#include <string.h>
#include <strings.h>

#define LABEL_CHARACTERS_MAX 50

size_t names_find(const json_t *names, const char *name) {
    size_t i;
    json_t *item;
    json_array_foreach(names, i, item) {
        if (strcasecmp(json_string_value(item), name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

void names_add(json_t *names, const char *name) {
    if (names_find(names, name) == SIZE_MAX) {
        json_array_append_new(names, json_string(name));
    }
}

void issue_set_state(struct fake *fake, json_t *issue, const char *state, const char *reason) {
    bool closes = strcmp(state, "closed") == 0;
    bool is_closed = strcmp(text_of(issue, "state"), "closed") == 0;
    json_object_set_new(issue, "state", json_string(state));
    if (closes && !is_closed) {
        json_object_set_new(issue, "closed_at", fake_now(fake));
        json_object_set_new(issue, "state_reason", json_string(reason ? reason : "completed"));
    } else if (!closes) {
        json_object_set_new(issue, "closed_at", json_null());
        json_object_set_new(issue, "state_reason",
                            is_closed ? json_string("reopened") : json_null());
    }
}

/* Does the issue have each label of "a,b"? NULL: none is wanted. */
static bool has_labels(const json_t *issue, const char *names) {
    AUTO_FREE char *copy = names ? strdup(names) : NULL;
    char *rest = copy;
    for (char *name; (name = strsep(&rest, ",")) != NULL;) {
        if (*name && names_find(json_object_get(issue, "labels"), name) == SIZE_MAX) {
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

/* Milestone, labels and assignees. False when it responded with an error. */
static bool set_parts(struct http_exchange *exchange, json_t *issue, const json_t *body) {
    static const char *const lists[] = {"labels", "assignees"};
    json_t *milestone = json_object_get(body, "milestone"), *name;
    size_t k;
    if (json_is_integer(milestone) &&
        !list_find_number(json_object_get(exchange->repository, "milestones"), "number",
                          json_integer_value(milestone))) {
        respond_invalid(exchange, "Issue", "milestone", "invalid", NULL);
        return false;
    }
    json_array_foreach(json_object_get(body, "assignees"), k, name) {
        if (!collaborators_may_be_assigned(exchange->fake, exchange->repository,
                                           json_string_value(name))) {
            respond_invalid(exchange, "Issue", "assignees", "invalid", NULL);
            return false;
        }
    }
    if (milestone) {
        json_object_set(issue, "milestone", milestone);
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *given = json_object_get(body, lists[i]);
        if (!given) {
            continue;
        }
        json_t *names = json_array();
        json_array_foreach(given, k, name) {
            names_add(names, json_string_value(name));
        }
        json_object_set_new(issue, lists[i], names);
    }
    return true;
}

#define TEXT SCHEMA_TEXT
#define NOTHING SCHEMA_NULL
#define PARTS                                                                                      \
    {"body", TEXT | NOTHING, false, NULL}, {"labels", SCHEMA_NAMES, false, NULL},                  \
        {"assignees", SCHEMA_NAMES, false, NULL}, {                                                \
        "milestone", SCHEMA_NUMBER | NOTHING, false, NULL                                          \
    }

void handle_issue_patch(struct http_exchange *exchange) {
    static const struct field fields[] = {
        {"title", TEXT, false, NULL},
        {"state", TEXT, false, "open closed"},
        {"state_reason", TEXT | NOTHING, false, "completed not_planned duplicate reopened"},
        PARTS,
        {0}};
    json_t *issue = find_issue(exchange, false);
    json_t *body = issue ? exchange_fields(exchange, "Issue", fields) : NULL;
    static const char *const same[] = {"title", "body"};
    if (!body) {
        return;
    }
    if (set_parts(exchange, issue, body)) {
        for (size_t i = 0; i < 2; i++) {
            json_t *value = json_object_get(body, same[i]);
            if (value) {
                json_object_set(issue, same[i], value);
            }
        }
        if (json_object_get(body, "state")) {
            issue_set_state(exchange->fake, issue, text_of(body, "state"),
                            text_of(body, "state_reason"));
        }
        times_touch(exchange->fake, issue);
        respond_json(exchange, 200, shape_issue(exchange->fake, exchange->repository, issue));
    }
    json_decref(body);
}

void handle_issues_post(struct http_exchange *exchange) {
    static const struct field fields[] = {{"title", TEXT, true, NULL}, PARTS, {0}};
    struct fake *fake = exchange->fake;
    json_t *list = json_object_get(exchange->repository, "issues"), *issue;
    json_t *body = exchange_fields(exchange, "Issue", fields);
    json_int_t number = 0;
    size_t i;
    if (!body) {
        return;
    }
    json_array_foreach(list, i, issue) {
        number = number_of(issue, "number") > number ? number_of(issue, "number") : number;
    }
    json_t *words = json_object_get(body, "body");
    issue = json_pack("{s:I, s:O, s:O, s:o, s:o, s:o, s:n}", "number", number + 1, "title",
                      json_object_get(body, "title"), "body", words ? words : json_null(), "user",
                      app_login(fake), "created_at", fake_now(fake), "updated_at", fake_now(fake),
                      "closed_at");
    state_fill_issue(fake, exchange->repository, issue);
    if (set_parts(exchange, issue, body)) {
        json_t *shape = shape_issue(fake, exchange->repository, issue);
        list_add(list, issue);
        AUTO_FREE char *url = strdup(text_of(shape, "url"));
        respond_json(exchange, 201, shape);
        response_header(exchange, "Location", url);
    } else {
        json_decref(issue);
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
            if (names_find(labels, json_string_value(name)) == SIZE_MAX) {
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
    size_t at = names_find(labels, exchange->parameters[3]);
    if (at == SIZE_MAX) {
        respond_error(exchange, 404, "Label does not exist");
        return;
    }
    json_array_remove(labels, at);
    times_touch(exchange->fake, issue);
    respond_labels(exchange, issue);
}

/* Replaces all; an empty body takes all off. */
void handle_labels_put(struct http_exchange *exchange) {
    static const struct field fields[] = {{"labels", SCHEMA_NAMES, false, NULL}, {0}};
    json_t *issue = find_issue(exchange, false), *name, *names = json_array();
    json_t *body = issue ? exchange_fields(exchange, "Label", fields) : NULL;
    size_t i;
    if (!body) {
        json_decref(names);
        return;
    }
    json_array_foreach(json_object_get(body, "labels"), i, name) {
        names_add(names, json_string_value(name));
    }
    json_object_set_new(issue, "labels", names);
    times_touch(exchange->fake, issue);
    json_decref(body);
    respond_labels(exchange, issue);
}

void handle_labels_delete(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false);
    if (issue) {
        json_array_clear(json_object_get(issue, "labels"));
        times_touch(exchange->fake, issue);
        respond_empty(exchange, 204);
    }
}
