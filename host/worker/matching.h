/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares a delivery with what the plugin's descriptor wants: filters, own events, and the text
 * that may hold commands. Any thread, while the run lives. */
#ifndef SNEK_WORKER_MATCHING_H
#define SNEK_WORKER_MATCHING_H

#include "base/json.h"
#include "worker/comment_targets.h"
#include "worker/roles.h"
#include "worker/run.h"

#include <snekomatic/plugin.h>

#include <stdbool.h>
#include <stdint.h>

/* `found` is what the payload has at the filter's path; its type is JSON_ERROR when nothing is
 * there. */
bool matching_filter(const struct run *run, const struct snek_filter *filter,
                     struct json_value *found);

/* The event, the action, and all filters. */
bool matching_subscription(const struct run *run, const struct snek_subscription *subscription);

/* The app itself caused the event: by its bot user, or by a check of its own. */
bool matching_is_own(const struct run *run);

/* The check run or check suite that a check_run or check_suite event is about belongs to this app.
 */
bool matching_is_of_app(const struct run *run);

enum matching_text {
    MATCHING_TEXT,
    /* No commands are read in this event and action. */
    MATCHING_NO_TEXT,
    /* The plugin lacks the permission that commands in this event need. */
    MATCHING_NOT_PERMITTED,
    /* The text is older than the event, so its commands were given elsewhere. */
    MATCHING_OLD_TEXT,
};

/* Whether the plugin's commands may be in this delivery, and where: `*target`, unless it is
 * MATCHING_NO_TEXT. */
enum matching_text matching_find_text(struct run *run, const struct comment_target **target);

/* The author of the text. `login` is NULL for a deleted account. */
struct person matching_author(struct run *run, const struct comment_target *target);

/* Splits `line`, in place, at white space. Returns the number of words, at most `most`. */
uint32_t matching_split(char *line, const char **words, size_t most);
/* The command that a line with this first word gives; NULL: none. */
const struct snek_command *matching_command(const struct snek_plugin *plugin, const char *word);

#endif
