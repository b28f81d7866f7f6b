/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A repository's issues and pull requests as lists, what can be changed of one, and labels. */
#include "fake/internal.h"

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

/* Newest first, as GitHub does unless it is asked otherwise; numbers are ages here. */
void handle_issues_get(struct call *call) {
    AUTO_FREE char *state = call_query(call, "state");
    AUTO_FREE char *creator = call_query(call, "creator");
    AUTO_FREE char *direction = call_query(call, "direction");
    AUTO_FREE char *label = call_query(call, "labels");
    bool ascending = direction && strcmp(direction, "asc") == 0;
    json_t *all = json_array(), *issue;
    size_t i;
    json_array_foreach(json_object_get(call->repository, "issues"), i, issue) {
        if (!is_wanted(issue, state ? state : "open", creator, label)) {
            continue;
        }
        json_t *shape = shape_issue(call->fake, call->repository, issue);
        size_t at = json_array_size(all);
        json_int_t number = number_of(issue, "number");
        while (at > 0) {
            json_int_t other = number_of(json_array_get(all, at - 1), "number");
            if (ascending ? other < number : other > number) {
                break;
            }
            at--;
        }
        (void)json_array_insert_new(all, at, shape);
    }
    answer_page(call, all);
}

/* Takes what is given of title, body and state. */
static bool change_issue(struct call *call, json_t *issue, const json_t *body) {
    const char *state = text_of(body, "state"), *key;
    json_t *value;
    if (json_object_get(body, "state") &&
        (!state || (strcmp(state, "open") != 0 && strcmp(state, "closed") != 0))) {
        answer_invalid(call, "Issue", "state", "invalid", "state is open or closed");
        return false;
    }
    json_object_foreach((json_t *)body, key, value) {
        if (!json_is_string(value)) {
            answer_invalid(call, "Issue", key, "invalid", "it is not a string");
            return false;
        }
    }
    json_object_foreach((json_t *)body, key, value) {
        if (strcmp(key, "state_reason") != 0) {
            (void)json_object_set(issue, key, value);
        }
    }
    return true;
}

void handle_issue_patch(struct call *call) {
    static const char *const allowed[] = {"title", "body", "state", "state_reason", NULL};
    json_t *issue = find_issue(call, false);
    json_t *body = issue ? call_body(call, "Issue", allowed) : NULL;
    if (!body) {
        return;
    }
    if (change_issue(call, issue, body)) {
        answer_json(call, 200, shape_issue(call->fake, call->repository, issue));
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

static void answer_labels(struct call *call, const json_t *issue) {
    answer_json(call, 200, shape_labels(call->fake, call->repository, issue));
}

void handle_labels_get(struct call *call) {
    const json_t *issue = find_issue(call, false);
    if (issue) {
        answer_labels(call, issue);
    }
}

void handle_labels_post(struct call *call) {
    static const char *const allowed[] = {"labels", NULL};
    json_t *issue = find_issue(call, false), *name;
    json_t *body = issue ? call_body(call, "Label", allowed) : NULL;
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
        answer_invalid(call, "Label", "labels", "invalid",
                       "labels is a list of names of 1 to 50 characters");
    } else {
        json_t *labels = json_object_get(issue, "labels");
        json_array_foreach(wanted, i, name) {
            if (find_label(labels, json_string_value(name)) == SIZE_MAX) {
                (void)json_array_append(labels, name);
            }
        }
        answer_labels(call, issue);
    }
    json_decref(body);
}

void handle_label_delete(struct call *call) {
    const json_t *issue = find_issue(call, false);
    json_t *labels = json_object_get(issue, "labels");
    if (!issue) {
        return;
    }
    size_t at = find_label(labels, call->parameters[3]);
    if (at == SIZE_MAX) {
        answer_error(call, 404, "Label does not exist");
        return;
    }
    (void)json_array_remove(labels, at);
    answer_labels(call, issue);
}
