/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of permissions. */
#include "github_app/permissions.h"

#include "base/array.h"
#include "base/suggest.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The permissions of apps in GitHub's OpenAPI description, and some that it lacks. */
static const struct github_permission permissions[] = {
    {"actions", "Actions", PERMISSION_OF_REPOSITORIES},
    {"actions_variables", "Variables", PERMISSION_OF_REPOSITORIES},
    {"administration", "Administration", PERMISSION_OF_REPOSITORIES},
    {"artifact_metadata", "Artifact metadata", PERMISSION_OF_REPOSITORIES},
    {"attestations", "Attestations", PERMISSION_OF_REPOSITORIES},
    {"checks", "Checks", PERMISSION_OF_REPOSITORIES},
    {"codespaces", "Codespaces", PERMISSION_OF_REPOSITORIES},
    {"codespaces_lifecycle_admin", "Codespaces lifecycle admin", PERMISSION_OF_REPOSITORIES},
    {"codespaces_metadata", "Codespaces metadata", PERMISSION_OF_REPOSITORIES},
    {"codespaces_secrets", "Codespaces secrets", PERMISSION_OF_REPOSITORIES},
    {"contents", "Contents", PERMISSION_OF_REPOSITORIES},
    {"dependabot_secrets", "Dependabot secrets", PERMISSION_OF_REPOSITORIES},
    {"deployments", "Deployments", PERMISSION_OF_REPOSITORIES},
    {"discussions", "Discussions", PERMISSION_OF_REPOSITORIES},
    {"environments", "Environments", PERMISSION_OF_REPOSITORIES},
    {"issues", "Issues", PERMISSION_OF_REPOSITORIES},
    {"merge_queues", "Merge queues", PERMISSION_OF_REPOSITORIES},
    {"metadata", "Metadata", PERMISSION_OF_REPOSITORIES},
    {"packages", "Packages", PERMISSION_OF_REPOSITORIES},
    {"pages", "Pages", PERMISSION_OF_REPOSITORIES},
    {"pull_requests", "Pull requests", PERMISSION_OF_REPOSITORIES},
    {"repository_advisories", "Repository security advisories", PERMISSION_OF_REPOSITORIES},
    {"repository_custom_properties", "Custom properties", PERMISSION_OF_REPOSITORIES},
    {"repository_hooks", "Webhooks", PERMISSION_OF_REPOSITORIES},
    {"repository_projects", "Projects", PERMISSION_OF_REPOSITORIES},
    {"secret_scanning_alerts", "Secret scanning alerts", PERMISSION_OF_REPOSITORIES},
    {"secrets", "Secrets", PERMISSION_OF_REPOSITORIES},
    {"security_events", "Code scanning alerts", PERMISSION_OF_REPOSITORIES},
    {"single_file", "Single file", PERMISSION_OF_REPOSITORIES},
    {"statuses", "Commit statuses", PERMISSION_OF_REPOSITORIES},
    {"vulnerability_alerts", "Dependabot alerts", PERMISSION_OF_REPOSITORIES},
    {"workflows", "Workflows", PERMISSION_OF_REPOSITORIES},
    {"members", "Members", PERMISSION_OF_ORGANIZATIONS},
    {"organization_actions_variables", "Variables", PERMISSION_OF_ORGANIZATIONS},
    {"organization_administration", "Administration", PERMISSION_OF_ORGANIZATIONS},
    {"organization_announcement_banners", "Announcement banners", PERMISSION_OF_ORGANIZATIONS},
    {"organization_copilot_seat_management", "GitHub Copilot Business",
     PERMISSION_OF_ORGANIZATIONS},
    {"organization_custom_org_roles", "Custom organization roles", PERMISSION_OF_ORGANIZATIONS},
    {"organization_custom_properties", "Custom properties", PERMISSION_OF_ORGANIZATIONS},
    {"organization_custom_roles", "Custom repository roles", PERMISSION_OF_ORGANIZATIONS},
    {"organization_events", "Events", PERMISSION_OF_ORGANIZATIONS},
    {"organization_hooks", "Webhooks", PERMISSION_OF_ORGANIZATIONS},
    {"organization_packages", "Packages", PERMISSION_OF_ORGANIZATIONS},
    {"organization_personal_access_token_requests", "Personal access token requests",
     PERMISSION_OF_ORGANIZATIONS},
    {"organization_personal_access_tokens", "Personal access tokens", PERMISSION_OF_ORGANIZATIONS},
    {"organization_plan", "Plan", PERMISSION_OF_ORGANIZATIONS},
    {"organization_projects", "Projects", PERMISSION_OF_ORGANIZATIONS},
    {"organization_secrets", "Secrets", PERMISSION_OF_ORGANIZATIONS},
    {"organization_self_hosted_runners", "Self-hosted runners", PERMISSION_OF_ORGANIZATIONS},
    {"organization_user_blocking", "Blocking users", PERMISSION_OF_ORGANIZATIONS},
    {"team_discussions", "Team discussions", PERMISSION_OF_ORGANIZATIONS},
    {"email_addresses", "Email addresses", PERMISSION_OF_ACCOUNTS},
    {"followers", "Followers", PERMISSION_OF_ACCOUNTS},
    {"git_ssh_keys", "Git SSH keys", PERMISSION_OF_ACCOUNTS},
    {"gpg_keys", "GPG keys", PERMISSION_OF_ACCOUNTS},
    {"interaction_limits", "Interaction limits", PERMISSION_OF_ACCOUNTS},
    {"profile", "Profile", PERMISSION_OF_ACCOUNTS},
    {"starring", "Starring", PERMISSION_OF_ACCOUNTS},
    {"enterprise_administration", "Administration", PERMISSION_OF_ENTERPRISES},
    {"enterprise_custom_properties", "Custom properties", PERMISSION_OF_ENTERPRISES},
};

const struct github_permission *github_permission_find(const char *name, const char **nearest) {
    size_t least = SIZE_MAX;
    const char *similar = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(permissions); i++) {
        size_t distance = suggest_distance(name, permissions[i].name);
        if (distance == 0) {
            return &permissions[i];
        }
        if (distance < least && suggest_is_near(name, distance)) {
            similar = permissions[i].name;
            least = distance;
        }
    }
    if (nearest) {
        *nearest = similar;
    }
    return NULL;
}

const char *github_permission_section(enum permission_section section) {
    static const char *const titles[PERMISSION_SECTIONS] = {
        [PERMISSION_OF_REPOSITORIES] = "Repository permissions",
        [PERMISSION_OF_ORGANIZATIONS] = "Organization permissions",
        [PERMISSION_OF_ACCOUNTS] = "Account permissions",
        [PERMISSION_OF_ENTERPRISES] = "Enterprise permissions",
    };
    assert(section < PERMISSION_SECTIONS);
    return titles[section];
}

enum permission_level github_permission_level(const char *access) {
    static const char *const names[] = {
        [PERMISSION_READ] = "read",
        [PERMISSION_WRITE] = "write",
        [PERMISSION_ADMIN] = "admin",
    };
    for (size_t i = PERMISSION_READ; access && i < ARRAY_LENGTH(names); i++) {
        if (strcmp(access, names[i]) == 0) {
            return (enum permission_level)i;
        }
    }
    return PERMISSION_NONE;
}

const char *github_permission_words(enum permission_level level) {
    static const char *const words[] = {
        [PERMISSION_NONE] = "No access",
        [PERMISSION_READ] = "Read-only",
        [PERMISSION_WRITE] = "Read and write",
        [PERMISSION_ADMIN] = "Admin",
    };
    assert(level < ARRAY_LENGTH(words));
    return words[level];
}
