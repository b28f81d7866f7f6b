/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of routes, and the checks before a handler runs, in GitHub's order: the request itself,
 * the caller, the route, the rate limit, the owner of the resource, the permission. */
#include "fake/routes.h"

#include "fake/etags.h"
#include "fake/handlers.h"
#include "fake/permission_rules.h"
#include "fake/permissions.h"
#include "fake/rate_limits.h"
#include "fake/repositories.h"
#include "fake/response.h"
#include "fake/state.h"
#include "fake/tokens.h"

#include <string.h>
#include <strings.h>

#define API_VERSION "2022-11-28"
#define DOCS "https://docs.github.com/rest/"

struct route {
    const char *method;
    /* "{name}" stands for one segment, "{+name}" at the end for all that are left. */
    const char *path;
    void (*handle)(struct http_exchange *exchange);
    /* Errors name it; below DOCS. */
    const char *documentation;
    /* The caller needs the app's JWT; otherwise an installation's token. */
    bool by_app;
};

/* permission_rules.c has the permission of each path. */
static const struct route routes[] = {
    {"GET", "/app", handle_app, "apps/apps", .by_app = true},
    {"POST", "/app-manifests/{code}/conversions", handle_conversion,
     "apps/apps#create-a-github-app-from-a-manifest"},
    {"GET", "/app/installations", handle_installations_get,
     "apps/apps#list-installations-for-the-authenticated-app", .by_app = true},
    {"GET", "/app/installations/{id}", handle_installation_get,
     "apps/apps#get-an-installation-for-the-authenticated-app", .by_app = true},
    {"POST", "/app/installations/{id}/access_tokens", handle_access_tokens,
     "apps/apps#create-an-installation-access-token-for-an-app", .by_app = true},
    {"GET", "/app/hook/config", handle_hook_config_get,
     "apps/webhooks#get-a-webhook-configuration-for-an-app", .by_app = true},
    {"PATCH", "/app/hook/config", handle_hook_config_patch,
     "apps/webhooks#update-a-webhook-configuration-for-an-app", .by_app = true},
    {"GET", "/app/hook/deliveries", handle_hook_deliveries,
     "apps/webhooks#list-deliveries-for-an-app-webhook", .by_app = true},
    {"GET", "/app/hook/deliveries/{delivery_id}", handle_hook_delivery,
     "apps/webhooks#get-a-delivery-for-an-app-webhook", .by_app = true},
    {"POST", "/app/hook/deliveries/{delivery_id}/attempts", handle_hook_attempts,
     "apps/webhooks#redeliver-a-delivery-for-an-app-webhook", .by_app = true},
    {"GET", "/orgs/{org}/memberships/{username}", handle_membership_get,
     "orgs/members#get-organization-membership-for-a-user"},
    {"PUT", "/orgs/{org}/memberships/{username}", handle_membership_put,
     "orgs/members#set-organization-membership-for-a-user"},
    {"DELETE", "/orgs/{org}/memberships/{username}", handle_membership_delete,
     "orgs/members#remove-organization-membership-for-a-user"},
    {"GET", "/orgs/{org}/members/{username}", handle_member_get,
     "orgs/members#check-organization-membership-for-a-user"},
    {"GET", "/orgs/{org}/public_members/{username}", handle_public_member_get,
     "orgs/members#check-public-organization-membership-for-a-user"},
    {"GET", "/installation/repositories", handle_installation_repositories,
     "apps/installations#list-repositories-accessible-to-the-app-installation"},
    {"GET", "/rate_limit", handle_rate_limit,
     "rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user"},
    {"GET", "/users/{username}", handle_user_get, "users/users#get-a-user"},
    {"GET", "/search/issues", handle_search_issues,
     "search/search#search-issues-and-pull-requests"},
    {"POST", "/graphql", handle_graphql, "../graphql"},
    {"GET", "/repos/{owner}/{repo}", handle_repository_get, "repos/repos#get-a-repository"},
    {"GET", "/repos/{owner}/{repo}/collaborators/{username}/permission",
     handle_collaborator_permission,
     "collaborators/collaborators#get-repository-permissions-for-a-user"},
    {"GET", "/repos/{owner}/{repo}/issues/{number}", handle_issue_get,
     "issues/issues#get-an-issue"},
    {"PATCH", "/repos/{owner}/{repo}/issues/{number}", handle_issue_patch,
     "issues/issues#update-an-issue"},
    {"GET", "/repos/{owner}/{repo}/issues", handle_issues_get,
     "issues/issues#list-repository-issues"},
    {"GET", "/repos/{owner}/{repo}/issues/{number}/labels", handle_labels_get,
     "issues/labels#list-labels-for-an-issue"},
    {"POST", "/repos/{owner}/{repo}/issues/{number}/labels", handle_labels_post,
     "issues/labels#add-labels-to-an-issue"},
    {"DELETE", "/repos/{owner}/{repo}/issues/{number}/labels/{name}", handle_label_delete,
     "issues/labels#remove-a-label-from-an-issue"},
    {"GET", "/repos/{owner}/{repo}/issues/{number}/comments", handle_comments_get,
     "issues/comments#list-issue-comments"},
    {"POST", "/repos/{owner}/{repo}/issues/{number}/comments", handle_comments_post,
     "issues/comments#create-an-issue-comment"},
    {"POST", "/repos/{owner}/{repo}/pulls/{number}/comments/{id}/replies", handle_replies_post,
     "pulls/comments#create-a-reply-for-a-review-comment"},
    {"POST", "/repos/{owner}/{repo}/issues/{number}/reactions", handle_issue_reactions_post,
     "reactions/reactions#create-reaction-for-an-issue"},
    {"POST", "/repos/{owner}/{repo}/issues/comments/{id}/reactions", handle_comment_reactions_post,
     "reactions/reactions#create-reaction-for-an-issue-comment"},
    {"POST", "/repos/{owner}/{repo}/pulls/comments/{id}/reactions",
     handle_review_comment_reactions_post,
     "reactions/reactions#create-reaction-for-a-pull-request-review-comment"},
    {"GET", "/repos/{owner}/{repo}/pulls", handle_pulls_get, "pulls/pulls#list-pull-requests"},
    {"GET", "/repos/{owner}/{repo}/pulls/{number}", handle_pull_get,
     "pulls/pulls#get-a-pull-request"},
    {"PATCH", "/repos/{owner}/{repo}/pulls/{number}", handle_pull_patch,
     "pulls/pulls#update-a-pull-request"},
    {"GET", "/repos/{owner}/{repo}/pulls/{number}/files", handle_pull_files,
     "pulls/pulls#list-pull-requests-files"},
    {"GET", "/repos/{owner}/{repo}/pulls/{number}/commits", handle_pull_commits,
     "pulls/pulls#list-commits-on-a-pull-request"},
    {"GET", "/repos/{owner}/{repo}/pulls/{number}/merge", handle_pull_is_merged,
     "pulls/pulls#check-if-a-pull-request-has-been-merged"},
    {"PUT", "/repos/{owner}/{repo}/pulls/{number}/merge", handle_pull_merge,
     "pulls/pulls#merge-a-pull-request"},
    {"GET", "/repos/{owner}/{repo}/pulls/{number}/reviews", handle_reviews_get,
     "pulls/reviews#list-reviews-for-a-pull-request"},
    {"POST", "/repos/{owner}/{repo}/pulls/{number}/reviews", handle_reviews_post,
     "pulls/reviews#create-a-review-for-a-pull-request"},
    {"POST", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", handle_reviewers_post,
     "pulls/review-requests#request-reviewers-for-a-pull-request"},
    {"POST", "/repos/{owner}/{repo}/check-runs", handle_check_runs_post,
     "checks/runs#create-a-check-run"},
    {"GET", "/repos/{owner}/{repo}/check-runs/{id}", handle_check_run_get,
     "checks/runs#get-a-check-run"},
    {"PATCH", "/repos/{owner}/{repo}/check-runs/{id}", handle_check_run_patch,
     "checks/runs#update-a-check-run"},
    {"GET", "/repos/{owner}/{repo}/check-runs/{id}/annotations", handle_check_run_annotations,
     "checks/runs#list-check-run-annotations"},
    {"POST", "/repos/{owner}/{repo}/check-runs/{id}/rerequest", handle_check_run_rerequest,
     "checks/runs#rerequest-a-check-run"},
    {"GET", "/repos/{owner}/{repo}/check-suites/{id}", handle_check_suite_get,
     "checks/suites#get-a-check-suite"},
    {"GET", "/repos/{owner}/{repo}/check-suites/{id}/check-runs", handle_check_suite_runs,
     "checks/runs#list-check-runs-in-a-check-suite"},
    {"POST", "/repos/{owner}/{repo}/check-suites/{id}/rerequest", handle_check_suite_rerequest,
     "checks/suites#rerequest-a-check-suite"},
    {"GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", handle_commit_check_runs,
     "checks/runs#list-check-runs-for-a-git-reference"},
    {"GET", "/repos/{owner}/{repo}/commits/{ref}/check-suites", handle_commit_check_suites,
     "checks/suites#list-check-suites-for-a-git-reference"},
    {"GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", handle_commit_statuses,
     "commits/statuses#list-commit-statuses-for-a-reference"},
    {"GET", "/repos/{owner}/{repo}/commits/{ref}/status", handle_commit_status,
     "commits/statuses#get-the-combined-status-for-a-specific-reference"},
    {"POST", "/repos/{owner}/{repo}/statuses/{sha}", handle_statuses_post,
     "commits/statuses#create-a-commit-status"},
    {"GET", "/repos/{owner}/{repo}/contents/{+path}", handle_contents_get,
     "repos/contents#get-repository-content"},
    {"PUT", "/repos/{owner}/{repo}/contents/{+path}", handle_contents_put,
     "repos/contents#create-or-update-file-contents"},
    {"DELETE", "/repos/{owner}/{repo}/contents/{+path}", handle_contents_delete,
     "repos/contents#delete-a-file"},
    {"GET", "/repos/{owner}/{repo}/labels", handle_repository_labels_get,
     "issues/labels#list-labels-for-a-repository"},
    {"POST", "/repos/{owner}/{repo}/labels", handle_repository_labels_post,
     "issues/labels#create-a-label"},
    {"GET", "/repos/{owner}/{repo}/labels/{name}", handle_repository_label_get,
     "issues/labels#get-a-label"},
    {"PATCH", "/repos/{owner}/{repo}/labels/{name}", handle_repository_label_patch,
     "issues/labels#update-a-label"},
    {"DELETE", "/repos/{owner}/{repo}/labels/{name}", handle_repository_label_delete,
     "issues/labels#delete-a-label"},
    {"GET", "/repos/{owner}/{repo}/milestones", handle_milestones_get,
     "issues/milestones#list-milestones"},
    {"POST", "/repos/{owner}/{repo}/milestones", handle_milestones_post,
     "issues/milestones#create-a-milestone"},
    {"GET", "/repos/{owner}/{repo}/milestones/{number}", handle_milestone_get,
     "issues/milestones#get-a-milestone"},
    {"PATCH", "/repos/{owner}/{repo}/milestones/{number}", handle_milestone_patch,
     "issues/milestones#update-a-milestone"},
    {"DELETE", "/repos/{owner}/{repo}/milestones/{number}", handle_milestone_delete,
     "issues/milestones#delete-a-milestone"},
    {"GET", "/repos/{owner}/{repo}/assignees", handle_assignees_get,
     "issues/assignees#list-assignees"},
    {"GET", "/repos/{owner}/{repo}/assignees/{assignee}", handle_assignee_get,
     "issues/assignees#check-if-a-user-can-be-assigned"},
    {"POST", "/repos/{owner}/{repo}/issues/{number}/assignees", handle_issue_assignees_post,
     "issues/assignees#add-assignees-to-an-issue"},
    {"DELETE", "/repos/{owner}/{repo}/issues/{number}/assignees", handle_issue_assignees_delete,
     "issues/assignees#remove-assignees-from-an-issue"},
    {"POST", "/repos/{owner}/{repo}/issues", handle_issues_post, "issues/issues#create-an-issue"},
    {"PUT", "/repos/{owner}/{repo}/issues/{number}/labels", handle_labels_put,
     "issues/labels#set-labels-for-an-issue"},
    {"DELETE", "/repos/{owner}/{repo}/issues/{number}/labels", handle_labels_delete,
     "issues/labels#remove-all-labels-from-an-issue"},
    {"GET", "/repos/{owner}/{repo}/issues/comments/{id}", handle_comment_get,
     "issues/comments#get-an-issue-comment"},
    {"PATCH", "/repos/{owner}/{repo}/issues/comments/{id}", handle_comment_patch,
     "issues/comments#update-an-issue-comment"},
    {"DELETE", "/repos/{owner}/{repo}/issues/comments/{id}", handle_comment_delete,
     "issues/comments#delete-an-issue-comment"},
    {"GET", "/repos/{owner}/{repo}/pulls/comments/{id}", handle_review_comment_get,
     "pulls/comments#get-a-review-comment-for-a-pull-request"},
    {"PATCH", "/repos/{owner}/{repo}/pulls/comments/{id}", handle_review_comment_patch,
     "pulls/comments#update-a-review-comment-for-a-pull-request"},
    {"GET", "/repos/{owner}/{repo}/actions/runs", handle_workflow_runs_get,
     "actions/workflow-runs#list-workflow-runs-for-a-repository"},
    {"GET", "/repos/{owner}/{repo}/actions/runs/{id}", handle_workflow_run_get,
     "actions/workflow-runs#get-a-workflow-run"},
    {"POST", "/repos/{owner}/{repo}/actions/runs/{id}/rerun", handle_workflow_rerun,
     "actions/workflow-runs#re-run-a-workflow"},
    {"POST", "/repos/{owner}/{repo}/actions/runs/{id}/rerun-failed-jobs",
     handle_workflow_rerun_failed, "actions/workflow-runs#re-run-failed-jobs-from-a-workflow-run"},
    {"POST", "/repos/{owner}/{repo}/actions/runs/{id}/cancel", handle_workflow_cancel,
     "actions/workflow-runs#cancel-a-workflow-run"},
    {"GET", "/orgs/{org}/teams", handle_teams_get, "teams/teams#list-teams"},
    {"GET", "/orgs/{org}/teams/{slug}/members", handle_team_members_get,
     "teams/members#list-team-members"},
    {"GET", "/orgs/{org}/teams/{slug}/memberships/{username}", handle_team_membership_get,
     "teams/members#get-team-membership-for-a-user"},
};

/* Does the path fit? Then the segments in place of the braces go to exchange->parameters. */
static bool path_fits(const char *path, struct http_exchange *exchange) {
    size_t segment = 0, parameter = 0;
    while (*path == '/') {
        path++;
        size_t bytes = strcspn(path, "/");
        if (segment == exchange->n_segments) {
            return false;
        }
        if (path[0] == '{' && path[1] == '+') {
            return true;
        }
        const char *given = exchange->segments[segment++];
        if (*path == '{') {
            if (*given == '\0') {
                return false;
            }
            exchange->parameters[parameter++] = given;
        } else if (strlen(given) != bytes || strncmp(given, path, bytes) != 0) {
            return false;
        }
        path += bytes;
    }
    return segment == exchange->n_segments;
}

static const struct route *find_route(struct http_exchange *exchange) {
    if (exchange->n_segments == SIZE_MAX) {
        return NULL;
    }
    const char *method = strcmp(exchange->method, "HEAD") == 0 ? "GET" : exchange->method;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(routes[i].method, method) == 0 && path_fits(routes[i].path, exchange)) {
            return &routes[i];
        }
    }
    return NULL;
}

static const char *header(const struct http_exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static bool accepts_json(const char *accept) {
    return !accept || strcasestr(accept, "application/vnd.github") ||
           strcasestr(accept, "application/json") || strstr(accept, "*/*") ||
           strcasestr(accept, "application/*");
}

/* Does GitHub accept the request's headers and size? */
static bool request_is_sound(struct http_exchange *exchange) {
    const char *agent = header(exchange, MHD_HTTP_HEADER_USER_AGENT);
    const char *version = header(exchange, "X-GitHub-Api-Version");
    if (!agent || !*agent) {
        respond_empty(exchange, 403);
        exchange->response_text =
            strdup("Request forbidden by administrative rules. Please make sure your request has "
                   "a User-Agent header.\n");
        return false;
    }
    if (version && strcmp(version, API_VERSION) != 0) {
        char message[256];
        snprintf(message, sizeof message,
                 "The version you specified in the \"X-GitHub-Api-Version\" request header, "
                 "\"%.40s\", is not a supported version. Supported: \"" API_VERSION "\".",
                 version);
        respond_error(exchange, 400, message);
        return false;
    }
    if (!accepts_json(header(exchange, MHD_HTTP_HEADER_ACCEPT))) {
        respond_error(exchange, 415,
                      "Unsupported 'Accept' header. Must accept 'application/json'.");
        return false;
    }
    if (exchange->body_too_large) {
        respond_error(exchange, 413, "Payload too large");
        return false;
    }
    return true;
}

/* GitHub shows the rate limits to every caller, and that request counts against none. The code of a
 * manifest is all that its request needs. */
static bool is_open(const struct route *route) {
    return strcmp(route->path, "/rate_limit") == 0 || route->handle == handle_conversion;
}

static bool caller_may_ask(struct http_exchange *exchange, const struct route *route) {
    const struct caller *caller = &exchange->caller;
    if (is_open(route)) {
        return true;
    }
    if (route->by_app) {
        if (caller->kind != CALLER_APP) {
            respond_error(exchange, 401, "A JSON web token could not be decoded");
        }
        return caller->kind == CALLER_APP;
    }
    if (caller->kind != CALLER_INSTALLATION) {
        respond_error(exchange, 401,
                      caller->kind == CALLER_NONE ? "Requires authentication" : "Bad credentials");
        return false;
    }
    if (json_is_true(json_object_get(caller->installation, "suspended"))) {
        respond_error(exchange, 403, "This installation has been suspended");
        return false;
    }
    return true;
}

/* Does the resource belong to the installation's account? GitHub responds 404 for all others, and
 * names the new place of a repository that was renamed. */
static enum reach reach_resource(struct http_exchange *exchange) {
    const char *account = text_of(exchange->caller.installation, "account");
    const char *kind = exchange->n_segments > 0 ? exchange->segments[0] : "";
    if (strcmp(kind, "repos") == 0) {
        return reach_repository(exchange);
    }
    if (strcmp(kind, "orgs") != 0 || exchange->n_segments < 2) {
        /* It belongs to the whole installation. */
        return REACH_HERE;
    }
    return strcasecmp(account, exchange->segments[1]) == 0 &&
                   list_find(state_list(exchange->fake, "organizations"), "login", account)
               ? REACH_HERE
               : REACH_NOTHING;
}

static bool permission_is_there(struct http_exchange *exchange) {
    const json_t *granted = exchange->caller.permissions;
    struct permission_need need;
    if (!permission_rule_find(exchange->method, exchange->segments, exchange->n_segments, &need) ||
        !need.name || permission_covers(granted, need.name, need.level) ||
        (need.or_else && permission_covers(granted, need.or_else, need.level))) {
        return true;
    }
    respond_error(exchange, 403, "Resource not accessible by integration");
    return false;
}

static void add_accepted_permissions(struct http_exchange *exchange) {
    char text[128];
    struct permission_need need;
    if (!permission_rule_find(exchange->method, exchange->segments, exchange->n_segments, &need) ||
        !need.name) {
        return;
    }
    if (need.or_else) {
        snprintf(text, sizeof text, "%s=%s; %s=%s", need.name, need.level, need.or_else,
                 need.level);
    } else {
        snprintf(text, sizeof text, "%s=%s", need.name, need.level);
    }
    response_header(exchange, "X-Accepted-GitHub-Permissions", text);
}

static enum rate_resource resource_of(const struct route *route) {
    if (strncmp(route->path, "/search/", 8) == 0) {
        return RESOURCE_SEARCH;
    }
    return strcmp(route->path, "/graphql") == 0 ? RESOURCE_GRAPHQL : RESOURCE_CORE;
}

/* GitHub lets nobody write to an archived repository. */
static bool repository_is_writable(struct http_exchange *exchange) {
    if (strcmp(exchange->method, "GET") == 0 || strcmp(exchange->method, "HEAD") == 0 ||
        !json_is_true(json_object_get(exchange->repository, "archived"))) {
        return true;
    }
    respond_error(exchange, 403, "Repository was archived so is read-only.");
    return false;
}

/* Is the resource there, and may the token use it? */
static bool resource_is_open(struct http_exchange *exchange) {
    enum reach reach = reach_resource(exchange);
    if (reach == REACH_NOTHING) {
        respond_error(exchange, 404, "Not Found");
    } else if (reach == REACH_ELSEWHERE) {
        respond_moved(exchange);
    }
    return reach == REACH_HERE && permission_is_there(exchange) && repository_is_writable(exchange);
}

static void handle(struct http_exchange *exchange, const struct route *route) {
    if (route->by_app) {
        route->handle(exchange);
    } else if (resource_is_open(exchange)) {
        route->handle(exchange);
        if (!is_open(route) && response_is_unchanged(exchange)) {
            rate_limit_give_back(exchange, resource_of(route));
        }
    }
}

/* The request is sound and its caller is known. */
static bool begin(struct http_exchange *exchange) {
    if (!request_is_sound(exchange)) {
        return false;
    }
    if (exchange->caller.kind == CALLER_INVALID) {
        respond_error(exchange, 401, exchange->caller.problem);
        return false;
    }
    find_by_number(exchange);
    return true;
}

void route_exchange(struct http_exchange *exchange) {
    if (!begin(exchange)) {
        return;
    }
    const struct route *route = find_route(exchange);
    if (!route) {
        respond_error(exchange, 404, "Not Found");
        json_object_set_new(exchange->record, "unknown", json_true());
        return;
    }
    snprintf(exchange->documentation, sizeof exchange->documentation, DOCS "%s",
             route->documentation);
    if (!caller_may_ask(exchange, route)) {
        return;
    }
    if (is_open(route) || rate_limit_allows(exchange, resource_of(route))) {
        handle(exchange, route);
    }
    rate_limit_headers(exchange, resource_of(route));
    response_header(exchange, "X-GitHub-Api-Version-Selected", API_VERSION);
    if (!route->by_app) {
        add_accepted_permissions(exchange);
    }
}

bool route_admits(struct http_exchange *exchange) {
    static const struct route unknown = {.path = ""}, by_app = {.path = "", .by_app = true};
    if (!begin(exchange) || exchange->n_segments == SIZE_MAX) {
        return exchange->n_segments == SIZE_MAX;
    }
    bool of_app = exchange->n_segments > 0 && strcmp(exchange->segments[0], "app") == 0;
    return caller_may_ask(exchange, of_app ? &by_app : &unknown) &&
           (of_app || resource_is_open(exchange));
}
