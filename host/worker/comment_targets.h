/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The events whose payload holds a text of a person: the path of that text in the payload, and the
 * URLs for a reply or a reaction to it. */
#ifndef SNEK_WORKER_COMMENT_TARGETS_H
#define SNEK_WORKER_COMMENT_TARGETS_H

/* All members but the first two are paths in the payload. */
struct comment_target {
    const char *event;
    /* The worker looks for commands in deliveries with this action only. */
    const char *command_action;
    const char *body;
    /* The `author_association` of the person who wrote the text. */
    const char *author;
    /* When the payload has this object, the text is older than the event. NULL when it never is. */
    const char *moved_from;
    /* The URL that takes new comments. */
    const char *reply_url;
    /* The number of the thread's first review comment, and the fallback for it. Both are NULL when
     * the event has no threads. */
    const char *reply_thread, *reply_start;
    /* The URL below which reactions are added; NULL when GitHub has no reactions there. */
    const char *react_url;
};

/* NULL when the event has no such text. */
const struct comment_target *comment_target_of(const char *event);

#endif
