/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fills in what a state leaves out, so that all other modules find each member. */
#include "fake/state_fill.h"

#include "fake/fields.h"
#include "fake/node_ids.h"
#include "fake/state.h"

#include <string.h>

#define TOKEN_BYTES_DEFAULT 40
#define LONG_AGO "2025-01-01T00:00:00Z"

static void fill(json_t *object, const char *key, json_t *value) {
    if (json_object_get(object, key)) {
        json_decref(value);
    } else {
        json_object_set_new(object, key, value);
    }
}

static json_t *filled_list(json_t *object, const char *key) {
    fill(object, key, json_array());
    return json_object_get(object, key);
}

static void fill_id(struct fake *fake, json_t *object) {
    if (!json_object_get(object, "id")) {
        json_object_set_new(object, "id", json_integer(state_new_id(fake)));
    }
}

static void fill_reactions(struct fake *fake, json_t *subject) {
    size_t i;
    json_t *reaction;
    json_array_foreach(filled_list(subject, "reactions"), i, reaction) {
        fill_id(fake, reaction);
        fill(reaction, "created_at", json_string(LONG_AGO));
    }
}

static void fill_comments(struct fake *fake, json_t *list) {
    size_t i;
    json_t *comment;
    json_array_foreach(list, i, comment) {
        fill_id(fake, comment);
        fill(comment, "user", json_null());
        fill(comment, "body", json_string(""));
        fill(comment, "created_at", json_string(LONG_AGO));
        fill(comment, "updated_at", json_incref(json_object_get(comment, "created_at")));
        fill_reactions(fake, comment);
    }
}

/* Absent: when it was made, or last got or changed a comment. */
static void fill_updated_at(const json_t *repository, json_t *issue) {
    const char *latest = text_of(issue, "created_at");
    size_t i;
    json_t *comment;
    json_array_foreach(json_object_get(repository, "comments"), i, comment) {
        const char *at = text_of(comment, "updated_at");
        bool is_its = number_of(comment, "issue") == number_of(issue, "number");
        latest = is_its && strcmp(at, latest) > 0 ? at : latest;
    }
    fill(issue, "updated_at", json_string(latest));
}

/* Absent: a branch of its own, whose commit is made of the names. */
static void fill_branch(json_t *repository, json_t *issue, const char *key, const char *ref) {
    char text[400], sha[FAKE_SHA_BYTES];
    fill(issue, key, json_object());
    json_t *branch = json_object_get(issue, key);
    fill(branch, "ref", json_string(ref));
    snprintf(text, sizeof text, "%s:%s", text_of(repository, "full_name"), text_of(branch, "ref"));
    fake_sha(text, sha);
    fill(branch, "sha", json_string(sha));
}

static void fill_commits(json_t *commits, const char *parent) {
    size_t i;
    json_t *commit;
    json_array_foreach(commits, i, commit) {
        fill(commit, "message", json_string("A commit"));
        fill(commit, "author", json_object());
        json_t *author = json_object_get(commit, "author");
        fill(author, "name", json_string("A. Author"));
        fill(author, "email", json_string("author@example.org"));
        fill(author, "date", json_string(LONG_AGO));
        fill(commit, "parents", json_pack("[s]", parent));
        fill(commit, "verified", json_false());
        parent = text_of(commit, "sha");
    }
}

static void fill_pull(struct fake *fake, json_t *repository, json_t *pull) {
    char ref[40];
    size_t i;
    json_t *item;
    snprintf(ref, sizeof ref, "pull-%" JSON_INTEGER_FORMAT, number_of(pull, "number"));
    json_t *commits = filled_list(pull, "commits");
    /* The last commit is the head. */
    const char *last = text_of(json_array_get(commits, json_array_size(commits) - 1), "sha");
    if (last && !json_object_get(json_object_get(pull, "head"), "sha")) {
        fill(pull, "head", json_object());
        json_object_set_new(json_object_get(pull, "head"), "sha", json_string(last));
    }
    fill_branch(repository, pull, "head", ref);
    fill_branch(repository, pull, "base", text_of(repository, "default_branch"));
    fill_commits(commits, text_of(json_object_get(pull, "base"), "sha"));
    fill(pull, "draft", json_false());
    fill(pull, "mergeable", json_true());
    fill(pull, "merge_commit_sha", json_null());
    fill(pull, "merged_by", json_null());
    filled_list(pull, "requested_reviewers");
    json_array_foreach(filled_list(pull, "files"), i, item) {
        fill(item, "status", json_string("modified"));
        fill(item, "additions", json_integer(1));
        fill(item, "deletions", json_integer(0));
    }
    json_array_foreach(filled_list(pull, "reviews"), i, item) {
        fill_id(fake, item);
        fill(item, "user", json_null());
        fill(item, "state", json_string("COMMENTED"));
        fill(item, "body", json_string(""));
        fill(item, "commit_id", json_incref(json_object_get(json_object_get(pull, "head"), "sha")));
        fill(item, "submitted_at", json_string(LONG_AGO));
        fill_reactions(fake, item);
    }
}

void state_fill_issue(struct fake *fake, json_t *repository, json_t *issue) {
    fill_id(fake, issue);
    fill(issue, "title", json_string("Untitled"));
    fill(issue, "body", json_null());
    fill(issue, "user", json_null());
    fill(issue, "state", json_string("open"));
    fill(issue, "locked", json_false());
    fill(issue, "deleted", json_false());
    fill(issue, "pull_request", json_false());
    fill(issue, "created_at", json_string(LONG_AGO));
    fill(issue, "merged_at", json_null());
    fill(issue, "milestone", json_null());
    fill(issue, "state_reason", json_null());
    filled_list(issue, "labels");
    filled_list(issue, "assignees");
    fill_reactions(fake, issue);
    if (json_is_true(json_object_get(issue, "pull_request"))) {
        fill_pull(fake, repository, issue);
    }
}

/* A conclusion ends what has one, also when a change of the state gives it. */
static void fill_ended(json_t *run, bool ended) {
    fill(run, "status", json_string("queued"));
    if (ended) {
        json_object_set_new(run, "status", json_string("completed"));
    }
}

/* Check runs and statuses. */
static void fill_checks(struct fake *fake, json_t *repository) {
    size_t i;
    json_t *item;
    json_array_foreach(filled_list(repository, "check_runs"), i, item) {
        fill_id(fake, item);
        bool ended = json_is_string(json_object_get(item, "conclusion"));
        fill_ended(item, ended);
        fill(item, "conclusion", json_null());
        fill(item, "external_id", json_string(""));
        fill(item, "details_url", json_null());
        fill(item, "started_at", json_string(LONG_AGO));
        fill(item, "completed_at", ended ? json_string(LONG_AGO) : json_null());
        fill(item, "output", json_object());
        filled_list(item, "actions");
        fill(item, "app", json_string(fake->app_slug));
    }
    json_array_foreach(filled_list(repository, "check_suites"), i, item) {
        fill_id(fake, item);
        fill(item, "head_branch", json_null());
        fill(item, "app", json_string(fake->app_slug));
        fill(item, "created_at", json_string(LONG_AGO));
    }
    json_array_foreach(filled_list(repository, "statuses"), i, item) {
        fill_id(fake, item);
        fill(item, "context", json_string("default"));
        fill(item, "description", json_null());
        fill(item, "target_url", json_null());
        fill(item, "creator", json_null());
        fill(item, "created_at", json_string(LONG_AGO));
        fill(item, "updated_at", json_incref(json_object_get(item, "created_at")));
    }
}

/* A run is of the pull request's branch whose head it tests, unless it names another. */
static json_t *branch_of_run(json_t *repository, const json_t *run) {
    size_t i;
    json_t *issue;
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        const json_t *head = json_object_get(issue, "head");
        const char *sha = text_of(head, "sha");
        if (sha && strcmp(sha, text_of(run, "head_sha")) == 0) {
            return json_incref(json_object_get(head, "ref"));
        }
    }
    return json_null();
}

static void fill_workflow_runs(struct fake *fake, json_t *repository) {
    size_t i;
    json_t *run;
    json_array_foreach(filled_list(repository, "workflow_runs"), i, run) {
        fill_id(fake, run);
        bool ended = json_is_string(json_object_get(run, "conclusion"));
        fill(run, "head_branch", branch_of_run(repository, run));
        fill(run, "path", json_sprintf(".github/workflows/%s.yml", text_of(run, "name")));
        fill(run, "display_title", json_string("A commit"));
        fill(run, "event", json_string("pull_request"));
        fill_ended(run, ended);
        fill(run, "conclusion", json_null());
        fill(run, "run_number", json_integer((json_int_t)i + 1));
        fill(run, "run_attempt", json_integer(1));
        fill(run, "actor", json_null());
        fill(run, "created_at", json_string(LONG_AGO));
        fill(run, "updated_at", json_incref(json_object_get(run, "created_at")));
        fill(run, "run_started_at", json_incref(json_object_get(run, "created_at")));
    }
}

static void fill_labels_and_milestones(struct fake *fake, json_t *repository) {
    size_t i;
    json_t *item;
    json_array_foreach(filled_list(repository, "labels"), i, item) {
        fill(item, "color", json_string("ededed"));
        fill(item, "description", json_null());
    }
    json_array_foreach(filled_list(repository, "milestones"), i, item) {
        fill_id(fake, item);
        fill(item, "title", json_string("Untitled"));
        fill(item, "state", json_string("open"));
        fill(item, "description", json_null());
        fill(item, "due_on", json_null());
        fill(item, "creator", json_null());
        fill(item, "created_at", json_string(LONG_AGO));
        fill(item, "updated_at", json_incref(json_object_get(item, "created_at")));
        fill(item, "closed_at", json_null());
    }
}

static void fill_discussions(struct fake *fake, json_t *repository) {
    size_t i;
    json_t *item;
    json_array_foreach(filled_list(repository, "discussions"), i, item) {
        fill_id(fake, item);
        fill(item, "title", json_string("Untitled"));
        fill(item, "body", json_string(""));
        fill(item, "user", json_null());
        fill(item, "category", json_string("General"));
        fill(item, "locked", json_false());
        fill(item, "created_at", json_string(LONG_AGO));
        fill(item, "updated_at", json_incref(json_object_get(item, "created_at")));
        fill_reactions(fake, item);
    }
    fill_comments(fake, filled_list(repository, "discussion_comments"));
    json_array_foreach(json_object_get(repository, "discussion_comments"), i, item) {
        fill(item, "reply_to", json_null());
    }
}

/* The default branch is there, with a commit that is made of the names. */
static void fill_branches(json_t *repository) {
    const char *name = text_of(repository, "default_branch");
    json_t *branches = filled_list(repository, "branches");
    char text[400], sha[FAKE_SHA_BYTES];
    if (!list_find(branches, "name", name)) {
        snprintf(text, sizeof text, "%s:%s", text_of(repository, "full_name"), name);
        fake_sha(text, sha);
        list_add(branches, json_pack("{s:s, s:s}", "name", name, "sha", sha));
    }
    snprintf(text, sizeof text, "%s:", text_of(repository, "full_name"));
    fake_sha(text, sha);
    fill_commits(filled_list(repository, "commits"), sha);
}

void state_fill_repository(struct fake *fake, json_t *repository) {
    fill_id(fake, repository);
    fill(repository, "default_branch", json_string("main"));
    fill(repository, "private", json_false());
    fill(repository, "archived", json_false());
    filled_list(repository, "former_names");
    size_t i;
    json_t *issue;
    json_array_foreach(filled_list(repository, "issues"), i, issue) {
        state_fill_issue(fake, repository, issue);
    }
    fill_comments(fake, filled_list(repository, "comments"));
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        fill_updated_at(repository, issue);
        bool is_open = strcmp(text_of(issue, "state"), "open") == 0;
        fill(issue, "closed_at",
             is_open ? json_null() : json_incref(json_object_get(issue, "updated_at")));
    }
    fill_comments(fake, filled_list(repository, "review_comments"));
    filled_list(repository, "contents");
    filled_list(repository, "collaborators");
    filled_list(repository, "teams");
    fill_labels_and_milestones(fake, repository);
    fill_checks(fake, repository);
    fill_workflow_runs(fake, repository);
    fill_discussions(fake, repository);
    fill_branches(repository);
}

static void fill_user(struct fake *fake, json_t *users, const char *login, json_t *id) {
    if (!list_find(users, "login", login)) {
        list_add(users, state_new_user(fake, login, id));
    }
}

/* Whoever has a permission is a user. */
static void fill_collaborators(struct fake *fake, json_t *repository, json_t *users) {
    size_t i, k;
    json_t *item, *member;
    json_array_foreach(filled_list(repository, "collaborators"), i, item) {
        fill_user(fake, users, text_of(item, "login"), NULL);
    }
    json_array_foreach(filled_list(repository, "teams"), i, item) {
        json_array_foreach(json_object_get(item, "members"), k, member) {
            fill_user(fake, users, json_string_value(member), NULL);
        }
    }
}

static void fill_projects(struct fake *fake, json_t *projects) {
    size_t i, k;
    json_t *project, *item;
    json_array_foreach(projects, i, project) {
        if (!json_object_get(project, "id")) {
            json_object_set_new(project, "id", node_id("PVT", state_new_id(fake)));
        }
        fill(project, "title", json_string("Untitled"));
        json_array_foreach(filled_list(project, "items"), k, item) {
            fill_id(fake, item);
            fill(item, "created_at", json_string(LONG_AGO));
        }
    }
}

static void fill_organization(struct fake *fake, json_t *organization, json_t *users) {
    fill_id(fake, organization);
    fill(organization, "base_role", json_string("read"));
    filled_list(organization, "teams");
    fill_projects(fake, filled_list(organization, "projects"));
    size_t i;
    json_t *member;
    json_array_foreach(filled_list(organization, "members"), i, member) {
        fill(member, "role", json_string("member"));
        fill(member, "state", json_string("active"));
        fill(member, "public", json_false());
        fill_user(fake, users, text_of(member, "login"), json_object_get(member, "id"));
    }
}

void state_fill(struct fake *fake, json_t *state) {
    fill(state, "settings", json_object());
    json_t *settings = json_object_get(state, "settings");
    fill(settings, "token_lifetime_s", json_integer(3600));
    fill(settings, "token_bytes", json_integer(TOKEN_BYTES_DEFAULT));
    fill(settings, "clock_skew_s", json_integer(0));
    fill(settings, "rate_limit", json_integer(5000));
    fill(settings, "search_rate_limit", json_integer(30));
    fill(settings, "graphql_rate_limit", json_integer(5000));
    fill(settings, "rate_window_s", json_integer(3600));
    fill(settings, "webhook_url", json_string(""));
    fill(settings, "webhook_secret", json_string(""));
    fill(settings, "webhook_content_type", json_string("json"));
    fill(settings, "webhook_insecure_ssl", json_string("0"));
    fill(settings, "webhook_active", json_true());
    fill(settings, "webhook_via", json_string(""));
    fill(settings, "manifest_secret", json_true());
    fill(settings, "auto_create", json_array());
    static const char *const lists[] = {"users", "organizations", "repositories", "installations",
                                        "graphql"};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        filled_list(state, lists[k]);
    }
    size_t i;
    json_t *item, *users = json_object_get(state, "users");
    json_array_foreach(users, i, item) {
        fill_id(fake, item);
        fill(item, "type", json_string("User"));
    }
    json_array_foreach(json_object_get(state, "organizations"), i, item) {
        fill_organization(fake, item, users);
    }
    json_array_foreach(json_object_get(state, "repositories"), i, item) {
        state_fill_repository(fake, item);
        fill_collaborators(fake, item, users);
    }
    json_array_foreach(json_object_get(state, "installations"), i, item) {
        fill(item, "suspended", json_false());
    }
    fill(state, "app", json_object());
}
