/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "worker/places.h"

#include <stddef.h>
#include <string.h>

static const struct place places[] = {
    {
        .event = "issues",
        .command_action = "opened",
        .body = "issue.body",
        .author = "issue.author_association",
        .reply_url = "issue.comments_url",
        .react_url = "issue.url",
    },
    {
        .event = "pull_request",
        .command_action = "opened",
        .body = "pull_request.body",
        .author = "pull_request.author_association",
        .reply_url = "pull_request.comments_url",
        .react_url = "pull_request.issue_url", /* a pull request has reactions as an issue only */
    },
    {
        .event = "issue_comment",
        .command_action = "created",
        .body = "comment.body",
        .author = "comment.author_association",
        .reply_url = "issue.comments_url",
        .react_url = "comment.url",
    },
    {
        .event = "pull_request_review",
        .command_action = "submitted",
        .body = "review.body",
        .author = "review.author_association",
        .reply_url = "pull_request.comments_url",
    },
    {
        .event = "pull_request_review_comment",
        .command_action = "created",
        .body = "comment.body",
        .author = "comment.author_association",
        .reply_url = "pull_request.review_comments_url",
        .reply_thread = "comment.in_reply_to_id", /* GitHub wants the thread's first comment */
        .reply_start = "comment.id",
        .react_url = "comment.url",
    },
};

const struct place *place_of(const char *event) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(places[i].event, event) == 0) {
            return &places[i];
        }
    }
    return NULL;
}
