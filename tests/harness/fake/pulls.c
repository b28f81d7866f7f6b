/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pull requests: lists, changes, files, commits, reviews, the merge. */
#include "fake/fields.h"
#include "fake/handlers.h"
#include "fake/items.h"
#include "fake/pagination.h"
#include "fake/response.h"
#include "fake/shapes.h"
#include "fake/shapes_pulls.h"
#include "fake/state.h"
#include "fake/times.h"

#include <string.h>

#define TEXT SCHEMA_TEXT
#define NOTHING SCHEMA_NULL

static void respond_pull(struct http_exchange *exchange, json_t *pull) {
    respond_json(exchange, 200, shape_pull(exchange->fake, exchange->repository, pull));
}

void handle_pull_get(struct http_exchange *exchange) {
    json_t *pull = find_issue(exchange, true);
    if (pull) {
        respond_pull(exchange, pull);
    }
}

/* `head` is OWNER:BRANCH. */
static bool is_wanted(const json_t *pull, const char *state, const char *head, const char *base) {
    const char *colon = head ? strchr(head, ':') : NULL;
    const char *of_head = text_of(json_object_get(pull, "head"), "ref");
    const char *of_base = text_of(json_object_get(pull, "base"), "ref");
    return json_is_true(json_object_get(pull, "pull_request")) &&
           !json_is_true(json_object_get(pull, "deleted")) &&
           (strcmp(state, "all") == 0 || strcmp(state, text_of(pull, "state")) == 0) &&
           (!colon || strcmp(colon + 1, of_head) == 0) && (!base || strcmp(base, of_base) == 0);
}

void handle_pulls_get(struct http_exchange *exchange) {
    AUTO_FREE char *state = exchange_query(exchange, "state");
    AUTO_FREE char *head = exchange_query(exchange, "head");
    AUTO_FREE char *base = exchange_query(exchange, "base");
    AUTO_FREE char *sort = exchange_query(exchange, "sort");
    AUTO_FREE char *direction = exchange_query(exchange, "direction");
    struct issue_order order = {.key = sort ? sort : "created",
                                .ascending = direction ? strcmp(direction, "asc") == 0
                                                       : sort && strcmp(sort, "created") != 0};
    json_t *all = json_array(), *pull;
    size_t i;
    json_array_foreach(json_object_get(exchange->repository, "issues"), i, pull) {
        if (!is_wanted(pull, state ? state : "open", head, base)) {
            continue;
        }
        json_t *shape = shape_pull_simple(exchange->fake, exchange->repository, pull);
        size_t at = json_array_size(all);
        while (at > 0 && comes_before(shape, json_array_get(all, at - 1), &order)) {
            at--;
        }
        json_array_insert_new(all, at, shape);
    }
    respond_page(exchange, all);
}

void handle_pull_patch(struct http_exchange *exchange) {
    static const struct field fields[] = {{"title", TEXT, false, NULL},
                                          {"body", TEXT | NOTHING, false, NULL},
                                          {"state", TEXT, false, "open closed"},
                                          {"base", TEXT, false, NULL},
                                          {"maintainer_can_modify", SCHEMA_YES, false, NULL},
                                          {0}};
    json_t *pull = find_issue(exchange, true);
    json_t *body = pull ? exchange_fields(exchange, "PullRequest", fields) : NULL;
    if (!body) {
        return;
    }
    static const char *const same[] = {"title", "body"};
    for (size_t i = 0; i < 2; i++) {
        json_t *value = json_object_get(body, same[i]);
        if (value) {
            json_object_set(pull, same[i], value);
        }
    }
    if (json_object_get(body, "base")) {
        json_object_set(json_object_get(pull, "base"), "ref", json_object_get(body, "base"));
    }
    if (json_object_get(body, "state")) {
        issue_set_state(exchange->fake, pull, text_of(body, "state"), NULL);
    }
    times_touch(exchange->fake, pull);
    json_decref(body);
    respond_pull(exchange, pull);
}

void handle_pull_files(struct http_exchange *exchange) {
    const json_t *pull = find_issue(exchange, true);
    json_t *all = json_array(), *file;
    size_t i;
    if (!pull) {
        json_decref(all);
        return;
    }
    json_array_foreach(json_object_get(pull, "files"), i, file) {
        json_array_append_new(all, shape_file(exchange->fake, exchange->repository, pull, file));
    }
    respond_page(exchange, all);
}

void handle_pull_commits(struct http_exchange *exchange) {
    const json_t *pull = find_issue(exchange, true);
    json_t *all = json_array(), *commit;
    size_t i;
    if (!pull) {
        json_decref(all);
        return;
    }
    json_array_foreach(json_object_get(pull, "commits"), i, commit) {
        json_array_append_new(all, shape_commit(exchange->fake, exchange->repository, commit));
    }
    respond_page(exchange, all);
}

/* -- the merge -- */

void handle_pull_is_merged(struct http_exchange *exchange) {
    const json_t *pull = find_issue(exchange, true);
    if (!pull) {
        return;
    }
    if (json_is_string(json_object_get(pull, "merged_at"))) {
        respond_empty(exchange, 204);
    } else {
        respond_error(exchange, 404, "Not Found");
    }
}

static bool may_merge(struct http_exchange *exchange, const json_t *pull, const char *sha) {
    bool is_open = strcmp(text_of(pull, "state"), "open") == 0;
    if (json_is_true(json_object_get(pull, "draft"))) {
        respond_error(exchange, 405, "Pull Request is still a draft");
    } else if (!is_open || !json_is_true(json_object_get(pull, "mergeable"))) {
        respond_error(exchange, 405, "Pull Request is not mergeable");
    } else if (sha && strcmp(sha, text_of(json_object_get(pull, "head"), "sha")) != 0) {
        respond_error(exchange, 409, "Head branch was modified. Review and try the merge again.");
    } else {
        return true;
    }
    return false;
}

void handle_pull_merge(struct http_exchange *exchange) {
    static const struct field fields[] = {{"commit_title", TEXT, false, NULL},
                                          {"commit_message", TEXT, false, NULL},
                                          {"sha", TEXT, false, NULL},
                                          {"merge_method", TEXT, false, "merge squash rebase"},
                                          {0}};
    struct fake *fake = exchange->fake;
    json_t *pull = find_issue(exchange, true);
    json_t *body = pull ? exchange_fields(exchange, "PullRequest", fields) : NULL;
    if (!body) {
        return;
    }
    if (may_merge(exchange, pull, text_of(body, "sha"))) {
        char text[80], sha[FAKE_SHA_BYTES];
        snprintf(text, sizeof text, "merge %" JSON_INTEGER_FORMAT, number_of(pull, "id"));
        fake_sha(text, sha);
        issue_set_state(fake, pull, "closed", NULL);
        json_object_set_new(pull, "merged_at", fake_now(fake));
        json_object_set_new(pull, "merged_by", app_login(fake));
        json_object_set_new(pull, "merge_commit_sha", json_string(sha));
        times_touch(fake, pull);
        respond_json(exchange, 200,
                     json_pack("{s:s, s:b, s:s}", "sha", sha, "merged", 1, "message",
                               "Pull Request successfully merged"));
    }
    json_decref(body);
}

/* -- reviews -- */

void handle_reviews_get(struct http_exchange *exchange) {
    const json_t *pull = find_issue(exchange, true);
    json_t *all = json_array(), *review;
    size_t i;
    if (!pull) {
        json_decref(all);
        return;
    }
    json_array_foreach(json_object_get(pull, "reviews"), i, review) {
        json_array_append_new(all,
                              shape_review(exchange->fake, exchange->repository, pull, review));
    }
    respond_page(exchange, all);
}

/* The state that the review's event gives it. */
static const char *state_of_event(const char *event) {
    static const char *const states[][2] = {{"APPROVE", "APPROVED"},
                                            {"REQUEST_CHANGES", "CHANGES_REQUESTED"},
                                            {"COMMENT", "COMMENTED"}};
    for (size_t i = 0; event && i < sizeof states / sizeof *states; i++) {
        if (strcmp(event, states[i][0]) == 0) {
            return states[i][1];
        }
    }
    return "PENDING";
}

void handle_reviews_post(struct http_exchange *exchange) {
    static const struct field fields[] = {{"commit_id", TEXT, false, NULL},
                                          {"body", TEXT, false, NULL},
                                          {"event", TEXT, false, "APPROVE REQUEST_CHANGES COMMENT"},
                                          {"comments", SCHEMA_TABLES, false, NULL},
                                          {0}};
    struct fake *fake = exchange->fake;
    json_t *pull = find_issue(exchange, true);
    json_t *body = pull ? exchange_fields(exchange, "PullRequestReview", fields) : NULL;
    if (!body) {
        return;
    }
    const char *event = text_of(body, "event"), *words = text_of(body, "body");
    const char *commit = text_of(body, "commit_id");
    bool needs_body = event && strcmp(event, "APPROVE") != 0;
    if (needs_body && (!words || !*words) && !json_object_get(body, "comments")) {
        respond_error(exchange, 422, "Unprocessable Entity");
    } else {
        json_t *review =
            json_pack("{s:I, s:o, s:s, s:s, s:s, s:o}", "id", state_new_id(fake), "user",
                      app_login(fake), "state", state_of_event(event), "body", words ? words : "",
                      "commit_id", commit ? commit : text_of(json_object_get(pull, "head"), "sha"),
                      "submitted_at", fake_now(fake));
        list_add(json_object_get(pull, "reviews"), review);
        times_touch(fake, pull);
        respond_json(exchange, 200, shape_review(fake, exchange->repository, pull, review));
    }
    json_decref(body);
}

void handle_reviewers_post(struct http_exchange *exchange) {
    static const struct field fields[] = {{"reviewers", SCHEMA_NAMES, false, NULL},
                                          {"team_reviewers", SCHEMA_NAMES, false, NULL},
                                          {0}};
    json_t *pull = find_issue(exchange, true);
    json_t *body = pull ? exchange_fields(exchange, "PullRequest", fields) : NULL, *login;
    size_t i;
    if (!body) {
        return;
    }
    json_array_foreach(json_object_get(body, "reviewers"), i, login) {
        names_add(json_object_get(pull, "requested_reviewers"), json_string_value(login));
    }
    times_touch(exchange->fake, pull);
    json_decref(body);
    respond_json(exchange, 201, shape_pull_simple(exchange->fake, exchange->repository, pull));
}
