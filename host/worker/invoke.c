/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Matches a delivery against the plugin's subscriptions and commands, and combines the results of
 * the handlers into one. */
#include "worker/invoke.h"

#include "base/cleanup.h"
#include "worker/check_action.h"
#include "worker/denial.h"
#include "worker/failing_allocation.h"
#include "worker/markdown.h"
#include "worker/matching.h"
#include "worker/memory_limit.h"
#include "worker/roles.h"
#include "worker/run.h"
#include "worker/settings_check.h"
#include "worker/worker.h"

#include <snekomatic/timer.h>

#include <stdlib.h>
#include <string.h>

/* The results so far: the better one of DONE and SKIPPED, or the one that stopped the run. */
struct outcome {
    int32_t result;
    bool called;
    struct reason reason;
};

/* ---- calling ---- */

/* A number that is no result is an error of the plugin; the host does not have to interpret it. */
static int32_t checked_result(struct run *run, int32_t result) {
    if (result > SNEK_WAIT || result < SNEK_E_MOVED) {
        return run_fail(run, SNEK_E_FAILED,
                        "the handler returned %d, which is no result: return an enum snek_result "
                        "or a negative enum snek_error",
                        result);
    }
    if (result < 0 && !run_reason(run)->text[0]) {
        return run_fail(run, result,
                        "the handler returned %d without a reason: return snek_fail(run, reason)",
                        result);
    }
    return result;
}

/* Calls a handler; true when the next one may be called. */
static bool call_handler(struct run *run, snek_handler handler, struct outcome *outcome) {
    struct reason *reason = run_reason(run);
    *reason = (struct reason){0};
    failing_allocation_on_handler(true);
    int32_t result = handler(run_shown(run));
    failing_allocation_on_handler(false);
    result = checked_result(run, result);
    if (reason->of_call && result >= 0) {
        /* A call failed, and the handler went on without it. */
        reason->text[0] = '\0';
    }
    if (result < 0 && reason->of_call && reason->permanent_code == result) {
        result = SNEK_REJECTED;
    } else if (result == SNEK_E_BUSY && reason->of_call) {
        result = SNEK_WAIT;
    }
    bool goes_on = result == SNEK_DONE || result == SNEK_SKIPPED;
    if (!outcome->called || !goes_on || result == SNEK_DONE || outcome->result == SNEK_SKIPPED) {
        outcome->result = result;
        outcome->reason = *reason;
    }
    outcome->called = true;
    return goes_on;
}

static void no_memory(struct run *run, struct outcome *outcome) {
    outcome->result = run_fail(run, SNEK_E_FAILED, "%s", memory_limit_sentence());
    outcome->reason = *run_reason(run);
}

/* ---- roles ---- */

/* The comment with commands, and the person who wrote it. `login` is NULL for a deleted account. */
struct command_text {
    const struct comment_target *target;
    struct person author;
    /* The person was denied a command of this text already. */
    bool denied;
};

static int32_t may_use(struct run *run, const struct command_text *text,
                       const struct snek_command *command) {
    if (!text->author.login) {
        return command->roles == SNEK_ROLE_ANYBODY;
    }
    return roles_has(run, &text->author, command->roles);
}

/* The run ends with the failure of a call of the worker's own. */
static void stop_at_failure(struct run *run, int32_t result, struct outcome *outcome) {
    outcome->result = result;
    outcome->reason = *run_reason(run);
    outcome->called = true;
}

static void report_denied(struct run *run, const char *login, const char *name,
                          struct outcome *outcome) {
    char line[FRAME_REASON_MAX + 1];
    snprintf(line, sizeof line, "%.100s may not use %s", login ? login : "a deleted account", name);
    worker_log(run_worker(run), run_handle(run), SNEK_LEVEL_INFO, line);
    if (!outcome->called) {
        snprintf(outcome->reason.text, sizeof outcome->reason.text, "%s", line);
    }
}

/* True when the next command may be called. */
static bool deny(struct run *run, struct command_text *text, const struct snek_command *command,
                 struct outcome *outcome) {
    const char *login = text->author.login;
    char name[FRAME_NAME_MAX + 2];
    snprintf(name, sizeof name, "/%s", command->name);
    report_denied(run, login, name, outcome);
    if (text->denied || !login) {
        return true;
    }
    text->denied = command->denied != SNEK_DENIED_SILENT;
    int32_t result = denial_send(run, text->target, command, &text->author);
    if (result < 0) {
        stop_at_failure(run, result, outcome);
    }
    return result >= 0;
}

/* ---- finding commands ---- */

/* Splits `line` in place; true when the next command may be called. */
static bool call_command(struct run *run, struct command_text *text, char *line,
                         struct outcome *outcome) {
    size_t most = strlen(line) / 2 + 1; /* words */
    AUTO_FREE const char **words = malloc(most * sizeof *words);
    if (!words) {
        no_memory(run, outcome);
        return false;
    }
    uint32_t count = matching_split(line, words, most);
    const struct snek_command *command =
        count > 0 ? matching_command(worker_plugin(run_worker(run)), words[0]) : NULL;
    if (!command) {
        /* Silently, because the lines of a traceback start with a slash too. */
        return true;
    }
    int32_t may = may_use(run, text, command);
    if (may < 0) {
        stop_at_failure(run, may, outcome);
        return false;
    }
    if (may == 0) {
        return deny(run, text, command, outcome);
    }
    run_set_words(run, words, count);
    bool goes_on = call_handler(run, command->handler, outcome);
    run_set_words(run, NULL, 0);
    return goes_on;
}

/* The text perhaps held a command that was not found. */
static void report_partial_reading(struct run *run, enum markdown_read read,
                                   struct outcome *outcome) {
    char text[200];
    if (read == MARKDOWN_CUT) {
        snprintf(text, sizeof text,
                 "looked for commands in the first %zu characters of the text only",
                 MARKDOWN_CHARACTERS_MAX);
    } else {
        snprintf(text, sizeof text,
                 "looked for no commands: as Markdown the text takes too much time or memory");
    }
    worker_log(run_worker(run), run_handle(run), SNEK_LEVEL_WARNING, text);
    if (!outcome->called) {
        snprintf(outcome->reason.text, sizeof outcome->reason.text, "%s", text);
    }
}

static void call_commands(struct run *run, struct outcome *outcome) {
    const struct comment_target *target;
    struct snek_value body;
    struct markdown_lines lines;
    if (matching_find_text(run, &target) != MATCHING_TEXT ||
        run_find(run, target->body, &body) != SNEK_STRING) {
        return;
    }
    if (markdown_command_lines(body.text.data, body.text.bytes, &lines) < 0) {
        no_memory(run, outcome);
        return;
    }
    if (lines.read != MARKDOWN_WHOLE) {
        report_partial_reading(run, lines.read, outcome);
    }
    struct command_text text = {.target = target, .author = matching_author(run, target)};
    for (size_t i = 0; i < lines.count; i++) {
        if (!call_command(run, &text, lines.lines[i], outcome)) {
            break;
        }
    }
    markdown_lines_finish(&lines);
}

/* ---- check actions ---- */

/* True when the next handler may be called. */
static bool call_check_action(struct run *run, const struct snek_check_action *action,
                              struct outcome *outcome) {
    struct check_action_match match = check_action_compare(run, action);
    struct person person = check_action_person(run);
    char name[CHECK_ACTION_NAME_MAX];
    check_action_name(action, name);
    if (match.verdict == EXPLAINED_OTHER_APP && !outcome->called) {
        snprintf(outcome->reason.text, sizeof outcome->reason.text,
                 "the check belongs to another app");
    }
    if (match.verdict != EXPLAINED_MATCHES) {
        return true;
    }
    int32_t may = action->roles == SNEK_ROLE_ANYBODY;
    if (!may && person.login) {
        may = roles_has(run, &person, action->roles);
    }
    if (may < 0) {
        stop_at_failure(run, may, outcome);
        return false;
    }
    if (may == 0) {
        report_denied(run, person.login, name, outcome);
        return true;
    }
    return call_handler(run, action->handler, outcome);
}

/* The paths of all filters for this event, though the first that does not match ends the others. */
static void note_filters(struct run *run, const struct snek_plugin *plugin) {
    for (uint32_t i = 0; i < plugin->subscriptions_count; i++) {
        const struct snek_subscription *subscription = &plugin->subscriptions[i];
        bool is_for_it = strcmp(subscription->event, run_event(run)) == 0;
        for (size_t k = 0; is_for_it && k < SNEK_SUBSCRIPTION_FILTERS_MAX; k++) {
            run_note_read(run, true, subscription->filters[k].path);
        }
    }
    /* These are for two events, so the path may be of either. */
    bool of_checks = strncmp(run_event(run), "check_", 6) == 0;
    for (uint32_t i = 0; of_checks && i < plugin->check_actions_count; i++) {
        for (size_t k = 0; k < SNEK_SUBSCRIPTION_FILTERS_MAX; k++) {
            run_note_read(run, false, plugin->check_actions[i].filters[k].path);
        }
    }
}

int32_t invoke_handlers(struct run *run) {
    const struct snek_plugin *plugin = worker_plugin(run_worker(run));
    struct outcome outcome = {.result = SNEK_SKIPPED, .reason.text = "nothing matched"};
    bool own = matching_is_own(run), goes_on = true;
    note_filters(run, plugin);
    if (settings_check_wants(run)) {
        /* First, so that a pull request that fixes the file is checked though the handlers reject
         * the file that it fixes. */
        goes_on = call_handler(run, settings_check, &outcome);
    }
    for (uint32_t i = 0; i < plugin->subscriptions_count && goes_on; i++) {
        const struct snek_subscription *subscription = &plugin->subscriptions[i];
        if ((!own || subscription->flags & SNEK_OWN_EVENTS) &&
            matching_subscription(run, subscription)) {
            goes_on = call_handler(run, subscription->handler, &outcome);
        }
    }
    for (uint32_t i = 0; i < plugin->schedules_count && goes_on; i++) {
        if (strcmp(run_event(run), SNEK_SCHEDULE_EVENT) == 0 &&
            strcmp(run_action(run), plugin->schedules[i].name) == 0) {
            goes_on = call_handler(run, plugin->schedules[i].handler, &outcome);
        }
    }
    for (uint32_t i = 0; i < plugin->check_actions_count && goes_on && !own; i++) {
        goes_on = call_check_action(run, &plugin->check_actions[i], &outcome);
    }
    if (own && !outcome.called) {
        snprintf(outcome.reason.text, sizeof outcome.reason.text, "the bot itself caused this");
    }
    if (goes_on && !own) {
        call_commands(run, &outcome);
    }
    *run_reason(run) = outcome.reason;
    return outcome.result;
}
