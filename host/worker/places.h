/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where in a payload that may hold commands the written text is, and where to answer it. */
#ifndef SNEK_WORKER_PLACES_H
#define SNEK_WORKER_PLACES_H

struct place {
    const char *event;
    const char *command_action;             /* commands are looked for in this action only */
    const char *body, *author;              /* the text; its author's association */
    const char *reply_url;                  /* where a comment goes */
    const char *reply_thread, *reply_start; /* or NULL: the review comment's thread, behind it */
    const char *react_url;                  /* what can be reacted to; NULL: nothing */
};

/* NULL when the event has no such text. */
const struct place *place_of(const char *event);

#endif
