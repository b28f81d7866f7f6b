/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The webhook events of GitHub, with their actions, and the permission that an App needs to
 * subscribe to each. Any thread. */
#ifndef SNEK_GITHUB_APP_EVENTS_H
#define SNEK_GITHUB_APP_EVENTS_H

#include <stdbool.h>

#define GITHUB_EVENT_PERMISSIONS_MAX 2
#define GITHUB_EVENT_TITLE_MAX 96

struct github_event {
    const char *name;
    /* GitHub sends it to every App, and its form does not offer it. */
    bool automatic;
    /* The level "read" of any one of these lets an App subscribe. NULL: it needs none. */
    const char *permissions[GITHUB_EVENT_PERMISSIONS_MAX];
    /* Separated by spaces; NULL: the event has none, or any. */
    const char *actions;
};

/* NULL for a name that this version does not know; then `*nearest` is the most similar known name,
 * or NULL. `nearest` may be NULL. */
const struct github_event *github_event_find(const char *name, const char **nearest);

/* Has the event this action? If not, `nearest` holds the most similar one, or "". An event without
 * a list has every action. */
bool github_event_has_action(const struct github_event *event, const char *action,
                             char nearest[GITHUB_EVENT_TITLE_MAX]);

/* The form's words for an event, known or not: "Issue comment". Returns `title`. */
const char *github_event_title(const char *name, char title[GITHUB_EVENT_TITLE_MAX]);

#endif
