/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A check action is compared like a subscription, with filters for the button and the check run. */
#include "worker/check_action.h"

#include "base/array.h"
#include "protocol/description.h"
#include "worker/matching.h"

#include <stdio.h>
#include <string.h>

/* The button, the check run, and the plugin's own filters. */
#define FILTERS_MAX (2 + SNEK_SUBSCRIPTION_FILTERS_MAX)

static bool is_event(const struct run *run, const char *event) {
    return strcmp(run_event(run), event) == 0;
}

static struct snek_filter is(const char *path, const char *value) {
    return (struct snek_filter){.path = path, .kind = SNEK_IS, .values = {value}};
}

static size_t list_filters(const struct run *run, const struct snek_check_action *action,
                           struct snek_filter filters[FILTERS_MAX]) {
    size_t count = 0;
    if (action->kind == SNEK_BUTTON) {
        filters[count++] = is("requested_action.identifier", action->identifier);
    }
    if (action->check && is_event(run, DESCRIPTION_CHECK_RUN)) {
        filters[count++] = is("check_run.name", action->check);
    }
    for (size_t i = 0; i < SNEK_SUBSCRIPTION_FILTERS_MAX && action->filters[i].path; i++) {
        filters[count++] = action->filters[i];
    }
    return count;
}

static enum explained_verdict compare_event(const struct run *run,
                                            const struct snek_check_action *action) {
    bool is_button = action->kind == SNEK_BUTTON, of_run = is_event(run, DESCRIPTION_CHECK_RUN);
    if (!of_run && (is_button || !is_event(run, DESCRIPTION_CHECK_SUITE))) {
        return EXPLAINED_EVENT;
    }
    const char *wanted = is_button ? DESCRIPTION_REQUESTED : DESCRIPTION_REREQUESTED;
    if (strcmp(run_action(run), wanted) != 0) {
        return EXPLAINED_ACTION;
    }
    return matching_is_of_app(run) ? EXPLAINED_MATCHES : EXPLAINED_OTHER_APP;
}

struct check_action_match check_action_compare(const struct run *run,
                                               const struct snek_check_action *action) {
    struct check_action_match match = {.verdict = compare_event(run, action)};
    struct snek_filter filters[FILTERS_MAX];
    size_t count = list_filters(run, action, filters);
    for (size_t i = 0; i < count && match.verdict == EXPLAINED_MATCHES; i++) {
        if (!matching_filter(run, &filters[i], &match.found)) {
            match.filter = filters[i];
            match.verdict = EXPLAINED_FILTER;
        }
    }
    return match;
}

struct person check_action_person(struct run *run) {
    return (struct person){.login = run_find_text(run, "sender.login"),
                           .id = run_find_integer(run, "sender.id")};
}

void check_action_name(const struct snek_check_action *action, char name[CHECK_ACTION_NAME_MAX]) {
    const char *check = action->check ? action->check : "";
    const char *of = action->check ? " of " : "";
    if (action->kind == SNEK_RERUN) {
        snprintf(name, CHECK_ACTION_NAME_MAX, "the re-run%s%s", of, check);
    } else {
        snprintf(name, CHECK_ACTION_NAME_MAX, "the button %s%s%s", action->identifier, of, check);
    }
}

const char *check_action_event(const struct snek_check_action *action) {
    return action->kind == SNEK_RERUN ? DESCRIPTION_CHECK_RUN "." DESCRIPTION_REREQUESTED
                                      : DESCRIPTION_CHECK_RUN "." DESCRIPTION_REQUESTED;
}
