/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Replies and reactions in discussions, which GitHub offers through GraphQL only. */
#ifndef SNEK_WORKER_DISCUSSION_H
#define SNEK_WORKER_DISCUSSION_H

#include <stdint.h>

struct comment_target;
struct run;

/* Both block until GitHub responds. 0, or a negative enum snek_error with a reason left. */

/* Posts a comment, named `once` unless that is NULL, whose id goes to `*id` unless that is NULL: in
 * the thread of the comment that the event is about, or else below the discussion. */
int32_t discussion_reply(struct run *run, const struct comment_target *target, const char *markdown,
                         const char *once, int64_t *id);

/* `reaction` is a known one. A repetition changes nothing. */
int32_t discussion_react(struct run *run, const struct comment_target *target,
                         const char *reaction);

#endif
