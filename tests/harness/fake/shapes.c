/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the state holds, in the shape that GitHub's answers have. */
#include "fake/internal.h"

#include <string.h>

static json_t *url_of(const struct fake *fake, const char *rest) {
    return json_sprintf("%s%s", fake->origin, rest);
}

static json_t *node_id(const char *letter, json_int_t id) {
    return json_sprintf("FAKE_%s_%" JSON_INTEGER_FORMAT, letter, id);
}

json_t *app_login(const struct fake *fake) {
    return json_sprintf("%s[bot]", fake->app_slug);
}

static json_t *user_object(const struct fake *fake, const char *login, json_int_t id,
                           const char *type) {
    const char *origin = fake->origin;
    return json_pack(
        "{s:s, s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b}", "login", login, "id",
        id, "node_id", node_id("U", id), "avatar_url",
        json_sprintf("https://avatars.githubusercontent.com/u/%" JSON_INTEGER_FORMAT "?v=4", id),
        "gravatar_id", "", "url", json_sprintf("%s/users/%s", origin, login), "html_url",
        json_sprintf("https://github.com/%s", login), "organizations_url",
        json_sprintf("%s/users/%s/orgs", origin, login), "repos_url",
        json_sprintf("%s/users/%s/repos", origin, login), "followers_url",
        json_sprintf("%s/users/%s/followers", origin, login), "events_url",
        json_sprintf("%s/users/%s/events{/privacy}", origin, login), "type", type, "site_admin", 0);
}

json_t *shape_user(struct fake *fake, const char *login) {
    if (!login) {
        return json_null(); /* a deleted account */
    }
    json_t *bot = app_login(fake);
    bool is_bot = strcmp(json_string_value(bot), login) == 0;
    json_decref(bot);
    if (is_bot) {
        return user_object(fake, login, (json_int_t)fake->app_id, "Bot");
    }
    json_t *user = list_find(state_list(fake, "users"), "login", login);
    return user ? user_object(fake, text_of(user, "login"), number_of(user, "id"),
                              text_of(user, "type"))
                : user_object(fake, login, 0, "User");
}

json_t *shape_membership(struct fake *fake, json_t *organization, json_t *member) {
    const char *org = text_of(organization, "login"), *login = text_of(member, "login");
    json_int_t id = number_of(organization, "id");
    json_t *shape =
        json_pack("{s:I, s:s, s:o, s:o}", "id", id, "login", org, "node_id", node_id("O", id),
                  "url", json_sprintf("%s/orgs/%s", fake->origin, org));
    return json_pack("{s:o, s:O, s:O, s:b, s:o, s:o, s:o}", "url",
                     json_sprintf("%s/orgs/%s/memberships/%s", fake->origin, org, login), "state",
                     json_object_get(member, "state"), "role", json_object_get(member, "role"),
                     "direct_membership", 1, "organization_url",
                     json_sprintf("%s/orgs/%s", fake->origin, org), "organization", shape, "user",
                     shape_user(fake, login));
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
        (void)json_object_set_new(shape, contents[c], json_integer(count));
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

json_t *shape_labels(struct fake *fake, json_t *repository, const json_t *issue) {
    json_t *shapes = json_array(), *name;
    size_t i;
    json_array_foreach(json_object_get(issue, "labels"), i, name) {
        (void)json_array_append_new(
            shapes,
            json_pack("{s:o, s:O, s:s, s:b, s:n}", "url",
                      json_sprintf("%s/repos/%s/labels/%s", fake->origin,
                                   text_of(repository, "full_name"), json_string_value(name)),
                      "name", name, "color", "ededed", "default", 0, "description"));
    }
    return shapes;
}

json_t *shape_issue(struct fake *fake, json_t *repository, json_t *issue) {
    const char *full_name = text_of(repository, "full_name");
    json_int_t number = number_of(issue, "number");
    bool is_pull = json_is_true(json_object_get(issue, "pull_request"));
    char path[320], pull[320];
    (void)snprintf(path, sizeof path, "/repos/%s/issues/%" JSON_INTEGER_FORMAT, full_name, number);
    (void)snprintf(pull, sizeof pull, "/repos/%s/pulls/%" JSON_INTEGER_FORMAT, full_name, number);
    json_t *shape = json_pack(
        "{s:o, s:o, s:o, s:o, s:O, s:o, s:O, s:O, s:O, s:O, s:O, s:i, s:O, s:O, s:o, s:o, s:o}",
        "url", url_of(fake, path), "repository_url",
        json_sprintf("%s/repos/%s", fake->origin, full_name), "comments_url",
        json_sprintf("%s%s/comments", fake->origin, path), "html_url",
        json_sprintf("https://github.com/%s/%s/%" JSON_INTEGER_FORMAT, full_name,
                     is_pull ? "pull" : "issues", number),
        "id", json_object_get(issue, "id"), "node_id", node_id("I", number_of(issue, "id")),
        "number", json_object_get(issue, "number"), "title", json_object_get(issue, "title"),
        "body", json_object_get(issue, "body"), "state", json_object_get(issue, "state"), "locked",
        json_object_get(issue, "locked"), "comments", (int)count_comments(repository, number),
        "created_at", json_object_get(issue, "created_at"), "updated_at",
        json_object_get(issue, "created_at"), "user", shape_user(fake, text_of(issue, "user")),
        "labels", shape_labels(fake, repository, issue), "reactions",
        shape_reactions(fake, path, issue));
    if (is_pull) {
        (void)json_object_set_new(shape, "pull_request",
                                  json_pack("{s:o, s:O}", "url", url_of(fake, pull), "merged_at",
                                            json_object_get(issue, "merged_at")));
    }
    return shape;
}

/* What both kinds of comments have; `path` is the comment's own. */
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
    (void)snprintf(path, sizeof path, "/repos/%s/issues/comments/%" JSON_INTEGER_FORMAT, full_name,
                   id);
    json_t *shape = comment_object(fake, comment, path, "IC");
    (void)json_object_set_new(shape, "html_url",
                              json_sprintf("https://github.com/%s/issues/%" JSON_INTEGER_FORMAT
                                           "#issuecomment-%" JSON_INTEGER_FORMAT,
                                           full_name, issue, id));
    (void)json_object_set_new(
        shape, "issue_url",
        json_sprintf("%s/repos/%s/issues/%" JSON_INTEGER_FORMAT, fake->origin, full_name, issue));
    return shape;
}

json_t *shape_review_comment(struct fake *fake, json_t *repository, json_t *comment) {
    const char *full_name = text_of(repository, "full_name");
    json_int_t id = number_of(comment, "id"), pull = number_of(comment, "pull");
    char path[320];
    (void)snprintf(path, sizeof path, "/repos/%s/pulls/comments/%" JSON_INTEGER_FORMAT, full_name,
                   id);
    json_t *shape = comment_object(fake, comment, path, "PRRC");
    (void)json_object_set_new(shape, "html_url",
                              json_sprintf("https://github.com/%s/pull/%" JSON_INTEGER_FORMAT
                                           "#discussion_r%" JSON_INTEGER_FORMAT,
                                           full_name, pull, id));
    (void)json_object_set_new(
        shape, "pull_request_url",
        json_sprintf("%s/repos/%s/pulls/%" JSON_INTEGER_FORMAT, fake->origin, full_name, pull));
    json_t *first = json_object_get(comment, "in_reply_to_id");
    if (first) {
        (void)json_object_set(shape, "in_reply_to_id", first);
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
