/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The events whose payload holds a text of a person: the paths of that text and of its author in
 * the payload, and the addresses of a reply or a reaction to it. */
#ifndef SNEK_WORKER_COMMENT_TARGETS_H
#define SNEK_WORKER_COMMENT_TARGETS_H

/* The members below `command_action` are paths in the payload, unless their comment says otherwise.
 */
struct comment_target {
    const char *event;
    /* The worker looks for commands in deliveries with this action only. */
    const char *command_action;
    const char *body;
    /* The person who wrote the text. */
    const char *user;
    /* The issue, pull request or discussion of the text. */
    const char *item;
    /* When the payload has this object, the text is older than the event. NULL when it never is. */
    const char *moved_from;
    /* When the id at this path is not the user's, somebody else moved the text here. NULL when it
     * does not matter. */
    const char *moved_by;

    /* The URL that takes new comments; NULL in discussions. */
    const char *reply_url;
    /* The number of the thread's first review comment, and the fallback for it. Both are NULL when
     * the event has no threads. */
    const char *reply_thread, *reply_start;
    /* The URL below which reactions are added; NULL when only GraphQL adds them. */
    const char *react_url;

    /* GraphQL's ids of the discussion, of the text, and of the comment that the text answers, which
     * has no GraphQL id in the payload. The first is NULL outside of discussions, the second where
     * REST has reactions, the last one for the discussion itself and outside. */
    const char *discussion_node, *node, *parent_id;
    /* Not a path: commands count only for plugins that declare this permission; NULL: for all. */
    const char *permission;
};

/* NULL when the event has no such text. */
const struct comment_target *comment_target_of(const char *event);

#endif
