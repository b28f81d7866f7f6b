/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Goes through the plugin's subscriptions, schedules, commands and check actions as invoke.c does,
 * and writes down for each the first condition that failed, with the value that the payload has
 * there. */
#include "worker/explain.h"

#include "base/text.h"
#include "protocol/description.h"
#include "protocol/explained.h"
#include "worker/check_action.h"
#include "worker/markdown.h"
#include "worker/matching.h"
#include "worker/wire.h"
#include "worker/worker.h"

#include <snekomatic/timer.h>

#include <stdio.h>
#include <string.h>

/* Bytes of a text that gives no command. */
#define TEXT_SHOWN_MAX 200

struct explaining {
    struct run *run;
    const struct snek_plugin *plugin;
    bool own;
    struct frame_writer writer;
};

/* One item of the frame. */
static void put_item(struct explaining *explaining, enum explained_kind kind, const char *name,
                     enum explained_verdict verdict, const char *condition, const char *saw) {
    char clean[EXPLAINED_TEXT_MAX + 1];
    frame_put_number(&explaining->writer, kind);
    frame_put_text(&explaining->writer, name);
    frame_put_number(&explaining->writer, verdict);
    text_repair(clean, sizeof clean, condition, strlen(condition));
    frame_put_text(&explaining->writer, clean);
    text_repair(clean, sizeof clean, saw, strlen(saw));
    frame_put_text(&explaining->writer, clean);
}

/* ---- subscriptions ---- */

/* "pull_request.merged = true" */
static void condition_text(const struct snek_filter *filter, char out[], size_t room) {
    size_t length = (size_t)snprintf(out, room, "%s %s", filter->path,
                                     filter->kind == SNEK_EXISTS ? "exists" : "=");
    if (filter->kind == SNEK_EXISTS) {
        return;
    }
    for (size_t i = 0; i < SNEK_FILTER_VALUES_MAX && filter->values[i] && length < room; i++) {
        length += (size_t)snprintf(out + length, room - length, "%s %s", i > 0 ? " or" : "",
                                   filter->values[i]);
    }
}

/* The value as the payload has it; its beginning if it is long. */
static void value_text(const struct json_value *value, char out[], size_t room) {
    switch (value->type) {
    case JSON_ERROR:
        snprintf(out, room, "nothing");
        break;
    case JSON_OBJECT_BEGIN:
        snprintf(out, room, "an object");
        break;
    case JSON_ARRAY_BEGIN:
        snprintf(out, room, "an array");
        break;
    default:
        text_repair(out, room, value->raw, value->raw_bytes);
        break;
    }
}

static void explain_filters(struct explaining *explaining, const char *name,
                            const struct snek_subscription *subscription) {
    char condition[EXPLAINED_TEXT_MAX + 1], saw[EXPLAINED_TEXT_MAX + 1];
    for (size_t i = 0; i < SNEK_SUBSCRIPTION_FILTERS_MAX && subscription->filters[i].path; i++) {
        struct json_value found;
        if (!matching_filter(explaining->run, &subscription->filters[i], &found)) {
            condition_text(&subscription->filters[i], condition, sizeof condition);
            value_text(&found, saw, sizeof saw);
            put_item(explaining, EXPLAINED_SUBSCRIPTION, name, EXPLAINED_FILTER, condition, saw);
            return;
        }
    }
    put_item(explaining, EXPLAINED_SUBSCRIPTION, name, EXPLAINED_MATCHES, "", "");
}

static void explain_subscription(struct explaining *explaining,
                                 const struct snek_subscription *subscription) {
    const struct run *run = explaining->run;
    const char *action = subscription->action ? subscription->action : "";
    char name[2 * FRAME_NAME_MAX + 2];
    snprintf(name, sizeof name, "%s%s%s", subscription->event, *action ? "." : "", action);
    if (strcmp(subscription->event, run_event(run)) != 0) {
        put_item(explaining, EXPLAINED_SUBSCRIPTION, name, EXPLAINED_EVENT, subscription->event,
                 run_event(run));
    } else if (*action && strcmp(action, run_action(run)) != 0) {
        put_item(explaining, EXPLAINED_SUBSCRIPTION, name, EXPLAINED_ACTION, action,
                 run_action(run));
    } else if (explaining->own && !(subscription->flags & SNEK_OWN_EVENTS)) {
        put_item(explaining, EXPLAINED_SUBSCRIPTION, name, EXPLAINED_OWN, "", "");
    } else {
        explain_filters(explaining, name, subscription);
    }
}

static void explain_schedule(struct explaining *explaining, const struct snek_schedule *schedule) {
    const struct run *run = explaining->run;
    enum explained_verdict verdict = EXPLAINED_MATCHES;
    const char *saw = "";
    if (strcmp(run_event(run), SNEK_SCHEDULE_EVENT) != 0) {
        verdict = EXPLAINED_EVENT;
        saw = run_event(run);
    } else if (strcmp(run_action(run), schedule->name) != 0) {
        verdict = EXPLAINED_ACTION;
        saw = run_action(run);
    }
    put_item(explaining, EXPLAINED_SCHEDULE, schedule->name, verdict,
             verdict == EXPLAINED_EVENT ? SNEK_SCHEDULE_EVENT : schedule->name, saw);
}

/* ---- commands ---- */

/* Is the command in one of these lines? It changes none. */
static bool is_given(const struct markdown_lines *lines, const struct snek_command *command) {
    size_t bytes = strlen(command->name);
    for (size_t i = 0; i < lines->count; i++) {
        const char *line = lines->lines[i];
        if (*line == '/' && strncmp(line + 1, command->name, bytes) == 0 &&
            (line[1 + bytes] == ' ' || !line[1 + bytes])) {
            return true;
        }
    }
    return false;
}

static void put_command(struct explaining *explaining, const struct snek_command *command,
                        enum explained_verdict verdict, const char *condition, const char *saw) {
    char name[FRAME_NAME_MAX + 2];
    snprintf(name, sizeof name, "/%s", command->name);
    put_item(explaining, EXPLAINED_COMMAND, name, verdict, condition, saw);
}

static void explain_command(struct explaining *explaining, const struct snek_command *command,
                            const struct comment_target *target, const struct markdown_lines *lines,
                            const char *text) {
    struct person author = matching_author(explaining->run, target);
    const char *login = author.login ? author.login : "a deleted account";
    if (lines->read == MARKDOWN_GIVEN_UP) {
        put_command(explaining, command, EXPLAINED_UNREADABLE, "", "");
    } else if (!is_given(lines, command)) {
        put_command(explaining, command, EXPLAINED_NOT_GIVEN, "", text);
    } else if (command->roles == SNEK_ROLE_ANYBODY) {
        put_command(explaining, command, EXPLAINED_MATCHES, "", login);
    } else {
        char roles[DESCRIPTION_ROLES_MAX];
        description_roles(command->roles, roles);
        put_command(explaining, command, EXPLAINED_ROLE, roles, login);
    }
}

/* No command can be in this delivery. */
static void explain_no_text(struct explaining *explaining, enum matching_text why,
                            const struct comment_target *target) {
    static const enum explained_verdict verdicts[] = {[MATCHING_TEXT] = EXPLAINED_NOT_GIVEN,
                                                      [MATCHING_NO_TEXT] = EXPLAINED_NO_TEXT,
                                                      [MATCHING_NOT_PERMITTED] =
                                                          EXPLAINED_PERMISSION,
                                                      [MATCHING_OLD_TEXT] = EXPLAINED_OLD_TEXT};
    bool permission = why == MATCHING_NOT_PERMITTED;
    for (uint32_t i = 0; i < explaining->plugin->commands_count; i++) {
        put_command(explaining, &explaining->plugin->commands[i], verdicts[why],
                    permission ? target->permission : "", "");
    }
}

static void explain_commands(struct explaining *explaining) {
    const struct comment_target *target = NULL;
    enum matching_text found = matching_find_text(explaining->run, &target);
    struct markdown_lines lines;
    struct snek_value body;
    if (explaining->own) {
        for (uint32_t i = 0; i < explaining->plugin->commands_count; i++) {
            put_command(explaining, &explaining->plugin->commands[i], EXPLAINED_OWN, "", "");
        }
        return;
    }
    if (found != MATCHING_TEXT || run_find(explaining->run, target->body, &body) != SNEK_STRING) {
        explain_no_text(explaining, found, target);
        return;
    }
    if (markdown_command_lines(body.text.data, body.text.bytes, &lines) < 0) {
        explaining->writer.failed = true;
        return;
    }
    char text[TEXT_SHOWN_MAX + 1];
    text_clean(text, sizeof text, body.text.data, body.text.bytes);
    for (uint32_t i = 0; i < explaining->plugin->commands_count; i++) {
        explain_command(explaining, &explaining->plugin->commands[i], target, &lines, text);
    }
    markdown_lines_finish(&lines);
}

/* ---- check actions ---- */

static void explain_check_action(struct explaining *explaining,
                                 const struct snek_check_action *action) {
    const struct run *run = explaining->run;
    const struct check_action_match match = check_action_compare(run, action);
    enum explained_verdict verdict = match.verdict;
    char name[CHECK_ACTION_NAME_MAX], condition[EXPLAINED_TEXT_MAX + 1] = "";
    char saw[EXPLAINED_TEXT_MAX + 1] = "";
    check_action_name(action, name);
    if (verdict == EXPLAINED_EVENT || verdict == EXPLAINED_ACTION) {
        snprintf(condition, sizeof condition, "%s", check_action_event(action));
        snprintf(saw, sizeof saw, "%s.%s", run_event(run), run_action(run));
    } else if (verdict == EXPLAINED_OTHER_APP) {
        struct json_value id = {.type = JSON_ERROR};
        char path[FRAME_NAME_MAX + 16];
        struct snek_text payload = run_payload(run);
        snprintf(path, sizeof path, "%s.app.id", run_event(run));
        bool found = json_find(payload.data, payload.bytes, path, &id);
        id.type = found ? id.type : JSON_ERROR;
        snprintf(condition, sizeof condition, "%s", run_app(run));
        value_text(&id, saw, sizeof saw);
    } else if (verdict == EXPLAINED_FILTER) {
        condition_text(&match.filter, condition, sizeof condition);
        value_text(&match.found, saw, sizeof saw);
    } else if (explaining->own) {
        verdict = EXPLAINED_OWN;
    } else if (action->roles != SNEK_ROLE_ANYBODY) {
        struct person person = check_action_person(explaining->run);
        verdict = EXPLAINED_ROLE;
        description_roles(action->roles, condition);
        snprintf(saw, sizeof saw, "%s", person.login ? person.login : "a deleted account");
    }
    put_item(explaining, EXPLAINED_CHECK_ACTION, name, verdict, condition, saw);
}

/* ---- the frame ---- */

/* 0, or -1 when memory is short. */
static int write_frame(struct run *run, struct buffer *buffer) {
    const struct snek_plugin *plugin = worker_plugin(run_worker(run));
    struct explaining explaining = {.run = run, .plugin = plugin, .own = matching_is_own(run)};
    frame_begin(&explaining.writer, buffer, FRAME_EXPLAINED, run_handle(run), 0);
    frame_put_number(&explaining.writer, (uint64_t)plugin->subscriptions_count +
                                             plugin->schedules_count + plugin->commands_count +
                                             plugin->check_actions_count);
    for (uint32_t i = 0; i < plugin->subscriptions_count; i++) {
        explain_subscription(&explaining, &plugin->subscriptions[i]);
    }
    for (uint32_t i = 0; i < plugin->schedules_count; i++) {
        explain_schedule(&explaining, &plugin->schedules[i]);
    }
    explain_commands(&explaining);
    for (uint32_t i = 0; i < plugin->check_actions_count; i++) {
        explain_check_action(&explaining, &plugin->check_actions[i]);
    }
    return frame_end(&explaining.writer);
}

int explain_delivery(struct worker *worker, struct wire_frame *frame) {
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT(FRAME_TO_HOST_MAX);
    struct run *run;
    char *body = frame->body;
    frame->body = NULL;
    int made = body ? run_new(worker, frame->head.run, body, frame->head.body_bytes, &run) : -1;
    if (made < 0) {
        return -1;
    }
    int written = made == 0 ? write_frame(run, &buffer) : -1;
    if (made == 0) {
        run_free(run);
    }
    if (written < 0) {
        /* Memory is short. An empty explanation is better than none. */
        struct frame_writer writer;
        buffer.bytes = 0;
        frame_begin(&writer, &buffer, FRAME_EXPLAINED, frame->head.run, 0);
        frame_put_number(&writer, 0);
        if (frame_end(&writer) < 0) {
            return 0;
        }
    }
    /* When the host is gone, the next read notices it. */
    (void)wire_send(worker_wire(worker), &buffer, NULL, 0);
    return 0;
}
