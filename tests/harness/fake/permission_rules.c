/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of the permissions, as GitHub documents them on "Permissions required for GitHub Apps".
 * tests/system/test_fake_permissions.py compares it with the paths of GitHub's API description. */
#include "fake/permission_rules.h"

#include <string.h>

#define NONE NULL
#define READ_ONLY "GET"

/* The first rule that fits counts. In a path, a star stands for one segment and two stars at the
 * end for any number. Without a level, GET needs read and all others need write. */
static const struct permission_rule {
    /* NULL: all. */
    const char *method;
    const char *path, *name, *or_else, *level;
} rules[] = {
    /* A repository's items */
    {"POST", "repos/*/*/issues", "issues", NULL, NULL},
    {NULL, "repos/*/*/issues/**", "issues", "pull_requests", NULL},
    {NULL, "repos/*/*/labels/**", "issues", "pull_requests", NULL},
    {NULL, "repos/*/*/milestones/**", "issues", "pull_requests", NULL},
    {NULL, "repos/*/*/assignees/**", "issues", "pull_requests", NULL},
    {"PUT", "repos/*/*/pulls/*/merge", "contents", NULL, NULL},
    {NULL, "repos/*/*/pulls/**", "pull_requests", NULL, NULL},
    {NULL, "repos/*/*/discussions/**", "discussions", NULL, NULL},
    /* Checks and commits */
    {NULL, "repos/*/*/check-runs/**", "checks", NULL, NULL},
    {NULL, "repos/*/*/check-suites/**", "checks", NULL, NULL},
    {NULL, "repos/*/*/commits/*/check-runs", "checks", NULL, NULL},
    {NULL, "repos/*/*/commits/*/check-suites", "checks", NULL, NULL},
    {NULL, "repos/*/*/statuses/*", "statuses", NULL, NULL},
    {NULL, "repos/*/*/commits/*/status", "statuses", NULL, NULL},
    {NULL, "repos/*/*/commits/*/statuses", "statuses", NULL, NULL},
    {NULL, "repos/*/*/commits/*/pulls", "pull_requests", NULL, NULL},
    {NULL, "repos/*/*/commits/*/comments", "contents", NULL, "read"},
    {NULL, "repos/*/*/commits/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/comments/*/reactions/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/comments/**", "contents", NULL, "read"},
    /* Files, branches and releases */
    {NULL, "repos/*/*/contents/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/git/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/branches/*/protection/**", "administration", NULL, NULL},
    {NULL, "repos/*/*/branches/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/compare/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/merges", "contents", NULL, NULL},
    {NULL, "repos/*/*/merge-upstream", "contents", NULL, NULL},
    {NULL, "repos/*/*/dispatches", "contents", NULL, NULL},
    {NULL, "repos/*/*/releases/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/tarball/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/zipball/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/readme/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/license", "contents", NULL, NULL},
    {NULL, "repos/*/*/codeowners/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/community/**", "contents", NULL, NULL},
    {NULL, "repos/*/*/activity", "contents", NULL, NULL},
    {NULL, "repos/*/*/dependency-graph/snapshots", "contents", NULL, NULL},
    {NULL, "repos/*/*/dependency-graph/**", "contents", NULL, NULL},
    /* Actions and deployments */
    {NULL, "repos/*/*/actions/secrets/**", "secrets", NULL, NULL},
    {NULL, "repos/*/*/actions/organization-secrets", "secrets", NULL, NULL},
    {NULL, "repos/*/*/actions/variables/**", "actions_variables", NULL, NULL},
    {NULL, "repos/*/*/actions/organization-variables", "actions_variables", NULL, NULL},
    {NULL, "repos/*/*/actions/runners/**", "administration", NULL, NULL},
    {NULL, "repos/*/*/actions/permissions/**", "administration", NULL, NULL},
    {"POST", "repos/*/*/actions/runs/*/pending_deployments", "deployments", NULL, NULL},
    {NULL, "repos/*/*/actions/**", "actions", NULL, NULL},
    {NULL, "repos/*/*/environments/*/secrets/**", "environments", NULL, NULL},
    {NULL, "repos/*/*/environments/*/variables/**", "environments", NULL, NULL},
    {READ_ONLY, "repos/*/*/environments/**", "actions", NULL, NULL},
    {NULL, "repos/*/*/environments/**", "administration", NULL, NULL},
    {NULL, "repos/*/*/deployments/**", "deployments", NULL, NULL},
    {NULL, "repos/*/*/pages/**", "pages", NULL, NULL},
    {NULL, "repos/*/*/attestations/**", "attestations", NULL, NULL},
    /* Security */
    {NULL, "repos/*/*/code-scanning/**", "security_events", NULL, NULL},
    {NULL, "repos/*/*/secret-scanning/**", "secret_scanning_alerts", NULL, NULL},
    {NULL, "repos/*/*/dependabot/alerts/**", "vulnerability_alerts", NULL, NULL},
    {NULL, "repos/*/*/dependabot/secrets/**", "dependabot_secrets", NULL, NULL},
    {NULL, "repos/*/*/security-advisories/**", "repository_advisories", NULL, NULL},
    {NULL, "repos/*/*/codespaces/secrets/**", "codespaces_secrets", NULL, NULL},
    {NULL, "repos/*/*/codespaces/**", "codespaces", NULL, NULL},
    /* The repository itself */
    {NULL, "repos/*/*/hooks/**", "repository_hooks", NULL, NULL},
    {NULL, "repos/*/*/projects/**", "repository_projects", NULL, NULL},
    {READ_ONLY, "repos/*/*/properties/values", "metadata", NULL, NULL},
    {NULL, "repos/*/*/properties/values", "repository_custom_properties", NULL, NULL},
    {READ_ONLY, "repos/*/*/rulesets/**", "metadata", NULL, NULL},
    {READ_ONLY, "repos/*/*/rules/**", "metadata", NULL, NULL},
    {READ_ONLY, "repos/*/*/collaborators/**", "metadata", NULL, NULL},
    {READ_ONLY, "repos/*/*/traffic/**", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/keys/**", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/invitations/**", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/autolinks/**", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/interaction-limits", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/vulnerability-alerts", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/automated-security-fixes", "administration", NULL, NULL},
    {READ_ONLY, "repos/*/*/**", "metadata", NULL, NULL},
    {NULL, "repos/*/*/**", "administration", NULL, NULL},
    /* Organizations and teams */
    {READ_ONLY, "orgs/*/public_members/**", NONE, NULL, NULL},
    {NULL, "orgs/*/members/**", "members", NULL, NULL},
    {NULL, "orgs/*/memberships/**", "members", NULL, NULL},
    {NULL, "orgs/*/invitations/**", "members", NULL, NULL},
    {NULL, "orgs/*/failed_invitations", "members", NULL, NULL},
    {NULL, "orgs/*/outside_collaborators/**", "members", NULL, NULL},
    {NULL, "orgs/*/security-managers/**", "organization_administration", NULL, NULL},
    {NULL, "orgs/*/teams/*/discussions/**", "team_discussions", NULL, NULL},
    {NULL, "orgs/*/teams/**", "members", NULL, NULL},
    {NULL, "teams/*/discussions/**", "team_discussions", NULL, NULL},
    {NULL, "teams/**", "members", NULL, NULL},
    {NULL, "orgs/*/hooks/**", "organization_hooks", NULL, NULL},
    {NULL, "orgs/*/blocks/**", "organization_user_blocking", NULL, NULL},
    {NULL, "orgs/*/projects/**", "organization_projects", NULL, NULL},
    {NULL, "orgs/*/projectsV2/**", "organization_projects", NULL, NULL},
    {NULL, "orgs/*/events", "organization_events", NULL, NULL},
    {NULL, "orgs/*/organization-roles/**", "organization_custom_org_roles", NULL, NULL},
    {NULL, "orgs/*/custom-repository-roles/**", "organization_custom_roles", NULL, NULL},
    {NULL, "orgs/*/properties/**", "organization_custom_properties", NULL, NULL},
    {NULL, "orgs/*/personal-access-token-requests/**",
     "organization_personal_access_token_requests", NULL, NULL},
    {NULL, "orgs/*/personal-access-tokens/**", "organization_personal_access_tokens", NULL, NULL},
    {NULL, "orgs/*/actions/secrets/**", "organization_secrets", NULL, NULL},
    {NULL, "orgs/*/actions/variables/**", "organization_actions_variables", NULL, NULL},
    {NULL, "orgs/*/actions/runners/**", "organization_self_hosted_runners", NULL, NULL},
    {NULL, "orgs/*/actions/runner-groups/**", "organization_self_hosted_runners", NULL, NULL},
    {NULL, "orgs/*/dependabot/secrets/**", "organization_dependabot_secrets", NULL, NULL},
    {NULL, "orgs/*/dependabot/alerts", "vulnerability_alerts", NULL, NULL},
    {NULL, "orgs/*/code-scanning/alerts", "security_events", NULL, NULL},
    {NULL, "orgs/*/secret-scanning/alerts", "secret_scanning_alerts", NULL, NULL},
    {NULL, "orgs/*/attestations/**", "attestations", NULL, NULL},
    {READ_ONLY, "orgs/*/issues", "issues", NULL, NULL},
    {READ_ONLY, "orgs/*/repos", "metadata", NULL, NULL},
    {"POST", "orgs/*/repos", "administration", NULL, NULL},
    {READ_ONLY, "orgs/*", NONE, NULL, NULL},
    {NULL, "orgs/*/**", "organization_administration", NULL, NULL},
    /* Everybody may read these. */
    {NULL, "installation/repositories", "metadata", NULL, NULL},
    {NULL, "search/issues", "metadata", NULL, NULL},
    {NULL, "search/code", "contents", NULL, NULL},
    {NULL, "search/**", "metadata", NULL, NULL},
    {READ_ONLY, "users/**", NONE, NULL, NULL},
    {READ_ONLY, "rate_limit", NONE, NULL, NULL},
    /* Each query and mutation has its own. */
    {NULL, "graphql", NONE, NULL, NULL},
};

/* Do the segments fit the path? */
static bool path_fits(const char *path, char *const segments[], size_t n_segments) {
    size_t i = 0;
    while (*path) {
        size_t bytes = strcspn(path, "/");
        if (bytes == 2 && strncmp(path, "**", 2) == 0) {
            return true;
        }
        if (i == n_segments) {
            return false;
        }
        const char *segment = segments[i++];
        bool star = bytes == 1 && *path == '*';
        if (!star && (strlen(segment) != bytes || strncmp(segment, path, bytes) != 0)) {
            return false;
        }
        path += bytes + (path[bytes] == '/');
    }
    return i == n_segments;
}

bool permission_rule_find(const char *method, char *const segments[], size_t n_segments,
                          struct permission_need *need) {
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const char *wanted = reads ? "GET" : method;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct permission_rule *rule = &rules[i];
        if ((!rule->method || strcmp(rule->method, wanted) == 0) &&
            path_fits(rule->path, segments, n_segments)) {
            *need = (struct permission_need){
                .name = rule->name, .or_else = rule->or_else, .level = rule->level};
            if (!need->level) {
                need->level = reads ? "read" : "write";
            }
            return true;
        }
    }
    return false;
}
