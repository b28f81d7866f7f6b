/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Issues and pull requests, their comments, and replies to review comments. */
#include "fake/comments.h"

#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/state.h"
#include "fake/state_fill.h"
#include "fake/times.h"

#include "base/utf8.h"

#include <errno.h>
#include <string.h>

bool parse_number(const char *text, json_int_t *number) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *text < '1' || *text > '9' || *end != '\0') {
        return false;
    }
    *number = value;
    return true;
}

static json_t *create_issue(struct http_exchange *exchange, json_int_t number, bool is_pull) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(exchange->fake), now);
    json_t *issue = json_pack("{s:I, s:s, s:b, s:s, s:s, s:n}", "number", number, "title",
                              "Created by the fake", "pull_request", is_pull, "created_at", now,
                              "updated_at", now, "closed_at");
    state_fill_issue(exchange->fake, exchange->repository, issue);
    return list_add(json_object_get(exchange->repository, "issues"), issue);
}

json_t *find_issue(struct http_exchange *exchange, bool must_be_pull) {
    json_int_t number;
    json_t *issue = NULL;
    if (parse_number(exchange->parameters[2], &number)) {
        issue = list_find_number(json_object_get(exchange->repository, "issues"), "number", number);
        if (!issue && state_creates(exchange->fake, "issues")) {
            issue = create_issue(exchange, number, must_be_pull);
        }
    }
    if (!issue || (must_be_pull && !json_is_true(json_object_get(issue, "pull_request")))) {
        respond_error(exchange, 404, "Not Found");
        return NULL;
    }
    if (json_is_true(json_object_get(issue, "deleted"))) {
        respond_error(exchange, 410, "This issue was deleted");
        return NULL;
    }
    return issue;
}

json_t *find_comment(struct http_exchange *exchange, const char *list_name, const char *id_text) {
    json_int_t id;
    json_t *comment = NULL;
    if (parse_number(id_text, &id)) {
        json_t *list = json_object_get(exchange->repository, list_name);
        comment = list_find_number(list, "id", id);
        if (!comment && state_creates(exchange->fake, "comments")) {
            char now[FAKE_TIME_MAX];
            fake_time_text(fake_now_s(exchange->fake), now);
            comment = list_add(list, json_pack("{s:I, s:n, s:s, s:s, s:s, s:[]}", "id", id, "user",
                                               "body", "Created by the fake", "created_at", now,
                                               "updated_at", now, "reactions"));
        }
    }
    if (!comment) {
        respond_error(exchange, 404, "Not Found");
    }
    return comment;
}

void handle_issue_get(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false);
    if (issue) {
        respond_json(exchange, 200, shape_issue(exchange->fake, exchange->repository, issue));
    }
}

size_t count_characters(const json_t *text, size_t *printed) {
    size_t characters = 0, bytes = json_string_length(text);
    *printed = 0;
    for (size_t i = 0; i < bytes; characters++) {
        *printed += (unsigned char)json_string_value(text)[i] > ' ';
        i += utf8_sequence(json_string_value(text) + i, bytes - i);
    }
    return characters;
}

/* The text of the request's "body", as JSON, the caller's; NULL when it responded with an error. */
static json_t *wanted_body(struct http_exchange *exchange, const char *resource) {
    static const char *const allowed[] = {"body", NULL};
    json_t *request = exchange_body(exchange, resource, allowed);
    if (!request) {
        return NULL;
    }
    json_t *text = json_incref(json_object_get(request, "body"));
    json_decref(request);
    size_t printed, characters = count_characters(text, &printed);
    if (!text) {
        respond_invalid(exchange, resource, "body", "missing_field", "\"body\" wasn't supplied.");
    } else if (!json_is_string(text)) {
        respond_invalid(exchange, resource, "body", "invalid", "body is not a string.");
    } else if (printed == 0) {
        respond_invalid(exchange, resource, "data", "unprocessable", "Body cannot be blank");
    } else if (characters > BODY_CHARACTERS_MAX) {
        respond_invalid(exchange, resource, "data", "unprocessable",
                        "Body is too long (maximum is 65536 characters)");
    } else {
        return text;
    }
    json_decref(text);
    return NULL;
}

/* A new comment by the app; steals `body`. */
static json_t *new_comment(struct http_exchange *exchange, json_t *body) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(exchange->fake), now);
    return json_pack("{s:I, s:o, s:o, s:s, s:s, s:[]}", "id", state_new_id(exchange->fake), "user",
                     app_login(exchange->fake), "body", body, "created_at", now, "updated_at", now,
                     "reactions");
}

static void respond_created(struct http_exchange *exchange, json_t *shape) {
    AUTO_FREE char *url = strdup(text_of(shape, "url"));
    respond_json(exchange, 201, shape);
    response_header(exchange, "Location", url);
}

static bool reject_locked(struct http_exchange *exchange, const json_t *issue) {
    bool locked = json_is_true(json_object_get(issue, "locked"));
    if (locked) {
        respond_error(exchange, 403, "Unable to create comment because issue is locked.");
    }
    return locked;
}

void handle_comments_post(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false);
    if (!issue || reject_locked(exchange, issue)) {
        return;
    }
    json_t *body = wanted_body(exchange, "IssueComment");
    if (!body) {
        return;
    }
    json_t *comment = new_comment(exchange, body);
    json_object_set(comment, "issue", json_object_get(issue, "number"));
    list_add(json_object_get(exchange->repository, "comments"), comment);
    times_touch(exchange->fake, issue);
    respond_created(exchange, shape_comment(exchange->fake, exchange->repository, comment));
}

void handle_replies_post(struct http_exchange *exchange) {
    json_t *pull = find_issue(exchange, true);
    if (!pull) {
        return;
    }
    json_t *first = find_comment(exchange, "review_comments", exchange->parameters[3]);
    if (!first) {
        return;
    }
    json_int_t of_pull = number_of(first, "pull");
    bool is_reply = json_is_integer(json_object_get(first, "in_reply_to_id"));
    if (is_reply || (of_pull != 0 && of_pull != number_of(pull, "number"))) {
        /* GitHub: no replies to replies. */
        respond_error(exchange, 404, "Not Found");
        return;
    }
    if (reject_locked(exchange, pull)) {
        return;
    }
    json_t *body = wanted_body(exchange, "PullRequestReviewComment");
    if (!body) {
        return;
    }
    json_t *comment = new_comment(exchange, body);
    json_object_set(comment, "pull", json_object_get(pull, "number"));
    json_object_set(comment, "in_reply_to_id", json_object_get(first, "id"));
    list_add(json_object_get(exchange->repository, "review_comments"), comment);
    times_touch(exchange->fake, pull);
    respond_created(exchange, shape_review_comment(exchange->fake, exchange->repository, comment));
}

void handle_comments_get(struct http_exchange *exchange) {
    json_t *issue = find_issue(exchange, false);
    if (!issue) {
        return;
    }
    char since[FAKE_TIME_MAX];
    if (!query_since(exchange, "IssueComment", since)) {
        return;
    }
    json_t *all = json_array(), *comment;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "comments"), i, comment) {
        if (number_of(comment, "issue") == number_of(issue, "number") &&
            strcmp(text_of(comment, "updated_at"), since) >= 0) {
            json_array_append_new(all,
                                  shape_comment(exchange->fake, exchange->repository, comment));
        }
    }
    respond_page(exchange, all);
}

/* -- one comment -- */

void handle_comment_get(struct http_exchange *exchange) {
    json_t *comment = find_comment(exchange, "comments", exchange->parameters[2]);
    if (comment) {
        respond_json(exchange, 200, shape_comment(exchange->fake, exchange->repository, comment));
    }
}

/* An app may change its own comments, and with write access those of others too. */
static bool change_body(struct http_exchange *exchange, json_t *comment, const char *resource) {
    json_t *body = comment ? wanted_body(exchange, resource) : NULL;
    if (!body) {
        return false;
    }
    json_object_set_new(comment, "body", body);
    times_touch(exchange->fake, comment);
    return true;
}

void handle_comment_patch(struct http_exchange *exchange) {
    json_t *comment = find_comment(exchange, "comments", exchange->parameters[2]);
    if (change_body(exchange, comment, "IssueComment")) {
        respond_json(exchange, 200, shape_comment(exchange->fake, exchange->repository, comment));
    }
}

void handle_comment_delete(struct http_exchange *exchange) {
    json_t *comment = find_comment(exchange, "comments", exchange->parameters[2]);
    if (comment) {
        list_remove(json_object_get(exchange->repository, "comments"), comment);
        respond_empty(exchange, 204);
    }
}

void handle_review_comment_get(struct http_exchange *exchange) {
    json_t *comment = find_comment(exchange, "review_comments", exchange->parameters[2]);
    if (comment) {
        respond_json(exchange, 200,
                     shape_review_comment(exchange->fake, exchange->repository, comment));
    }
}

void handle_review_comment_patch(struct http_exchange *exchange) {
    json_t *comment = find_comment(exchange, "review_comments", exchange->parameters[2]);
    if (change_body(exchange, comment, "PullRequestReviewComment")) {
        respond_json(exchange, 200,
                     shape_review_comment(exchange->fake, exchange->repository, comment));
    }
}
