/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checks names of permissions against those that GitHub documents. */
#include "cli/cli.h"

#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

/* The permissions of apps in GitHub's OpenAPI description, and some that it lacks. */
static const char *const names[] = {
    "actions",
    "actions_variables",
    "administration",
    "attestations",
    "checks",
    "codespaces",
    "codespaces_lifecycle_admin",
    "codespaces_metadata",
    "codespaces_secrets",
    "contents",
    "dependabot_secrets",
    "deployments",
    "discussions",
    "email_addresses",
    "enterprise_administration",
    "enterprise_custom_properties",
    "environments",
    "followers",
    "git_ssh_keys",
    "gpg_keys",
    "interaction_limits",
    "issues",
    "members",
    "merge_queues",
    "metadata",
    "organization_actions_variables",
    "organization_administration",
    "organization_announcement_banners",
    "organization_copilot_seat_management",
    "organization_custom_org_roles",
    "organization_custom_properties",
    "organization_custom_roles",
    "organization_events",
    "organization_hooks",
    "organization_packages",
    "organization_personal_access_token_requests",
    "organization_personal_access_tokens",
    "organization_plan",
    "organization_projects",
    "organization_secrets",
    "organization_self_hosted_runners",
    "organization_user_blocking",
    "packages",
    "pages",
    "profile",
    "pull_requests",
    "repository_advisories",
    "repository_custom_properties",
    "repository_hooks",
    "repository_projects",
    "secret_scanning_alerts",
    "secrets",
    "security_events",
    "single_file",
    "starring",
    "statuses",
    "team_discussions",
    "vulnerability_alerts",
    "workflows",
};

bool cli_permission_is_known(const char *name, const char **nearest) {
    size_t least = SIZE_MAX;
    *nearest = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t distance = suggest_distance(name, names[i]);
        if (distance == 0) {
            return true;
        }
        if (distance < least && suggest_is_near(name, distance)) {
            *nearest = names[i];
            least = distance;
        }
    }
    return false;
}
