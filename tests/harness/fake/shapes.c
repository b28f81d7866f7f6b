/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes GitHub's JSON objects from the state. */
#include "fake/shapes.h"
#include "fake/node_ids.h"

#include "fake/instance.h"
#include "fake/state.h"

#include <string.h>

static json_t *url_of(const struct fake *fake, const char *rest) {
    return json_sprintf("%s%s", fake->origin, rest);
}

json_t *app_login(const struct fake *fake) {
    return json_sprintf("%s[bot]", fake->app_slug);
}

/* The login as a part of a URL: SLUG%5Bbot%5D. */
static void escape_login(const char *login, char *out, size_t bytes) {
    const char *bracket = strchr(login, '[');
    if (bracket) {
        snprintf(out, bytes, "%.*s%%5Bbot%%5D", (int)(bracket - login), login);
    } else {
        snprintf(out, bytes, "%s", login);
    }
}

static json_t *user_object(const struct fake *fake, const char *login, json_int_t id,
                           const char *type) {
    static const char *const urls[][2] = {{"url", ""},
                                          {"followers_url", "/followers"},
                                          {"following_url", "/following{/other_user}"},
                                          {"gists_url", "/gists{/gist_id}"},
                                          {"starred_url", "/starred{/owner}{/repo}"},
                                          {"subscriptions_url", "/subscriptions"},
                                          {"organizations_url", "/orgs"},
                                          {"repos_url", "/repos"},
                                          {"events_url", "/events{/privacy}"},
                                          {"received_events_url", "/received_events"}};
    char escaped[256];
    bool is_bot = strcmp(type, "Bot") == 0;
    escape_login(login, escaped, sizeof escaped);
    json_t *shape = json_pack(
        "{s:s, s:I, s:o, s:o, s:s, s:o, s:s, s:b}", "login", login, "id", id, "node_id",
        node_id("U", id), "avatar_url",
        json_sprintf("https://avatars.githubusercontent.com/u/%" JSON_INTEGER_FORMAT "?v=4", id),
        "gravatar_id", "", "html_url",
        json_sprintf("https://github.com/%s%.*s", is_bot ? "apps/" : "", (int)strcspn(login, "["),
                     login),
        "type", type, "site_admin", 0);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        json_object_set_new(shape, urls[i][0],
                            json_sprintf("%s/users/%s%s", fake->origin, escaped, urls[i][1]));
    }
    return shape;
}

json_t *shape_user(struct fake *fake, const char *login) {
    if (!login) {
        return json_null(); /* a deleted account */
    }
    json_t *bot = app_login(fake);
    bool is_bot = strcmp(json_string_value(bot), login) == 0;
    json_decref(bot);
    if (is_bot) {
        return user_object(fake, login, (json_int_t)fake->app_id + FAKE_BOT_ID_OFFSET, "Bot");
    }
    json_t *user = list_find(state_list(fake, "users"), "login", login);
    return user ? user_object(fake, text_of(user, "login"), number_of(user, "id"),
                              text_of(user, "type"))
                : user_object(fake, login, 0, "User");
}

json_t *shape_organization(struct fake *fake, const json_t *organization) {
    static const char *const urls[][2] = {{"url", ""},
                                          {"repos_url", "/repos"},
                                          {"events_url", "/events"},
                                          {"hooks_url", "/hooks"},
                                          {"issues_url", "/issues"},
                                          {"members_url", "/members{/member}"},
                                          {"public_members_url", "/public_members{/member}"}};
    const char *login = text_of(organization, "login");
    json_int_t id = number_of(organization, "id");
    json_t *shape = json_pack(
        "{s:I, s:s, s:o, s:o, s:n}", "id", id, "login", login, "node_id", node_id("O", id),
        "avatar_url",
        json_sprintf("https://avatars.githubusercontent.com/u/%" JSON_INTEGER_FORMAT "?v=4", id),
        "description");
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        json_object_set_new(shape, urls[i][0],
                            json_sprintf("%s/orgs/%s%s", fake->origin, login, urls[i][1]));
    }
    return shape;
}

json_t *shape_membership(struct fake *fake, json_t *organization, json_t *member) {
    const char *org = text_of(organization, "login"), *login = text_of(member, "login");
    return json_pack("{s:o, s:O, s:O, s:b, s:o, s:o, s:o}", "url",
                     json_sprintf("%s/orgs/%s/memberships/%s", fake->origin, org, login), "state",
                     json_object_get(member, "state"), "role", json_object_get(member, "role"),
                     "direct_membership", 1, "organization_url",
                     json_sprintf("%s/orgs/%s", fake->origin, org), "organization",
                     shape_organization(fake, organization), "user", shape_user(fake, login));
}

static json_t *shape_reactions(const struct fake *fake, const char *path, const json_t *subject) {
    static const char *const contents[] = {"+1",    "-1",     "laugh",  "confused",
                                           "heart", "hooray", "rocket", "eyes"};
    const json_t *list = json_object_get(subject, "reactions");
    json_t *shape =
        json_pack("{s:o, s:i}", "url", json_sprintf("%s%s/reactions", fake->origin, path),
                  "total_count", (int)json_array_size(list));
    for (size_t c = 0; c < sizeof contents / sizeof *contents; c++) {
        int count = 0;
        size_t i;
        json_t *reaction;
        json_array_foreach(list, i, reaction) {
            count += strcmp(text_of(reaction, "content"), contents[c]) == 0;
        }
        json_object_set_new(shape, contents[c], json_integer(count));
    }
    return shape;
}

static size_t count_comments(const json_t *repository, json_int_t number) {
    size_t count = 0, i;
    json_t *comment;
    json_array_foreach(json_object_get(repository, "comments"), i, comment) {
        count += number_of(comment, "issue") == number;
    }
    return count;
}

json_int_t name_id(const char *name) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

json_t *shape_label(struct fake *fake, json_t *repository, const char *name) {
    const json_t *label = list_find(json_object_get(repository, "labels"), "name", name);
    const char *color = text_of(label, "color");
    json_int_t id = name_id(name);
    return json_pack(
        "{s:I, s:o, s:o, s:s, s:s, s:b, s:s?}", "id", id, "node_id", node_id("LA", id), "url",
        json_sprintf("%s/repos/%s/labels/%s", fake->origin, text_of(repository, "full_name"), name),
        "name", name, "color", color ? color : "ededed", "default", 0, "description",
        text_of(label, "description"));
}

json_t *shape_labels(struct fake *fake, json_t *repository, const json_t *issue) {
    json_t *shapes = json_array(), *name;
    size_t i;
    json_array_foreach(json_object_get(issue, "labels"), i, name) {
        json_array_append_new(shapes, shape_label(fake, repository, json_string_value(name)));
    }
    return shapes;
}

static int count_of_milestone(const json_t *repository, json_int_t number, const char *state) {
    int count = 0;
    size_t i;
    json_t *issue;
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        count +=
            number_of(issue, "milestone") == number && strcmp(text_of(issue, "state"), state) == 0;
    }
    return count;
}

json_t *shape_milestone(struct fake *fake, json_t *repository, json_t *milestone) {
    static const char *const same[] = {"id",         "number",      "title",
                                       "state",      "description", "created_at",
                                       "updated_at", "closed_at",   "due_on"};
    const char *full_name = text_of(repository, "full_name");
    json_int_t number = number_of(milestone, "number");
    json_t *url = json_sprintf("%s/repos/%s/milestones/%" JSON_INTEGER_FORMAT, fake->origin,
                               full_name, number);
    json_t *shape = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:i, s:i}", "labels_url",
        json_sprintf("%s/labels", json_string_value(url)), "url", url, "html_url",
        json_sprintf("https://github.com/%s/milestone/%" JSON_INTEGER_FORMAT, full_name, number),
        "node_id", node_id("MI", number_of(milestone, "id")), "creator",
        shape_user(fake, text_of(milestone, "creator")), "open_issues",
        count_of_milestone(repository, number, "open"), "closed_issues",
        count_of_milestone(repository, number, "closed"));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(shape, same[i], json_object_get(milestone, same[i]));
    }
    return shape;
}

static void put_assignees(struct fake *fake, const json_t *issue, json_t *shape) {
    json_t *people = json_array(), *login;
    size_t i;
    json_array_foreach(json_object_get(issue, "assignees"), i, login) {
        json_array_append_new(people, shape_user(fake, json_string_value(login)));
    }
    json_t *first = json_array_get(people, 0);
    json_object_set(shape, "assignee", first ? first : json_null());
    json_object_set_new(shape, "assignees", people);
}

json_t *shape_issue(struct fake *fake, json_t *repository, json_t *issue) {
    const char *full_name = text_of(repository, "full_name");
    json_int_t number = number_of(issue, "number");
    bool is_pull = json_is_true(json_object_get(issue, "pull_request"));
    json_t *milestone = list_find_number(json_object_get(repository, "milestones"), "number",
                                         number_of(issue, "milestone"));
    char path[320], pull[320];
    snprintf(path, sizeof path, "/repos/%s/issues/%" JSON_INTEGER_FORMAT, full_name, number);
    snprintf(pull, sizeof pull, "/repos/%s/pulls/%" JSON_INTEGER_FORMAT, full_name, number);
    json_t *shape = json_pack(
        "{s:o, s:o, s:o, s:o, s:O, s:o, s:O, s:O, s:O, s:O, s:O, s:i, s:O, s:O, s:o, s:o, s:o}",
        "url", url_of(fake, path), "repository_url",
        json_sprintf("%s/repos/%s", fake->origin, full_name), "comments_url",
        json_sprintf("%s%s/comments", fake->origin, path), "html_url",
        json_sprintf("https://github.com/%s/%s/%" JSON_INTEGER_FORMAT, full_name,
                     is_pull ? "pull" : "issues", number),
        "id", json_object_get(issue, "id"), "node_id",
        node_id(is_pull ? "PR" : "I", number_of(issue, "id")), "number",
        json_object_get(issue, "number"), "title", json_object_get(issue, "title"), "body",
        json_object_get(issue, "body"), "state", json_object_get(issue, "state"), "locked",
        json_object_get(issue, "locked"), "comments", (int)count_comments(repository, number),
        "created_at", json_object_get(issue, "created_at"), "updated_at",
        json_object_get(issue, "updated_at"), "user", shape_user(fake, text_of(issue, "user")),
        "labels", shape_labels(fake, repository, issue), "reactions",
        shape_reactions(fake, path, issue));
    json_t *rest = json_pack("{s:o, s:o, s:o, s:O, s:O, s:s}", "labels_url",
                             json_sprintf("%s%s/labels{/name}", fake->origin, path), "events_url",
                             json_sprintf("%s%s/events", fake->origin, path), "milestone",
                             milestone ? shape_milestone(fake, repository, milestone) : json_null(),
                             "closed_at", json_object_get(issue, "closed_at"), "state_reason",
                             json_object_get(issue, "state_reason"), "author_association", "NONE");
    json_object_update(shape, rest);
    json_decref(rest);
    put_assignees(fake, issue, shape);
    if (is_pull) {
        const char *html = text_of(shape, "html_url");
        json_object_set_new(shape, "pull_request",
                            json_pack("{s:o, s:s, s:o, s:o, s:O}", "url", url_of(fake, pull),
                                      "html_url", html, "diff_url", json_sprintf("%s.diff", html),
                                      "patch_url", json_sprintf("%s.patch", html), "merged_at",
                                      json_object_get(issue, "merged_at")));
    }
    return shape;
}

/* The members that both kinds of comments have; `path` is the comment's own. */
static json_t *comment_object(struct fake *fake, const json_t *comment, const char *path,
                              const char *letter) {
    return json_pack(
        "{s:o, s:O, s:o, s:o, s:O, s:O, s:O, s:s, s:o}", "url", url_of(fake, path), "id",
        json_object_get(comment, "id"), "node_id", node_id(letter, number_of(comment, "id")),
        "user", shape_user(fake, text_of(comment, "user")), "body",
        json_object_get(comment, "body"), "created_at", json_object_get(comment, "created_at"),
        "updated_at", json_object_get(comment, "updated_at"), "author_association", "NONE",
        "reactions", shape_reactions(fake, path, comment));
}

json_t *shape_comment(struct fake *fake, json_t *repository, json_t *comment) {
    const char *full_name = text_of(repository, "full_name");
    json_int_t id = number_of(comment, "id"), issue = number_of(comment, "issue");
    char path[320];
    snprintf(path, sizeof path, "/repos/%s/issues/comments/%" JSON_INTEGER_FORMAT, full_name, id);
    json_t *shape = comment_object(fake, comment, path, "IC");
    json_object_set_new(shape, "html_url",
                        json_sprintf("https://github.com/%s/issues/%" JSON_INTEGER_FORMAT
                                     "#issuecomment-%" JSON_INTEGER_FORMAT,
                                     full_name, issue, id));
    json_object_set_new(
        shape, "issue_url",
        json_sprintf("%s/repos/%s/issues/%" JSON_INTEGER_FORMAT, fake->origin, full_name, issue));
    return shape;
}

json_t *shape_review_comment(struct fake *fake, json_t *repository, json_t *comment) {
    const char *full_name = text_of(repository, "full_name");
    json_int_t id = number_of(comment, "id"), pull = number_of(comment, "pull");
    char path[320];
    snprintf(path, sizeof path, "/repos/%s/pulls/comments/%" JSON_INTEGER_FORMAT, full_name, id);
    json_t *shape = comment_object(fake, comment, path, "PRRC");
    json_object_set_new(shape, "html_url",
                        json_sprintf("https://github.com/%s/pull/%" JSON_INTEGER_FORMAT
                                     "#discussion_r%" JSON_INTEGER_FORMAT,
                                     full_name, pull, id));
    json_object_set_new(
        shape, "pull_request_url",
        json_sprintf("%s/repos/%s/pulls/%" JSON_INTEGER_FORMAT, fake->origin, full_name, pull));
    static const char commit[] = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
    json_t *rest =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:{s:{s:O}, s:{s:O}, s:{s:O}}}",
                  "pull_request_review_id", 1, "diff_hunk", "@@ -1 +1 @@", "path", "README.md",
                  "commit_id", commit, "original_commit_id", commit, "_links", "self", "href",
                  json_object_get(shape, "url"), "html", "href", json_object_get(shape, "html_url"),
                  "pull_request", "href", json_object_get(shape, "pull_request_url"));
    json_object_update(shape, rest);
    json_decref(rest);
    json_t *first = json_object_get(comment, "in_reply_to_id");
    if (first) {
        json_object_set(shape, "in_reply_to_id", first);
    }
    return shape;
}

json_t *shape_reaction(struct fake *fake, json_t *reaction) {
    return json_pack("{s:O, s:o, s:o, s:O, s:O}", "id", json_object_get(reaction, "id"), "node_id",
                     node_id("REA", number_of(reaction, "id")), "user",
                     shape_user(fake, text_of(reaction, "user")), "content",
                     json_object_get(reaction, "content"), "created_at",
                     json_object_get(reaction, "created_at"));
}

/* ---- repositories ---- */

/* The URLs of a repository's parts: each is the member NAME_url. */
static const struct {
    const char *name, *path;
} repository_urls[] = {
    {"url", ""},
    {"archive_url", "/{archive_format}{/ref}"},
    {"assignees_url", "/assignees{/user}"},
    {"blobs_url", "/git/blobs{/sha}"},
    {"branches_url", "/branches{/branch}"},
    {"collaborators_url", "/collaborators{/collaborator}"},
    {"comments_url", "/comments{/number}"},
    {"commits_url", "/commits{/sha}"},
    {"compare_url", "/compare/{base}...{head}"},
    {"contents_url", "/contents/{+path}"},
    {"contributors_url", "/contributors"},
    {"deployments_url", "/deployments"},
    {"downloads_url", "/downloads"},
    {"events_url", "/events"},
    {"forks_url", "/forks"},
    {"git_commits_url", "/git/commits{/sha}"},
    {"git_refs_url", "/git/refs{/sha}"},
    {"git_tags_url", "/git/tags{/sha}"},
    {"hooks_url", "/hooks"},
    {"issue_comment_url", "/issues/comments{/number}"},
    {"issue_events_url", "/issues/events{/number}"},
    {"issues_url", "/issues{/number}"},
    {"keys_url", "/keys{/key_id}"},
    {"labels_url", "/labels{/name}"},
    {"languages_url", "/languages"},
    {"merges_url", "/merges"},
    {"milestones_url", "/milestones{/number}"},
    {"notifications_url", "/notifications{?since,all,participating}"},
    {"pulls_url", "/pulls{/number}"},
    {"releases_url", "/releases{/id}"},
    {"stargazers_url", "/stargazers"},
    {"statuses_url", "/statuses/{sha}"},
    {"subscribers_url", "/subscribers"},
    {"subscription_url", "/subscription"},
    {"tags_url", "/tags"},
    {"teams_url", "/teams"},
    {"trees_url", "/git/trees{/sha}"},
};

/* The members that the state does not have. */
static json_t *repository_constants(void) {
    json_t *shape =
        json_pack("{s:n, s:b, s:n, s:n, s:n, s:n, s:b, s:i, s:s, s:s, s:s}", "description", "fork",
                  0, "homepage", "language", "mirror_url", "license", "disabled", 0, "size", 0,
                  "pushed_at", "2025-01-01T00:00:00Z", "created_at", "2025-01-01T00:00:00Z",
                  "updated_at", "2025-01-01T00:00:00Z");
    static const char *const counts[] = {
        "forks",          "forks_count",   "stargazers_count", "watchers",
        "watchers_count", "network_count", "subscribers_count"};
    static const char *const has[] = {"has_issues", "has_projects",  "has_wiki",
                                      "has_pages",  "has_downloads", "has_discussions"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_object_set_new(shape, counts[i], json_integer(0));
    }
    for (size_t i = 0; i < sizeof has / sizeof *has; i++) {
        json_object_set_new(shape, has[i], json_boolean(i == 0));
    }
    return shape;
}

static size_t count_open(const json_t *repository) {
    size_t count = 0, i;
    json_t *issue;
    json_array_foreach(json_object_get(repository, "issues"), i, issue) {
        count += strcmp(text_of(issue, "state"), "open") == 0;
    }
    return count;
}

json_t *shape_account(struct fake *fake, const char *login) {
    const json_t *organization = list_find(state_list(fake, "organizations"), "login", login);
    return organization ? user_object(fake, text_of(organization, "login"),
                                      number_of(organization, "id"), "Organization")
                        : shape_user(fake, login);
}

json_t *shape_repository(struct fake *fake, json_t *repository) {
    const char *full_name = text_of(repository, "full_name");
    const char *name = strchr(full_name, '/') + 1;
    char owner[256];
    int open = (int)count_open(repository);
    snprintf(owner, sizeof owner, "%.*s", (int)(name - full_name - 1), full_name);
    json_t *shape = json_pack("{s:O, s:o, s:s, s:s, s:o, s:O, s:o, s:o, s:o, s:o, s:o, s:i, s:i}",
                              "id", json_object_get(repository, "id"), "node_id",
                              node_id("R", number_of(repository, "id")), "name", name, "full_name",
                              full_name, "owner", shape_account(fake, owner), "private",
                              json_object_get(repository, "private"), "html_url",
                              json_sprintf("https://github.com/%s", full_name), "clone_url",
                              json_sprintf("https://github.com/%s.git", full_name), "git_url",
                              json_sprintf("git://github.com/%s.git", full_name), "ssh_url",
                              json_sprintf("git@github.com:%s.git", full_name), "svn_url",
                              json_sprintf("https://github.com/%s", full_name), "open_issues", open,
                              "open_issues_count", open);
    json_t *constants = repository_constants();
    json_object_update(shape, constants);
    json_decref(constants);
    bool is_private = json_is_true(json_object_get(repository, "private"));
    json_object_set_new(shape, "topics", json_array());
    json_object_set_new(shape, "visibility", json_string(is_private ? "private" : "public"));
    json_object_set(shape, "archived", json_object_get(repository, "archived"));
    json_object_set(shape, "default_branch", json_object_get(repository, "default_branch"));
    for (size_t i = 0; i < sizeof repository_urls / sizeof *repository_urls; i++) {
        json_object_set_new(
            shape, repository_urls[i].name,
            json_sprintf("%s/repos/%s%s", fake->origin, full_name, repository_urls[i].path));
    }
    return shape;
}
