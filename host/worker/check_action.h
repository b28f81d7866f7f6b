/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares a delivery with the plugin's check actions: buttons of its check runs, and re-runs. */
#ifndef SNEK_WORKER_CHECK_ACTION_H
#define SNEK_WORKER_CHECK_ACTION_H

#include "base/json.h"
#include "protocol/explained.h"
#include "worker/run.h"

#include <snekomatic/plugin.h>

/* The first condition of the action that the delivery does not fulfil. `filter` and `found` are set
 * for EXPLAINED_FILTER: the filter, and what the payload has at its path. */
struct check_action_match {
    enum explained_verdict verdict;
    struct snek_filter filter;
    struct json_value found;
};

/* EXPLAINED_MATCHES, EXPLAINED_EVENT, _ACTION, _OTHER_APP or _FILTER. Roles do not count. */
struct check_action_match check_action_compare(const struct run *run,
                                               const struct snek_check_action *action);

/* The person who pressed the button or asked for the re-run. Borrowed from the run. */
struct person check_action_person(struct run *run);

/* "the button set-pass of DCO", "a re-run": for people. */
#define CHECK_ACTION_NAME_MAX 180
void check_action_name(const struct snek_check_action *action, char name[CHECK_ACTION_NAME_MAX]);

/* "check_run.rerequested": what a match needs. */
const char *check_action_event(const struct snek_check_action *action);

#endif
