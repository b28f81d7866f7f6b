/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The names and levels of permissions, as GitHub's REST description has them ("app-permissions"),
 * and those that only its documentation has. */
#include "fake/permissions.h"

#include "fake/instance.h"
#include "fake/state.h"

#include <string.h>

#define READ 1
#define WRITE 2
#define ADMIN 4

struct permission {
    const char *name;
    unsigned char levels;
    bool of_repositories;
};

static const struct permission permissions[] = {
    {"actions", READ | WRITE, true},
    {"actions_variables", READ | WRITE, true},
    {"administration", READ | WRITE, true},
    {"artifact_metadata", READ | WRITE, true},
    {"attestations", READ | WRITE, true},
    {"checks", READ | WRITE, true},
    {"codespaces", READ | WRITE, true},
    {"codespaces_secrets", READ | WRITE, true},
    {"contents", READ | WRITE, true},
    {"dependabot_secrets", READ | WRITE, true},
    {"deployments", READ | WRITE, true},
    {"discussions", READ | WRITE, true},
    {"environments", READ | WRITE, true},
    {"issues", READ | WRITE, true},
    {"merge_queues", READ | WRITE, true},
    {"metadata", READ | WRITE, true},
    {"packages", READ | WRITE, true},
    {"pages", READ | WRITE, true},
    {"pull_requests", READ | WRITE, true},
    {"repository_advisories", READ | WRITE, true},
    {"repository_custom_properties", READ | WRITE, true},
    {"repository_hooks", READ | WRITE, true},
    {"repository_projects", READ | WRITE | ADMIN, true},
    {"secret_scanning_alerts", READ | WRITE, true},
    {"secrets", READ | WRITE, true},
    {"security_events", READ | WRITE, true},
    {"single_file", READ | WRITE, true},
    {"statuses", READ | WRITE, true},
    {"vulnerability_alerts", READ | WRITE, true},
    {"workflows", WRITE, true},
    {"email_addresses", READ | WRITE, false},
    {"followers", READ | WRITE, false},
    {"git_ssh_keys", READ | WRITE, false},
    {"gpg_keys", READ | WRITE, false},
    {"interaction_limits", READ | WRITE, false},
    {"members", READ | WRITE, false},
    {"organization_actions_variables", READ | WRITE, false},
    {"organization_administration", READ | WRITE, false},
    {"organization_announcement_banners", READ | WRITE, false},
    {"organization_copilot_seat_management", WRITE, false},
    {"organization_custom_org_roles", READ | WRITE, false},
    {"organization_custom_properties", READ | WRITE | ADMIN, false},
    {"organization_custom_roles", READ | WRITE, false},
    {"organization_dependabot_secrets", READ | WRITE, false},
    {"organization_events", READ, false},
    {"organization_hooks", READ | WRITE, false},
    {"organization_packages", READ | WRITE, false},
    {"organization_personal_access_token_requests", READ | WRITE, false},
    {"organization_personal_access_tokens", READ | WRITE, false},
    {"organization_plan", READ, false},
    {"organization_projects", READ | WRITE | ADMIN, false},
    {"organization_secrets", READ | WRITE, false},
    {"organization_self_hosted_runners", READ | WRITE, false},
    {"organization_user_blocking", READ | WRITE, false},
    {"profile", WRITE, false},
    {"starring", READ | WRITE, false},
    {"team_discussions", READ | WRITE, false},
};

static const struct permission *find(const char *name) {
    for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
        if (strcmp(permissions[i].name, name) == 0) {
            return &permissions[i];
        }
    }
    return NULL;
}

static unsigned level_bit(const char *level) {
    if (!level) {
        return 0;
    }
    if (strcmp(level, "read") == 0) {
        return READ;
    }
    if (strcmp(level, "write") == 0) {
        return WRITE;
    }
    return strcmp(level, "admin") == 0 ? ADMIN : 0;
}

json_t *permissions_list(void) {
    static const char *const levels[] = {"read", "write", "admin"};
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
        json_t *list = json_array();
        for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
            if (permissions[i].levels & level_bit(levels[k])) {
                json_array_append_new(list, json_string(levels[k]));
            }
        }
        json_object_set_new(all, permissions[i].name, list);
    }
    return all;
}

bool permission_exists(const char *name) {
    return find(name) != NULL;
}

bool permission_has_level(const char *name, const char *level) {
    const struct permission *permission = find(name);
    return permission && (permission->levels & level_bit(level)) != 0;
}

bool permission_is_of_repositories(const char *name) {
    const struct permission *permission = find(name);
    return permission && permission->of_repositories;
}

bool permission_covers(const json_t *granted, const char *name, const char *level) {
    return level_bit(text_of(granted, name)) >= level_bit(level);
}
