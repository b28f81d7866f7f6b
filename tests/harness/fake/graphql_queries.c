/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fields that find something: organizations, repositories, items, and pages of connections. */
#include "fake/graphql_calls.h"

#include "fake/permissions.h"
#include "fake/repositories.h"
#include "fake/state.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define NUMBER "%" JSON_INTEGER_FORMAT
#define RECORDS_MAX 100

/* ---- errors ---- */

json_t *graphql_fail(struct graphql_call *call, const char *type, const char *format, ...) {
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    json_t *more = json_pack("{s:s}", "type", type);
    if (strcmp(type, "FORBIDDEN") == 0) {
        json_object_set_new(more, "extensions", json_pack("{s:b}", "saml_failure", 0));
    }
    graphql_error(call->context, message, json_object_get(call->field, "at"), json_copy(call->path),
                  more);
    return NULL;
}

bool graphql_may(struct graphql_call *call, struct graphql_need need, const char *level) {
    const json_t *granted = call->exchange->caller.permissions;
    if (!need.name || permission_covers(granted, need.name, level) ||
        (need.or_else && permission_covers(granted, need.or_else, level))) {
        return true;
    }
    graphql_fail(call, "FORBIDDEN", "Resource not accessible by integration");
    return false;
}

struct graphql_node graphql_node_of(struct graphql_call *call, const char *id, const char *type,
                                    const char *level) {
    static const struct graphql_node none = {0};
    struct graphql_node node = graphql_node_find(call->exchange, id);
    if (!node.type) {
        graphql_fail(call, "NOT_FOUND", "Could not resolve to a node with the global id of '%s'",
                     id);
        return none;
    }
    if (type && strcmp(type, node.type) != 0) {
        graphql_fail(call, "NOT_FOUND", "Could not resolve to %s node with the global id of '%s'",
                     type, id);
        return none;
    }
    return graphql_may(call, graphql_node_need(node.type), level) ? node : none;
}

json_t *graphql_repository_of(struct graphql_call *call, const char *full_name) {
    json_t *repository =
        list_find(state_list(call->exchange->fake, "repositories"), "full_name", full_name);
    if (repository && repository_is_reached(call->exchange, repository)) {
        return repository;
    }
    graphql_fail(call, "NOT_FOUND", "Could not resolve to a Repository with the name '%s'.",
                 full_name);
    return NULL;
}

/* ---- the roots ---- */

static json_t *find_node(struct graphql_call *call) {
    struct graphql_node node = graphql_node_of(call, text_of(call->arguments, "id"), NULL, "read");
    return node.type ? graphql_node_object(call->exchange, &node) : NULL;
}

static json_t *find_organization(struct graphql_call *call) {
    const char *login = text_of(call->arguments, "login");
    const char *account = text_of(call->exchange->caller.installation, "account");
    json_t *organization =
        list_find(state_list(call->exchange->fake, "organizations"), "login", login);
    if (!organization || strcasecmp(login, account) != 0) {
        return graphql_fail(call, "NOT_FOUND",
                            "Could not resolve to an Organization with the login of '%s'.", login);
    }
    struct graphql_node node = {"Organization", organization, NULL, organization};
    return graphql_node_object(call->exchange, &node);
}

static json_t *repository_object(struct graphql_call *call, json_t *repository) {
    struct graphql_node node = {"Repository", repository, repository, NULL};
    return graphql_node_object(call->exchange, &node);
}

static json_t *find_repository(struct graphql_call *call) {
    json_t *name =
        json_sprintf("%s/%s", text_of(call->arguments, "owner"), text_of(call->arguments, "name"));
    json_t *repository = graphql_repository_of(call, json_string_value(name));
    json_decref(name);
    return repository ? repository_object(call, repository) : NULL;
}

/* ---- below them ---- */

/* The repository of the object, which the token reaches. */
static json_t *own_repository(const struct graphql_call *call) {
    return list_find(state_list(call->exchange->fake, "repositories"), "full_name",
                     text_of(call->object, "_repository"));
}

static json_t *find_repository_of_item(struct graphql_call *call) {
    return repository_object(call, own_repository(call));
}

/* An item of the repository's list by its number. "" as the type: an issue or a pull request. */
static json_t *find_item(struct graphql_call *call, const char *list, const char *type) {
    json_int_t number = number_of(call->arguments, "number");
    json_t *repository = own_repository(call);
    json_t *item = list_find_number(json_object_get(repository, list), "number", number);
    bool is_pull = json_is_true(json_object_get(item, "pull_request"));
    const char *of_issues = is_pull ? "PullRequest" : "Issue";
    struct graphql_node node = {strcmp(list, "issues") == 0 ? of_issues : type, item, repository,
                                NULL};
    if (!item || (*type && strcmp(type, node.type) != 0)) {
        return graphql_fail(
            call, "NOT_FOUND", "Could not resolve to %s%s with the number of " NUMBER ".",
            *type == 'I' ? "an " : "a ", *type ? type : "issue or pull request", number);
    }
    return graphql_may(call, graphql_node_need(node.type), "read")
               ? graphql_node_object(call->exchange, &node)
               : NULL;
}

static json_t *find_issue(struct graphql_call *call) {
    return find_item(call, "issues", "Issue");
}

static json_t *find_pull(struct graphql_call *call) {
    return find_item(call, "issues", "PullRequest");
}

static json_t *find_issue_or_pull(struct graphql_call *call) {
    return find_item(call, "issues", "");
}

static json_t *find_discussion(struct graphql_call *call) {
    return find_item(call, "discussions", "Discussion");
}

static json_t *find_ref(struct graphql_call *call) {
    return graphql_ref_object(own_repository(call), text_of(call->arguments, "qualifiedName"));
}

/* ---- projects ---- */

static json_t *own_organization(const struct graphql_call *call) {
    return list_find(state_list(call->exchange->fake, "organizations"), "login",
                     text_of(call->exchange->caller.installation, "account"));
}

static json_t *find_project(struct graphql_call *call) {
    json_int_t number = number_of(call->arguments, "number");
    json_t *organization = own_organization(call);
    struct graphql_node node = {
        "ProjectV2", list_find_number(json_object_get(organization, "projects"), "number", number),
        NULL, organization};
    if (!graphql_may(call, graphql_node_need("ProjectV2"), "read")) {
        return NULL;
    }
    return node.item ? graphql_node_object(call->exchange, &node)
                     : graphql_fail(call, "NOT_FOUND",
                                    "Could not resolve to a ProjectV2 with the number " NUMBER ".",
                                    number);
}

static json_t *find_project_of_item(struct graphql_call *call) {
    size_t i;
    json_t *project, *organization = own_organization(call);
    json_array_foreach(json_object_get(organization, "projects"), i, project) {
        if (list_find_number(json_object_get(project, "items"), "id",
                             number_of(call->object, "databaseId"))) {
            struct graphql_node node = {"ProjectV2", project, NULL, organization};
            return graphql_node_object(call->exchange, &node);
        }
    }
    return NULL;
}

/* ---- connections ---- */

/* The place behind or before which a page is; -1: there is none. A cursor is "c" and a place. */
static json_int_t cursor(const struct graphql_call *call, const char *name) {
    const char *text = text_of(call->arguments, name);
    return text && *text == 'c' ? strtoll(text + 1, NULL, 10) : -1;
}

/* False when it added an error. */
static bool page_is_bounded(struct graphql_call *call) {
    const json_t *first = json_object_get(call->arguments, "first");
    const json_t *last = json_object_get(call->arguments, "last");
    const char *name = text_of(call->field, "field");
    if (!json_is_integer(first) && !json_is_integer(last)) {
        graphql_fail(call, "MISSING_PAGINATION_BOUNDARIES",
                     "You must provide a `first` or `last` value to properly paginate the `%s` "
                     "connection.",
                     name);
        return false;
    }
    json_int_t records = json_integer_value(json_is_integer(first) ? first : last);
    if (records > RECORDS_MAX) {
        graphql_fail(call, "EXCESSIVE_PAGINATION",
                     "Requesting " NUMBER " records on the `%s` connection exceeds the `%s` limit "
                     "of 100 records.",
                     records, name, json_is_integer(first) ? "first" : "last");
    }
    return records <= RECORDS_MAX;
}

/* A page of `all`, which it steals. */
static json_t *connection(struct graphql_call *call, const char *type, json_t *all) {
    json_int_t size = (json_int_t)json_array_size(all), from = cursor(call, "after") + 1;
    json_int_t before = cursor(call, "before"), to = before >= 0 && before < size ? before : size;
    if (!page_is_bounded(call)) {
        json_decref(all);
        return NULL;
    }
    if (json_is_integer(json_object_get(call->arguments, "first"))) {
        json_int_t first = number_of(call->arguments, "first");
        to = from + first < to ? from + first : to;
    } else {
        json_int_t last = number_of(call->arguments, "last");
        from = to - last > from ? to - last : from;
    }
    json_t *nodes = json_array();
    for (json_int_t i = from; i < to; i++) {
        json_array_append(nodes, json_array_get(all, (size_t)i));
    }
    json_decref(all);
    bool any = json_array_size(nodes) > 0;
    return json_pack("{s:s, s:o, s:I, s:{s:s, s:b, s:b, s:o, s:o}}", "__typename", type, "nodes",
                     nodes, "totalCount", size, "pageInfo", "__typename", "PageInfo", "hasNextPage",
                     to<size, "hasPreviousPage", from> 0, "startCursor",
                     any ? json_sprintf("c" NUMBER, from) : json_null(), "endCursor",
                     any ? json_sprintf("c" NUMBER, to - 1) : json_null());
}

/* The comments of a discussion: those at the top, or the replies to one. */
static json_t *list_comments(struct graphql_call *call, json_int_t discussion,
                             json_int_t reply_to) {
    json_t *repository = own_repository(call), *all = json_array(), *comment;
    size_t i;
    json_array_foreach(json_object_get(repository, "discussion_comments"), i, comment) {
        if (number_of(comment, "discussion") == discussion &&
            number_of(comment, "reply_to") == reply_to) {
            struct graphql_node node = {"DiscussionComment", comment, repository, NULL};
            json_array_append_new(all, graphql_node_object(call->exchange, &node));
        }
    }
    return connection(call, "DiscussionCommentConnection", all);
}

static json_t *list_comments_of_discussion(struct graphql_call *call) {
    return list_comments(call, number_of(call->object, "number"), 0);
}

static json_t *list_replies(struct graphql_call *call) {
    return list_comments(call, number_of(call->object, "_discussion"),
                         number_of(call->object, "databaseId"));
}

static json_t *find_comments_discussion(struct graphql_call *call) {
    json_t *repository = own_repository(call);
    json_t *item = list_find_number(json_object_get(repository, "discussions"), "number",
                                    number_of(call->object, "_discussion"));
    struct graphql_node node = {"Discussion", item, repository, NULL};
    return item ? graphql_node_object(call->exchange, &node) : NULL;
}

static json_t *find_replied_comment(struct graphql_call *call) {
    json_t *repository = own_repository(call);
    json_t *item = list_find_number(json_object_get(repository, "discussion_comments"), "id",
                                    number_of(call->object, "_reply_to"));
    struct graphql_node node = {"DiscussionComment", item, repository, NULL};
    return item ? graphql_node_object(call->exchange, &node) : NULL;
}

static json_t *list_project_items(struct graphql_call *call) {
    json_t *organization = own_organization(call), *all = json_array(), *item;
    json_t *project = list_find_number(json_object_get(organization, "projects"), "number",
                                       number_of(call->object, "number"));
    size_t i;
    json_array_foreach(json_object_get(project, "items"), i, item) {
        struct graphql_node node = {"ProjectV2Item", item, NULL, organization};
        json_array_append_new(all, graphql_node_object(call->exchange, &node));
    }
    return connection(call, "ProjectV2ItemConnection", all);
}

static json_t *list_parents(struct graphql_call *call) {
    json_t *all = json_array(), *sha;
    size_t i;
    json_array_foreach(json_object_get(call->object, "_parents"), i, sha) {
        json_array_append_new(all,
                              graphql_commit_object(own_repository(call), json_string_value(sha)));
    }
    return connection(call, "CommitConnection", all);
}

/* The commit and its first ancestors, newest first. */
static json_t *list_history(struct graphql_call *call) {
    json_t *all = json_array(), *commit = json_deep_copy(call->object);
    while (commit) {
        const char *parent =
            json_string_value(json_array_get(json_object_get(commit, "_parents"), 0));
        json_array_append_new(all, commit);
        commit = parent ? graphql_commit_object(own_repository(call), parent) : NULL;
    }
    return connection(call, "CommitHistoryConnection", all);
}

/* ---- all ---- */

static const struct resolver {
    const char *type, *field;
    json_t *(*resolve)(struct graphql_call *call);
} resolvers[] = {{"Query", "node", find_node},
                 {"Query", "organization", find_organization},
                 {"Query", "repository", find_repository},
                 {"Organization", "projectV2", find_project},
                 {"ProjectV2", "items", list_project_items},
                 {"ProjectV2Item", "project", find_project_of_item},
                 {"Repository", "issue", find_issue},
                 {"Repository", "pullRequest", find_pull},
                 {"Repository", "issueOrPullRequest", find_issue_or_pull},
                 {"Repository", "discussion", find_discussion},
                 {"Repository", "ref", find_ref},
                 {"Issue", "repository", find_repository_of_item},
                 {"PullRequest", "repository", find_repository_of_item},
                 {"Discussion", "repository", find_repository_of_item},
                 {"Discussion", "comments", list_comments_of_discussion},
                 {"DiscussionComment", "replies", list_replies},
                 {"DiscussionComment", "discussion", find_comments_discussion},
                 {"DiscussionComment", "replyTo", find_replied_comment},
                 {"Commit", "history", list_history},
                 {"Commit", "parents", list_parents}};

json_t *graphql_query(struct graphql_call *call) {
    const char *type = text_of(call->object, "__typename"), *field = text_of(call->field, "field");
    for (size_t i = 0; type && i < sizeof resolvers / sizeof *resolvers; i++) {
        if (strcmp(resolvers[i].type, type) == 0 && strcmp(resolvers[i].field, field) == 0) {
            return resolvers[i].resolve(call);
        }
    }
    return NULL;
}
