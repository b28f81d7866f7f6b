/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of events that may hold commands. GitHub's documentation of webhook payloads is the
 * source of the paths. */
#include "worker/comment_targets.h"

#include <stddef.h>
#include <string.h>

static const struct comment_target targets[] = {
    {
        .event = "issues",
        .command_action = "opened",
        .body = "issue.body",
        .user = "issue.user",
        .item = "issue",
        /* GitHub announces an issue that arrives from another repository as `opened`. */
        .moved_from = "changes.old_issue",
        .reply_url = "issue.comments_url",
        .react_url = "issue.url",
    },
    {
        .event = "pull_request",
        .command_action = "opened",
        .body = "pull_request.body",
        .user = "pull_request.user",
        .item = "pull_request",
        .reply_url = "pull_request.comments_url",
        /* GitHub takes reactions to a pull request at the URL of its issue only. */
        .react_url = "pull_request.issue_url",
    },
    {
        .event = "issue_comment",
        .command_action = "created",
        .body = "comment.body",
        .user = "comment.user",
        .item = "issue",
        .reply_url = "issue.comments_url",
        .react_url = "comment.url",
    },
    {
        .event = "pull_request_review",
        .command_action = "submitted",
        .body = "review.body",
        .user = "review.user",
        .item = "pull_request",
        .reply_url = "pull_request.comments_url",
        /* REST has no reactions to reviews. */
        .node = "review.node_id",
    },
    {
        .event = "pull_request_review_comment",
        .command_action = "created",
        .body = "comment.body",
        .user = "comment.user",
        .item = "pull_request",
        .reply_url = "pull_request.review_comments_url",
        /* GitHub accepts a reply to the first comment of a thread only. */
        .reply_thread = "comment.in_reply_to_id",
        .reply_start = "comment.id",
        .react_url = "comment.url",
    },
    {
        .event = "discussion",
        .command_action = "created",
        .body = "discussion.body",
        .user = "discussion.user",
        .item = "discussion",
        /* An issue that somebody turned into a discussion has its old author. */
        .moved_by = "sender",
        .discussion_node = "discussion.node_id",
        .node = "discussion.node_id",
        .permission = "discussions",
    },
    {
        .event = "discussion_comment",
        .command_action = "created",
        .body = "comment.body",
        .user = "comment.user",
        .item = "discussion",
        .discussion_node = "discussion.node_id",
        .node = "comment.node_id",
        .parent_id = "comment.parent_id",
        .permission = "discussions",
    },
};

const struct comment_target *comment_target_of(const char *event) {
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (strcmp(targets[i].event, event) == 0) {
            return &targets[i];
        }
    }
    return NULL;
}
