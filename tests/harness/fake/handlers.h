/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The handlers of the routes, by file: apps.c, hook_config.c, webhooks.c, orgs.c, repositories.c,
 * collaborators.c, rate_limits.c, search.c, graphql.c, issues.c, comments.c, reactions.c, pulls.c,
 * checks.c, statuses.c, contents.c, repository_labels.c, milestones.c, assignees.c, teams.c,
 * actions.c. */
#ifndef SNEK_HARNESS_FAKE_HANDLERS_H
#define SNEK_HARNESS_FAKE_HANDLERS_H

#include "fake/http_exchange.h"

void handle_app(struct http_exchange *exchange);
void handle_installations_get(struct http_exchange *exchange);
void handle_installation_get(struct http_exchange *exchange);
void handle_user_get(struct http_exchange *exchange);
void handle_rate_limit(struct http_exchange *exchange);
void handle_access_tokens(struct http_exchange *exchange);
void handle_hook_config_get(struct http_exchange *exchange);
void handle_hook_config_patch(struct http_exchange *exchange);
void handle_hook_deliveries(struct http_exchange *exchange);
void handle_hook_delivery(struct http_exchange *exchange);
void handle_hook_attempts(struct http_exchange *exchange);
void handle_membership_get(struct http_exchange *exchange);
void handle_membership_put(struct http_exchange *exchange);
void handle_membership_delete(struct http_exchange *exchange);
void handle_member_get(struct http_exchange *exchange);
void handle_public_member_get(struct http_exchange *exchange);
void handle_collaborator_permission(struct http_exchange *exchange);
void handle_repository_get(struct http_exchange *exchange);
void handle_installation_repositories(struct http_exchange *exchange);
void handle_search_issues(struct http_exchange *exchange);
void handle_graphql(struct http_exchange *exchange);
void handle_conversion(struct http_exchange *exchange);
void handle_issue_get(struct http_exchange *exchange);
void handle_issues_get(struct http_exchange *exchange);
void handle_issue_patch(struct http_exchange *exchange);
void handle_labels_get(struct http_exchange *exchange);
void handle_labels_post(struct http_exchange *exchange);
void handle_label_delete(struct http_exchange *exchange);
void handle_comments_get(struct http_exchange *exchange);
void handle_comments_post(struct http_exchange *exchange);
void handle_replies_post(struct http_exchange *exchange);
void handle_issue_reactions_post(struct http_exchange *exchange);
void handle_comment_reactions_post(struct http_exchange *exchange);
void handle_review_comment_reactions_post(struct http_exchange *exchange);
void handle_pulls_get(struct http_exchange *exchange);
void handle_pull_get(struct http_exchange *exchange);
void handle_pull_patch(struct http_exchange *exchange);
void handle_pull_files(struct http_exchange *exchange);
void handle_pull_commits(struct http_exchange *exchange);
void handle_pull_is_merged(struct http_exchange *exchange);
void handle_pull_merge(struct http_exchange *exchange);
void handle_reviews_get(struct http_exchange *exchange);
void handle_reviews_post(struct http_exchange *exchange);
void handle_reviewers_post(struct http_exchange *exchange);
void handle_check_runs_post(struct http_exchange *exchange);
void handle_check_run_get(struct http_exchange *exchange);
void handle_check_run_patch(struct http_exchange *exchange);
void handle_check_run_annotations(struct http_exchange *exchange);
void handle_check_run_rerequest(struct http_exchange *exchange);
void handle_check_suite_get(struct http_exchange *exchange);
void handle_check_suite_runs(struct http_exchange *exchange);
void handle_check_suite_rerequest(struct http_exchange *exchange);
void handle_commit_check_runs(struct http_exchange *exchange);
void handle_commit_check_suites(struct http_exchange *exchange);
void handle_commit_statuses(struct http_exchange *exchange);
void handle_commit_status(struct http_exchange *exchange);
void handle_statuses_post(struct http_exchange *exchange);
void handle_contents_get(struct http_exchange *exchange);
void handle_contents_put(struct http_exchange *exchange);
void handle_contents_delete(struct http_exchange *exchange);
void handle_repository_labels_get(struct http_exchange *exchange);
void handle_repository_labels_post(struct http_exchange *exchange);
void handle_repository_label_get(struct http_exchange *exchange);
void handle_repository_label_patch(struct http_exchange *exchange);
void handle_repository_label_delete(struct http_exchange *exchange);
void handle_milestones_get(struct http_exchange *exchange);
void handle_milestones_post(struct http_exchange *exchange);
void handle_milestone_get(struct http_exchange *exchange);
void handle_milestone_patch(struct http_exchange *exchange);
void handle_milestone_delete(struct http_exchange *exchange);
void handle_assignees_get(struct http_exchange *exchange);
void handle_assignee_get(struct http_exchange *exchange);
void handle_issue_assignees_post(struct http_exchange *exchange);
void handle_issue_assignees_delete(struct http_exchange *exchange);
void handle_issues_post(struct http_exchange *exchange);
void handle_labels_put(struct http_exchange *exchange);
void handle_labels_delete(struct http_exchange *exchange);
void handle_comment_get(struct http_exchange *exchange);
void handle_comment_patch(struct http_exchange *exchange);
void handle_comment_delete(struct http_exchange *exchange);
void handle_review_comment_get(struct http_exchange *exchange);
void handle_review_comment_patch(struct http_exchange *exchange);
void handle_workflow_runs_get(struct http_exchange *exchange);
void handle_workflow_run_get(struct http_exchange *exchange);
void handle_workflow_rerun(struct http_exchange *exchange);
void handle_workflow_rerun_failed(struct http_exchange *exchange);
void handle_workflow_cancel(struct http_exchange *exchange);
void handle_teams_get(struct http_exchange *exchange);
void handle_team_members_get(struct http_exchange *exchange);
void handle_team_membership_get(struct http_exchange *exchange);

#endif
