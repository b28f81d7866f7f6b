/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kinds of nodes: their letters, where the state has them, and their fields. */
#include "fake/graphql_nodes.h"

#include "fake/branches.h"
#include "fake/node_ids.h"
#include "fake/repositories.h"
#include "fake/shapes.h"
#include "fake/state.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NUMBER "%" JSON_INTEGER_FORMAT

static const struct kind {
    const char *type, *letters;
    /* The repository's list; NULL: it is elsewhere. */
    const char *list;
    /* The permission. */
    const char *name, *or_else;
} kinds[] = {{"Issue", "I", "issues", "issues", "pull_requests"},
             {"PullRequest", "PR", "issues", "pull_requests", "issues"},
             {"IssueComment", "IC", "comments", "issues", "pull_requests"},
             {"PullRequestReview", "PRR", NULL, "pull_requests", NULL},
             {"PullRequestReviewComment", "PRRC", "review_comments", "pull_requests", NULL},
             {"Discussion", "D", "discussions", "discussions", NULL},
             {"DiscussionComment", "DC", "discussion_comments", "discussions", NULL},
             {"Repository", "R", NULL, "metadata", NULL},
             {"Organization", "O", NULL, NULL, NULL},
             {"ProjectV2", "PVT", NULL, "organization_projects", NULL},
             {"ProjectV2Item", "PVTI", NULL, "organization_projects", NULL}};

static const struct kind *kind_of(const char *type) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, type) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

struct graphql_need graphql_node_need(const char *type) {
    const struct kind *kind = kind_of(type);
    return (struct graphql_need){kind ? kind->name : NULL, kind ? kind->or_else : NULL};
}

/* ---- by id ---- */

static bool is_pull(const json_t *item) {
    return json_is_true(json_object_get(item, "pull_request"));
}

static json_t *find_review(const json_t *repository, json_int_t id) {
    size_t i;
    json_t *pull;
    json_array_foreach(json_object_get(repository, "issues"), i, pull) {
        json_t *review = list_find_number(json_object_get(pull, "reviews"), "id", id);
        if (review) {
            return review;
        }
    }
    return NULL;
}

static json_t *find_in_repository(json_t *repository, const struct kind *kind, json_int_t id) {
    if (strcmp(kind->type, "Repository") == 0) {
        return number_of(repository, "id") == id ? repository : NULL;
    }
    if (strcmp(kind->type, "PullRequestReview") == 0) {
        return find_review(repository, id);
    }
    json_t *item =
        kind->list ? list_find_number(json_object_get(repository, kind->list), "id", id) : NULL;
    bool fits = strcmp(kind->list ? kind->list : "", "issues") != 0 ||
                is_pull(item) == (strcmp(kind->type, "PullRequest") == 0);
    return fits ? item : NULL;
}

/* A project's id may be any text of the state. */
static struct graphql_node find_in_organization(json_t *organization, const char *id) {
    struct graphql_node node = {.organization = organization};
    size_t i, k;
    json_t *project, *item;
    json_array_foreach(json_object_get(organization, "projects"), i, project) {
        node.item = project;
        node.type = "ProjectV2";
        if (strcmp(text_of(project, "id"), id) == 0) {
            return node;
        }
        node.type = "ProjectV2Item";
        json_array_foreach(json_object_get(project, "items"), k, item) {
            json_t *item_id = node_id("PVTI", number_of(item, "id"));
            bool found = strcmp(json_string_value(item_id), id) == 0;
            json_decref(item_id);
            if (found) {
                node.item = item;
                return node;
            }
        }
    }
    json_t *own = node_id("O", number_of(organization, "id"));
    bool is_own = strcmp(json_string_value(own), id) == 0;
    json_decref(own);
    return is_own ? (struct graphql_node){"Organization", organization, NULL, organization}
                  : (struct graphql_node){0};
}

static const struct kind *kind_of_letters(const char *letters) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].letters, letters) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

struct graphql_node graphql_node_find(const struct http_exchange *exchange, const char *id) {
    const char *account = text_of(exchange->caller.installation, "account");
    json_t *organization = list_find(state_list(exchange->fake, "organizations"), "login", account);
    struct graphql_node node = find_in_organization(organization, id);
    char letters[NODE_LETTERS_MAX];
    json_int_t number;
    size_t i;
    json_t *repository;
    const struct kind *kind =
        !node.type && node_id_read(id, letters, &number) ? kind_of_letters(letters) : NULL;
    json_array_foreach(state_list(exchange->fake, "repositories"), i, repository) {
        json_t *item = kind && repository_is_reached(exchange, repository)
                           ? find_in_repository(repository, kind, number)
                           : NULL;
        if (item) {
            return (struct graphql_node){kind->type, item, repository, organization};
        }
    }
    return node;
}

json_t *graphql_node_id(const struct graphql_node *node) {
    json_t *id = json_object_get(node->item, "id");
    return json_is_string(id) ? json_incref(id)
                              : node_id(kind_of(node->type)->letters, json_integer_value(id));
}

/* ---- objects ---- */

static json_t *actor(const struct http_exchange *exchange, const char *login) {
    json_t *user = shape_user(exchange->fake, login);
    if (!json_is_object(user)) {
        return user;
    }
    json_t *object =
        json_pack("{s:O, s:O, s:O, s:O, s:O}", "__typename", json_object_get(user, "type"), "id",
                  json_object_get(user, "node_id"), "login", json_object_get(user, "login"), "url",
                  json_object_get(user, "html_url"), "databaseId", json_object_get(user, "id"));
    json_decref(user);
    return object;
}

static void put_text_of(const struct http_exchange *exchange, const struct graphql_node *node,
                        json_t *object) {
    const char *body = text_of(node->item, "body"), *made = text_of(node->item, "created_at");
    const char *changed = text_of(node->item, "updated_at");
    made = made ? made : text_of(node->item, "submitted_at");
    json_object_set_new(object, "body", json_string(body ? body : ""));
    json_object_set_new(object, "author", actor(exchange, text_of(node->item, "user")));
    json_object_set_new(object, "createdAt", json_string(made));
    json_object_set_new(object, "updatedAt", json_string(changed ? changed : made));
}

static void put_number_of(const struct graphql_node *node, const char *part, json_t *object) {
    static const char *const same[] = {"number", "title", "locked"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_object_set(object, same[i], json_object_get(node->item, same[i]));
    }
    json_object_set_new(object, "url",
                        json_sprintf("https://github.com/%s/%s/" NUMBER,
                                     text_of(node->repository, "full_name"), part,
                                     number_of(node->item, "number")));
}

static void put_state(const struct graphql_node *node, json_t *object) {
    bool merged = json_is_string(json_object_get(node->item, "merged_at"));
    bool closed = strcmp(text_of(node->item, "state"), "open") != 0;
    const char *open_or_closed = closed ? "CLOSED" : "OPEN";
    json_object_set_new(object, "closed", json_boolean(closed));
    json_object_set_new(object, "state", json_string(merged ? "MERGED" : open_or_closed));
    if (is_pull(node->item)) {
        const json_t *head = json_object_get(node->item, "head");
        const json_t *base = json_object_get(node->item, "base");
        json_t *pull = json_pack(
            "{s:b, s:O, s:O, s:O, s:O, s:O}", "merged", merged, "isDraft",
            json_object_get(node->item, "draft"), "headRefName", json_object_get(head, "ref"),
            "headRefOid", json_object_get(head, "sha"), "baseRefName", json_object_get(base, "ref"),
            "baseRefOid", json_object_get(base, "sha"));
        json_object_update(object, pull);
        json_decref(pull);
    }
}

static void put_item(const struct http_exchange *exchange, const struct graphql_node *node,
                     json_t *object) {
    put_text_of(exchange, node, object);
    put_number_of(node, is_pull(node->item) ? "pull" : "issues", object);
    put_state(node, object);
}

static void put_comment(const struct http_exchange *exchange, const struct graphql_node *node,
                        json_t *object) {
    json_int_t pull = number_of(node->item, "pull"), issue = number_of(node->item, "issue");
    put_text_of(exchange, node, object);
    json_object_set_new(object, "url",
                        json_sprintf("https://github.com/%s/%s/" NUMBER "#comment-" NUMBER,
                                     text_of(node->repository, "full_name"),
                                     pull ? "pull" : "issues", pull ? pull : issue,
                                     number_of(node->item, "id")));
}

/* The category is made of its name. */
static void put_discussion(const struct http_exchange *exchange, const struct graphql_node *node,
                           json_t *object) {
    const char *name = text_of(node->item, "category");
    char slug[64];
    put_text_of(exchange, node, object);
    put_number_of(node, "discussions", object);
    snprintf(slug, sizeof slug, "%s", name);
    for (char *at = slug; *at; at++) {
        *at = *at == ' ' ? '-' : (char)tolower((unsigned char)*at);
    }
    json_object_set_new(object, "category",
                        json_pack("{s:s, s:o, s:s, s:s, s:s, s:b}", "__typename",
                                  "DiscussionCategory", "id", node_id("DIC", name_id(name)), "name",
                                  name, "slug", slug, "emoji", ":speech_balloon:", "isAnswerable",
                                  0));
}

static void put_discussion_comment(const struct http_exchange *exchange,
                                   const struct graphql_node *node, json_t *object) {
    json_int_t discussion = number_of(node->item, "discussion");
    put_text_of(exchange, node, object);
    json_object_set_new(object, "isAnswer", json_false());
    json_object_set(object, "_discussion", json_object_get(node->item, "discussion"));
    json_object_set(object, "_reply_to", json_object_get(node->item, "reply_to"));
    json_object_set_new(object, "url",
                        json_sprintf("https://github.com/%s/discussions/" NUMBER
                                     "#discussioncomment-" NUMBER,
                                     text_of(node->repository, "full_name"), discussion,
                                     number_of(node->item, "id")));
}

static void put_repository(const struct http_exchange *exchange, const struct graphql_node *node,
                           json_t *object) {
    const char *full_name = text_of(node->item, "full_name");
    const char *branch = text_of(node->item, "default_branch");
    json_t *more =
        json_pack("{s:s, s:s, s:O, s:O, s:o, s:o}", "name", strchr(full_name, '/') + 1,
                  "nameWithOwner", full_name, "isArchived", json_object_get(node->item, "archived"),
                  "isPrivate", json_object_get(node->item, "private"), "url",
                  json_sprintf("https://github.com/%s", full_name), "defaultBranchRef",
                  graphql_ref_object(node->item, branch));
    json_object_update(object, more);
    json_decref(more);
}

static void put_organization(const struct http_exchange *exchange, const struct graphql_node *node,
                             json_t *object) {
    const char *login = text_of(node->item, "login");
    json_object_set_new(object, "login", json_string(login));
    json_object_set_new(object, "url", json_sprintf("https://github.com/%s", login));
}

static void put_project(const struct http_exchange *exchange, const struct graphql_node *node,
                        json_t *object) {
    json_object_set(object, "number", json_object_get(node->item, "number"));
    json_object_set(object, "title", json_object_get(node->item, "title"));
    json_object_set_new(object, "closed", json_false());
    json_object_set_new(object, "url",
                        json_sprintf("https://github.com/orgs/%s/projects/" NUMBER,
                                     text_of(node->organization, "login"),
                                     number_of(node->item, "number")));
}

static void put_project_item(const struct http_exchange *exchange, const struct graphql_node *node,
                             json_t *object) {
    json_t *repository = list_find(state_list(exchange->fake, "repositories"), "full_name",
                                   text_of(node->item, "repository"));
    json_t *item = list_find_number(json_object_get(repository, "issues"), "number",
                                    number_of(node->item, "number"));
    struct graphql_node content = {is_pull(item) ? "PullRequest" : "Issue", item, repository, NULL};
    json_object_set_new(object, "type", json_string(is_pull(item) ? "PULL_REQUEST" : "ISSUE"));
    json_object_set_new(object, "isArchived", json_false());
    json_object_set(object, "createdAt", json_object_get(node->item, "created_at"));
    json_object_set_new(object, "content",
                        item && repository_is_reached(exchange, repository)
                            ? graphql_node_object(exchange, &content)
                            : json_null());
}

json_t *graphql_node_object(const struct http_exchange *exchange, const struct graphql_node *node) {
    static const struct {
        const char *type;
        void (*put)(const struct http_exchange *, const struct graphql_node *, json_t *);
    } types[] = {{"Issue", put_item},
                 {"PullRequest", put_item},
                 {"IssueComment", put_comment},
                 {"PullRequestReview", put_comment},
                 {"PullRequestReviewComment", put_comment},
                 {"Discussion", put_discussion},
                 {"DiscussionComment", put_discussion_comment},
                 {"Repository", put_repository},
                 {"Organization", put_organization},
                 {"ProjectV2", put_project},
                 {"ProjectV2Item", put_project_item}};
    json_t *object =
        json_pack("{s:s, s:o, s:s*}", "__typename", node->type, "id", graphql_node_id(node),
                  "_repository", text_of(node->repository, "full_name"));
    if (json_is_integer(json_object_get(node->item, "id"))) {
        json_object_set(object, "databaseId", json_object_get(node->item, "id"));
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].type, node->type) == 0) {
            types[i].put(exchange, node, object);
        }
    }
    return object;
}

/* ---- commits and branches ---- */

json_t *graphql_commit_object(const json_t *repository, const char *sha) {
    const json_t *commit = list_find(json_object_get(repository, "commits"), "sha", sha);
    const char *message = text_of(commit, "message");
    const char *date = text_of(json_object_get(commit, "author"), "date");
    message = message ? message : "A commit";
    size_t headline = strcspn(message, "\n");
    const char *body = message + headline + strspn(message + headline, "\n");
    json_t *parents = json_object_get(commit, "parents");
    return json_pack(
        "{s:s, s:o, s:s, s:s%, s:s, s:s%, s:s, s:o, s:s, s:s, s:o}", "__typename", "Commit", "id",
        json_sprintf("C_%s", sha), "oid", sha, "abbreviatedOid", sha,
        strlen(sha) < 7 ? strlen(sha) : (size_t)7, "message", message, "messageHeadline", message,
        headline, "messageBody", body, "url",
        json_sprintf("https://github.com/%s/commit/%s", text_of(repository, "full_name"), sha),
        "committedDate", date ? date : "2025-01-01T00:00:00Z", "_repository",
        text_of(repository, "full_name"), "_parents",
        parents ? json_incref(parents) : json_array());
}

json_t *graphql_ref_object(const json_t *repository, const char *name) {
    const char *plain = branch_name(name), *sha = branch_head(repository, plain);
    char whole[400];
    if (!sha) {
        return json_null();
    }
    snprintf(whole, sizeof whole, "%s:%s", text_of(repository, "full_name"), plain);
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:s}", "__typename", "Ref", "id",
                     node_id("REF", name_id(whole)), "name", plain, "prefix", "refs/heads/",
                     "target", graphql_commit_object(repository, sha), "_repository",
                     text_of(repository, "full_name"));
}
