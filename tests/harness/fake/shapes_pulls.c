/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes GitHub's JSON objects of pull requests and commits. */
#include "fake/shapes_pulls.h"

#include "fake/fields.h"
#include "fake/node_ids.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <string.h>

#define NUMBER "%" JSON_INTEGER_FORMAT

static json_t *shape_branch(struct fake *fake, json_t *repository, const json_t *branch) {
    const char *full_name = text_of(repository, "full_name"), *ref = text_of(branch, "ref");
    char owner[256];
    snprintf(owner, sizeof owner, "%.*s", (int)strcspn(full_name, "/"), full_name);
    return json_pack("{s:o, s:s, s:O, s:o, s:o}", "label", json_sprintf("%s:%s", owner, ref), "ref",
                     ref, "sha", json_object_get(branch, "sha"), "user", shape_account(fake, owner),
                     "repo", shape_repository(fake, repository));
}

static json_t *shape_people(struct fake *fake, const json_t *logins) {
    json_t *people = json_array(), *login;
    size_t i;
    json_array_foreach(logins, i, login) {
        json_array_append_new(people, shape_user(fake, json_string_value(login)));
    }
    return people;
}

/* GitHub's links: each is {"href": URL}. */
static void put_links(json_t *shape) {
    static const char *const links[][2] = {{"self", "url"},
                                           {"html", "html_url"},
                                           {"issue", "issue_url"},
                                           {"comments", "comments_url"},
                                           {"review_comments", "review_comments_url"},
                                           {"review_comment", "review_comment_url"},
                                           {"commits", "commits_url"},
                                           {"statuses", "statuses_url"}};
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        json_object_set_new(all, links[i][0],
                            json_pack("{s:O}", "href", json_object_get(shape, links[i][1])));
    }
    json_object_set_new(shape, "_links", all);
}

static void put_urls(const struct fake *fake, const json_t *repository, const json_t *pull,
                     json_t *shape) {
    static const char *const of_pull[][2] = {
        {"url", ""}, {"commits_url", "/commits"}, {"review_comments_url", "/comments"}};
    const char *full_name = text_of(repository, "full_name");
    json_int_t number = number_of(pull, "number");
    for (size_t i = 0; i < sizeof of_pull / sizeof *of_pull; i++) {
        json_object_set_new(shape, of_pull[i][0],
                            json_sprintf("%s/repos/%s/pulls/" NUMBER "%s", fake->origin, full_name,
                                         number, of_pull[i][1]));
    }
    json_object_set_new(
        shape, "review_comment_url",
        json_sprintf("%s/repos/%s/pulls/comments{/number}", fake->origin, full_name));
    json_object_set_new(
        shape, "issue_url",
        json_sprintf("%s/repos/%s/issues/" NUMBER, fake->origin, full_name, number));
    json_object_set_new(shape, "statuses_url",
                        json_sprintf("%s/repos/%s/statuses/%s", fake->origin, full_name,
                                     text_of(json_object_get(pull, "head"), "sha")));
    const char *html = text_of(shape, "html_url");
    json_object_set_new(shape, "diff_url", json_sprintf("%s.diff", html));
    json_object_set_new(shape, "patch_url", json_sprintf("%s.patch", html));
}

/* The members that an issue has under the same names. */
json_t *shape_pull_simple(struct fake *fake, json_t *repository, json_t *pull) {
    static const char *const same[] = {"id",
                                       "number",
                                       "title",
                                       "body",
                                       "state",
                                       "locked",
                                       "labels",
                                       "user",
                                       "created_at",
                                       "updated_at",
                                       "closed_at",
                                       "html_url",
                                       "assignee",
                                       "assignees",
                                       "milestone",
                                       "comments_url",
                                       "author_association"};
    json_t *issue = shape_issue(fake, repository, pull), *shape = json_object();
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(shape, same[i], json_object_get(issue, same[i]));
    }
    json_decref(issue);
    json_object_set_new(shape, "node_id", node_id("PR", number_of(pull, "id")));
    json_object_set_new(shape, "active_lock_reason", json_null());
    put_urls(fake, repository, pull, shape);
    put_links(shape);
    json_t *more = json_pack(
        "{s:O, s:O, s:O, s:o, s:o, s:n, s:o, s:[]}", "merged_at",
        json_object_get(pull, "merged_at"), "merge_commit_sha",
        json_object_get(pull, "merge_commit_sha"), "draft", json_object_get(pull, "draft"), "head",
        shape_branch(fake, repository, json_object_get(pull, "head")), "base",
        shape_branch(fake, repository, json_object_get(pull, "base")), "auto_merge",
        "requested_reviewers", shape_people(fake, json_object_get(pull, "requested_reviewers")),
        "requested_teams");
    json_object_update(shape, more);
    json_decref(more);
    return shape;
}

static json_int_t sum(const json_t *files, const char *key) {
    json_int_t total = 0;
    size_t i;
    json_t *file;
    json_array_foreach(files, i, file) {
        total += number_of(file, key);
    }
    return total;
}

static json_int_t count_of(const json_t *list, const char *key, json_int_t number) {
    json_int_t count = 0;
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        count += number_of(item, key) == number;
    }
    return count;
}

json_t *shape_pull(struct fake *fake, json_t *repository, json_t *pull) {
    const json_t *files = json_object_get(pull, "files");
    const json_t *mergeable = json_object_get(pull, "mergeable");
    json_int_t number = number_of(pull, "number");
    const char *mergeable_state = json_is_true(mergeable) ? "clean" : "dirty";
    if (json_is_null(mergeable)) {
        mergeable_state = "unknown";
    }
    json_t *shape = shape_pull_simple(fake, repository, pull);
    json_t *more = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:s, s:b, s:b, s:o, s:b}", "additions",
        sum(files, "additions"), "deletions", sum(files, "deletions"), "changed_files",
        (json_int_t)json_array_size(files), "commits",
        (json_int_t)json_array_size(json_object_get(pull, "commits")), "comments",
        count_of(json_object_get(repository, "comments"), "issue", number), "review_comments",
        count_of(json_object_get(repository, "review_comments"), "pull", number), "mergeable",
        mergeable, "mergeable_state", mergeable_state, "merged",
        json_is_string(json_object_get(pull, "merged_at")), "maintainer_can_modify", 0, "merged_by",
        shape_user(fake, text_of(pull, "merged_by")), "rebaseable", json_is_true(mergeable));
    json_object_update(shape, more);
    json_decref(more);
    return shape;
}

json_t *shape_pull_minimal(struct fake *fake, const json_t *repository, const json_t *pull) {
    const char *full_name = text_of(repository, "full_name");
    json_t *shape = json_pack("{s:O, s:O, s:o}", "id", json_object_get(pull, "id"), "number",
                              json_object_get(pull, "number"), "url",
                              json_sprintf("%s/repos/%s/pulls/" NUMBER, fake->origin, full_name,
                                           number_of(pull, "number")));
    static const char *const branches[] = {"head", "base"};
    for (size_t i = 0; i < 2; i++) {
        json_t *branch = json_copy(json_object_get(pull, branches[i]));
        json_object_set_new(branch, "repo",
                            json_pack("{s:O, s:o, s:s}", "id", json_object_get(repository, "id"),
                                      "url", json_sprintf("%s/repos/%s", fake->origin, full_name),
                                      "name", strchr(full_name, '/') + 1));
        json_object_set_new(shape, branches[i], branch);
    }
    return shape;
}

json_t *shape_file(const struct fake *fake, const json_t *repository, const json_t *pull,
                   const json_t *file) {
    const char *name = text_of(file, "filename"), *full_name = text_of(repository, "full_name");
    const char *head = text_of(json_object_get(pull, "head"), "sha");
    char sha[FAKE_SHA_BYTES];
    fake_blob_sha(name, sha);
    json_t *shape = json_pack(
        "{s:s, s:s, s:O, s:O, s:O, s:I, s:o, s:o, s:o, s:s}", "sha", sha, "filename", name,
        "status", json_object_get(file, "status"), "additions", json_object_get(file, "additions"),
        "deletions", json_object_get(file, "deletions"), "changes",
        number_of(file, "additions") + number_of(file, "deletions"), "blob_url",
        json_sprintf("https://github.com/%s/blob/%s/%s", full_name, head, name), "raw_url",
        json_sprintf("https://github.com/%s/raw/%s/%s", full_name, head, name), "contents_url",
        json_sprintf("%s/repos/%s/contents/%s?ref=%s", fake->origin, full_name, name, head),
        "patch", "@@ -1 +1 @@");
    static const char *const given[] = {"patch", "previous_filename"};
    for (size_t i = 0; i < 2; i++) {
        json_t *value = json_object_get(file, given[i]);
        if (value) {
            json_object_set(shape, given[i], value);
        }
    }
    return shape;
}

/* Either the account or, as for a commit of nobody, null. */
static json_t *shape_author(struct fake *fake, const json_t *author) {
    const char *login = text_of(author, "login");
    return login ? shape_user(fake, login) : json_null();
}

/* Of the commit's signature. */
static json_t *shape_verification(const json_t *commit) {
    bool verified = json_is_true(json_object_get(commit, "verified"));
    return json_pack("{s:b, s:s, s:n, s:n, s:n}", "verified", verified, "reason",
                     verified ? "valid" : "unsigned", "signature", "payload", "verified_at");
}

json_t *shape_commit(struct fake *fake, const json_t *repository, const json_t *commit) {
    const char *full_name = text_of(repository, "full_name"), *sha = text_of(commit, "sha");
    const json_t *author = json_object_get(commit, "author");
    char tree[FAKE_SHA_BYTES];
    fake_sha(sha, tree);
    json_t *person =
        json_pack("{s:O, s:O, s:O}", "name", json_object_get(author, "name"), "email",
                  json_object_get(author, "email"), "date", json_object_get(author, "date"));
    json_t *parents = json_array(), *parent;
    size_t i;
    json_array_foreach(json_object_get(commit, "parents"), i, parent) {
        const char *of = json_string_value(parent);
        json_array_append_new(
            parents,
            json_pack("{s:s, s:o, s:o}", "sha", of, "url",
                      json_sprintf("%s/repos/%s/commits/%s", fake->origin, full_name, of),
                      "html_url", json_sprintf("https://github.com/%s/commit/%s", full_name, of)));
    }
    json_t *inner =
        json_pack("{s:o, s:O, s:O, s:O, s:i, s:{s:s, s:o}}", "url",
                  json_sprintf("%s/repos/%s/git/commits/%s", fake->origin, full_name, sha),
                  "author", person, "committer", person, "message",
                  json_object_get(commit, "message"), "comment_count", 0, "tree", "sha", tree,
                  "url", json_sprintf("%s/repos/%s/git/trees/%s", fake->origin, full_name, tree));
    json_decref(person);
    json_object_set_new(inner, "verification", shape_verification(commit));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sha", sha, "node_id",
                     json_sprintf("C_%s", sha), "url",
                     json_sprintf("%s/repos/%s/commits/%s", fake->origin, full_name, sha),
                     "html_url", json_sprintf("https://github.com/%s/commit/%s", full_name, sha),
                     "comments_url",
                     json_sprintf("%s/repos/%s/commits/%s/comments", fake->origin, full_name, sha),
                     "commit", inner, "author", shape_author(fake, author), "committer",
                     shape_author(fake, author), "parents", parents);
}

json_t *shape_review(struct fake *fake, const json_t *repository, const json_t *pull,
                     const json_t *review) {
    const char *full_name = text_of(repository, "full_name");
    json_int_t number = number_of(pull, "number"), id = number_of(review, "id");
    json_t *html = json_sprintf("https://github.com/%s/pull/" NUMBER "#pullrequestreview-" NUMBER,
                                full_name, number, id);
    json_t *url = json_sprintf("%s/repos/%s/pulls/" NUMBER, fake->origin, full_name, number);
    json_t *shape = json_pack(
        "{s:I, s:o, s:o, s:O, s:O, s:O, s:O, s:O, s:O, s:s, s:{s:{s:O}, s:{s:O}}}", "id", id,
        "node_id", node_id("PRR", id), "user", shape_user(fake, text_of(review, "user")), "body",
        json_object_get(review, "body"), "state", json_object_get(review, "state"), "commit_id",
        json_object_get(review, "commit_id"), "submitted_at",
        json_object_get(review, "submitted_at"), "html_url", html, "pull_request_url", url,
        "author_association", "NONE", "_links", "html", "href", html, "pull_request", "href", url);
    json_decref(html);
    json_decref(url);
    return shape;
}
