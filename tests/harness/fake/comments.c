/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Issues and pull requests, their comments, and replies to review comments. */
#include "fake/internal.h"

#include "base/utf8.h"

#include <errno.h>
#include <string.h>

#define BODY_CHARACTERS_MAX 65536

static bool parse_number(const char *text, json_int_t *number) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *text < '1' || *text > '9' || *end != '\0') {
        return false;
    }
    *number = value;
    return true;
}

static json_t *create_issue(struct call *call, json_int_t number, bool is_pull) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(call->fake), now);
    return list_add(json_object_get(call->repository, "issues"),
                    json_pack("{s:I, s:I, s:s, s:n, s:n, s:s, s:b, s:b, s:s, s:[], s:[]}", "number",
                              number, "id", state_new_id(call->fake), "title",
                              "Created by the fake", "body", "user", "state", "open", "locked", 0,
                              "pull_request", is_pull, "created_at", now, "reactions", "labels"));
}

json_t *find_issue(struct call *call, bool must_be_pull) {
    json_int_t number;
    json_t *issue = NULL;
    if (parse_number(call->parameters[2], &number)) {
        issue = list_find_number(json_object_get(call->repository, "issues"), "number", number);
        if (!issue && state_creates(call->fake, "issues")) {
            issue = create_issue(call, number, must_be_pull);
        }
    }
    if (!issue || (must_be_pull && !json_is_true(json_object_get(issue, "pull_request")))) {
        answer_error(call, 404, "Not Found");
        return NULL;
    }
    return issue;
}

json_t *find_comment(struct call *call, const char *list_name, const char *id_text) {
    json_int_t id;
    json_t *comment = NULL;
    if (parse_number(id_text, &id)) {
        json_t *list = json_object_get(call->repository, list_name);
        comment = list_find_number(list, "id", id);
        if (!comment && state_creates(call->fake, "comments")) {
            char now[FAKE_TIME_MAX];
            fake_time_text(fake_now_s(call->fake), now);
            comment = list_add(list, json_pack("{s:I, s:n, s:s, s:s, s:s, s:[]}", "id", id, "user",
                                               "body", "Created by the fake", "created_at", now,
                                               "updated_at", now, "reactions"));
        }
    }
    if (!comment) {
        answer_error(call, 404, "Not Found");
    }
    return comment;
}

void handle_issue_get(struct call *call) {
    json_t *issue = find_issue(call, false);
    if (issue) {
        answer_json(call, 200, shape_issue(call->fake, call->repository, issue));
    }
}

/* The text of the request's "body", as JSON, the caller's; NULL when an error was answered. */
static json_t *wanted_body(struct call *call, const char *resource) {
    static const char *const allowed[] = {"body", NULL};
    json_t *request = call_body(call, resource, allowed);
    if (!request) {
        return NULL;
    }
    json_t *text = json_incref(json_object_get(request, "body"));
    json_decref(request);
    size_t characters = 0, printed = 0, bytes = json_string_length(text);
    for (size_t i = 0; i < bytes; characters++) {
        printed += (unsigned char)json_string_value(text)[i] > ' ';
        i += utf8_sequence(json_string_value(text) + i, bytes - i);
    }
    if (!text) {
        answer_invalid(call, resource, "body", "missing_field", "\"body\" wasn't supplied.");
    } else if (!json_is_string(text)) {
        answer_invalid(call, resource, "body", "invalid", "body is not a string.");
    } else if (printed == 0) {
        answer_invalid(call, resource, "data", "unprocessable", "Body cannot be blank");
    } else if (characters > BODY_CHARACTERS_MAX) {
        answer_invalid(call, resource, "data", "unprocessable",
                       "Body is too long (maximum is 65536 characters)");
    } else {
        return text;
    }
    json_decref(text);
    return NULL;
}

/* A new comment by the app; steals `body`. */
static json_t *new_comment(struct call *call, json_t *body) {
    char now[FAKE_TIME_MAX];
    fake_time_text(fake_now_s(call->fake), now);
    return json_pack("{s:I, s:o, s:o, s:s, s:s, s:[]}", "id", state_new_id(call->fake), "user",
                     app_login(call->fake), "body", body, "created_at", now, "updated_at", now,
                     "reactions");
}

static void answer_created(struct call *call, json_t *shape) {
    AUTO_FREE char *url = strdup(text_of(shape, "url"));
    answer_json(call, 201, shape);
    answer_header(call, "Location", url);
}

static bool reject_locked(struct call *call, const json_t *issue) {
    bool locked = json_is_true(json_object_get(issue, "locked"));
    if (locked) {
        answer_error(call, 403, "Unable to create comment because issue is locked.");
    }
    return locked;
}

void handle_comments_post(struct call *call) {
    json_t *issue = find_issue(call, false);
    if (!issue || reject_locked(call, issue)) {
        return;
    }
    json_t *body = wanted_body(call, "IssueComment");
    if (!body) {
        return;
    }
    json_t *comment = new_comment(call, body);
    (void)json_object_set(comment, "issue", json_object_get(issue, "number"));
    (void)list_add(json_object_get(call->repository, "comments"), comment);
    answer_created(call, shape_comment(call->fake, call->repository, comment));
}

void handle_replies_post(struct call *call) {
    json_t *pull = find_issue(call, true);
    if (!pull) {
        return;
    }
    json_t *first = find_comment(call, "review_comments", call->parameters[3]);
    if (!first) {
        return;
    }
    json_int_t of_pull = number_of(first, "pull");
    bool is_reply = json_is_integer(json_object_get(first, "in_reply_to_id"));
    if (is_reply || (of_pull != 0 && of_pull != number_of(pull, "number"))) {
        answer_error(call, 404, "Not Found"); /* GitHub: no replies to replies */
        return;
    }
    if (reject_locked(call, pull)) {
        return;
    }
    json_t *body = wanted_body(call, "PullRequestReviewComment");
    if (!body) {
        return;
    }
    json_t *comment = new_comment(call, body);
    (void)json_object_set(comment, "pull", json_object_get(pull, "number"));
    (void)json_object_set(comment, "in_reply_to_id", json_object_get(first, "id"));
    (void)list_add(json_object_get(call->repository, "review_comments"), comment);
    answer_created(call, shape_review_comment(call->fake, call->repository, comment));
}

void handle_comments_get(struct call *call) {
    json_t *issue = find_issue(call, false);
    if (!issue) {
        return;
    }
    AUTO_FREE char *since = call_query(call, "since");
    json_t *all = json_array(), *comment;
    size_t i;
    json_array_foreach(json_object_get(call->repository, "comments"), i, comment) {
        if (number_of(comment, "issue") == number_of(issue, "number") &&
            !(since && strcmp(text_of(comment, "updated_at"), since) < 0)) {
            (void)json_array_append_new(all, shape_comment(call->fake, call->repository, comment));
        }
    }
    answer_page(call, all);
}
