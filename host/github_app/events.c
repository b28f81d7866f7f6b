/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of events. */
#include "github_app/events.h"

#include "base/array.h"
#include "base/suggest.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* https://docs.github.com/webhooks/webhook-events-and-payloads; a system test compares the table
 * with GitHub's OpenAPI description. Some events that need no permission, and events of packages,
 * have none there. */
static const struct github_event events[] = {
    {"branch_protection_configuration", .permissions = {"administration"},
     .actions = "disabled enabled"},
    {"branch_protection_rule", .permissions = {"administration"},
     .actions = "created deleted edited"},
    {"check_run", .permissions = {"checks"},
     .actions = "completed created requested_action rerequested"},
    {"check_suite", .permissions = {"checks"}, .actions = "completed requested rerequested"},
    {"code_scanning_alert", .permissions = {"security_events"},
     .actions = "appeared_in_branch closed_by_user created fixed reopened reopened_by_user"},
    {"commit_comment", .permissions = {"contents"}, .actions = "created"},
    {"create", .permissions = {"contents"}},
    {"custom_property", .permissions = {"organization_custom_properties"},
     .actions = "created deleted promote_to_enterprise updated"},
    {"custom_property_values", .permissions = {"organization_custom_properties"},
     .actions = "updated"},
    {"delete", .permissions = {"contents"}},
    {"dependabot_alert", .permissions = {"vulnerability_alerts"},
     .actions = "auto_dismissed auto_reopened created dismissed fixed reintroduced reopened"},
    {"deploy_key", .permissions = {"deployments"}, .actions = "created deleted"},
    {"deployment", .permissions = {"deployments"}, .actions = "created"},
    {"deployment_protection_rule", .permissions = {"deployments"}, .actions = "requested"},
    {"deployment_review", .permissions = {"deployments"}, .actions = "approved rejected requested"},
    {"deployment_status", .permissions = {"deployments"}, .actions = "created"},
    {"discussion", .permissions = {"discussions"},
     .actions = "answered category_changed closed created deleted edited labeled locked pinned "
                "reopened transferred unanswered unlabeled unlocked unpinned"},
    {"discussion_comment", .permissions = {"discussions"}, .actions = "created deleted edited"},
    {"fork", .permissions = {"contents"}},
    {"github_app_authorization", .automatic = true, .actions = "revoked"},
    {"gollum", .permissions = {"contents"}},
    {"installation", .automatic = true,
     .actions = "created deleted new_permissions_accepted suspend unsuspend"},
    {"installation_repositories", .automatic = true, .actions = "added removed"},
    {"installation_target", .actions = "renamed"},
    {"issue_comment", .permissions = {"issues"}, .actions = "created deleted edited"},
    {"issue_dependencies", .permissions = {"issues"},
     .actions = "blocked_by_added blocked_by_removed blocking_added blocking_removed"},
    {"issues", .permissions = {"issues"},
     .actions = "assigned closed deleted demilestoned edited labeled locked milestoned opened "
                "pinned reopened transferred typed unassigned unlabeled unlocked unpinned untyped"},
    {"label", .permissions = {"metadata"}, .actions = "created deleted edited"},
    {"marketplace_purchase",
     .actions = "cancelled changed pending_change pending_change_cancelled purchased"},
    {"member", .permissions = {"members"}, .actions = "added edited removed"},
    {"membership", .permissions = {"members"}, .actions = "added removed"},
    {"merge_group", .permissions = {"merge_queues"}, .actions = "checks_requested destroyed"},
    {"meta", .actions = "deleted"},
    {"milestone", .permissions = {"issues", "pull_requests"},
     .actions = "closed created deleted edited opened"},
    {"org_block", .permissions = {"organization_administration"}, .actions = "blocked unblocked"},
    {"organization", .permissions = {"members"},
     .actions = "deleted member_added member_invited member_removed renamed"},
    {"package", .permissions = {"packages"}, .actions = "published updated"},
    {"page_build", .permissions = {"pages"}},
    {"personal_access_token_request",
     .permissions = {"organization_personal_access_token_requests"},
     .actions = "approved cancelled created denied"},
    {"ping", .automatic = true},
    {"project", .permissions = {"repository_projects", "organization_projects"},
     .actions = "closed created deleted edited reopened"},
    {"project_card", .permissions = {"repository_projects", "organization_projects"},
     .actions = "converted created deleted edited moved"},
    {"project_column", .permissions = {"repository_projects", "organization_projects"},
     .actions = "created deleted edited moved"},
    {"projects_v2", .permissions = {"organization_projects"},
     .actions = "closed created deleted edited reopened"},
    {"projects_v2_item", .permissions = {"organization_projects"},
     .actions = "archived converted created deleted edited reordered restored"},
    {"projects_v2_status_update", .permissions = {"organization_projects"},
     .actions = "created deleted edited"},
    {"public", .permissions = {"metadata"}},
    {"pull_request", .permissions = {"pull_requests"},
     .actions =
         "assigned auto_merge_disabled auto_merge_enabled closed converted_to_draft demilestoned "
         "dequeued edited enqueued labeled locked milestoned opened ready_for_review reopened "
         "review_request_removed review_requested synchronize unassigned unlabeled unlocked"},
    {"pull_request_review", .permissions = {"pull_requests"},
     .actions = "dismissed edited submitted"},
    {"pull_request_review_comment", .permissions = {"pull_requests"},
     .actions = "created deleted edited"},
    {"pull_request_review_thread", .permissions = {"pull_requests"},
     .actions = "resolved unresolved"},
    {"push", .permissions = {"contents"}},
    {"registry_package", .permissions = {"packages"}, .actions = "published updated"},
    {"release", .permissions = {"contents"},
     .actions = "created deleted edited prereleased published released unpublished"},
    {"repository", .permissions = {"metadata"},
     .actions =
         "archived created deleted edited privatized publicized renamed transferred unarchived"},
    {"repository_advisory", .permissions = {"repository_advisories"},
     .actions = "published reported"},
    {"repository_dispatch", .permissions = {"contents"}},
    {"repository_import"},
    {"repository_ruleset", .permissions = {"administration", "organization_administration"},
     .actions = "created deleted edited"},
    {"repository_vulnerability_alert", .actions = "create dismiss reopen resolve"},
    {"secret_scanning_alert", .permissions = {"secret_scanning_alerts"},
     .actions = "assigned created publicly_leaked reopened resolved unassigned validated"},
    {"secret_scanning_alert_location", .permissions = {"secret_scanning_alerts"},
     .actions = "created"},
    {"secret_scanning_scan", .permissions = {"secret_scanning_alerts"}, .actions = "completed"},
    {"security_advisory", .actions = "published updated withdrawn"},
    {"security_and_analysis", .permissions = {"administration"}},
    {"sponsorship",
     .actions = "cancelled created edited pending_cancellation pending_tier_change tier_changed"},
    {"star", .permissions = {"metadata"}, .actions = "created deleted"},
    {"status", .permissions = {"statuses"}},
    {"sub_issues", .permissions = {"issues"},
     .actions = "parent_issue_added parent_issue_removed sub_issue_added sub_issue_removed"},
    {"team", .permissions = {"members"},
     .actions = "added_to_repository created deleted edited removed_from_repository"},
    {"team_add", .permissions = {"members"}},
    {"watch", .permissions = {"metadata"}, .actions = "started"},
    {"workflow_dispatch", .permissions = {"contents"}},
    {"workflow_job", .permissions = {"actions"}, .actions = "completed in_progress queued waiting"},
    {"workflow_run", .permissions = {"actions"}, .actions = "completed in_progress requested"},
};

const struct github_event *github_event_find(const char *name, const char **nearest) {
    size_t least = SIZE_MAX;
    const char *similar = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++) {
        size_t distance = suggest_distance(name, events[i].name);
        if (distance == 0) {
            return &events[i];
        }
        if (distance < least && suggest_is_near(name, distance)) {
            similar = events[i].name;
            least = distance;
        }
    }
    if (nearest) {
        *nearest = similar;
    }
    return NULL;
}

bool github_event_has_action(const struct github_event *event, const char *action,
                             char nearest[GITHUB_EVENT_TITLE_MAX]) {
    size_t least = SIZE_MAX, bytes;
    nearest[0] = '\0';
    for (const char *at = event->actions; at && *at; at += bytes + (at[bytes] == ' ')) {
        char name[GITHUB_EVENT_TITLE_MAX];
        bytes = strcspn(at, " ");
        assert(bytes < sizeof name);
        snprintf(name, sizeof name, "%.*s", (int)bytes, at);
        size_t distance = suggest_distance(action, name);
        if (distance == 0) {
            return true;
        }
        if (distance < least && suggest_is_near(action, distance)) {
            memcpy(nearest, name, sizeof name);
            least = distance;
        }
    }
    return event->actions == NULL;
}

const char *github_event_title(const char *name, char title[GITHUB_EVENT_TITLE_MAX]) {
    snprintf(title, GITHUB_EVENT_TITLE_MAX, "%s", name);
    for (char *at = title; *at; at++) {
        if (*at == '_') {
            *at = ' ';
        }
    }
    if (title[0] >= 'a' && title[0] <= 'z') {
        title[0] = (char)(title[0] - 'a' + 'A');
    }
    return title;
}
