/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which handlers a run is for, in which order, and how it ended. */
#include "worker/markdown.h"
#include "worker/places.h"
#include "worker/text.h"
#include "worker/value.h"
#include "worker/worker.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* What the handlers have said so far: the best of DONE and SKIPPED, or what stopped them. */
struct ending {
    int32_t result;
    bool called;
    struct reason reason;
};

/* ---- filters ---- */

static bool text_matches(const struct json_value *found, const char *wanted) {
    size_t bytes = strlen(wanted);
    switch (found->type) {
    case JSON_STRING:
        return json_text_is(found->raw + 1, found->raw_bytes - 2, wanted, bytes);
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN:
        return false;
    default:
        return found->raw_bytes == bytes && memcmp(found->raw, wanted, bytes) == 0;
    }
}

static bool filter_matches(const struct run *run, const struct snek_filter *filter) {
    struct json_value found;
    if (!json_find(run->payload.data, run->payload.bytes, filter->path, &found)) {
        return false;
    }
    if (filter->kind == SNEK_EXISTS) {
        return found.type != JSON_NULL;
    }
    for (size_t i = 0; i < SNEK_FILTER_VALUES_MAX && filter->values[i]; i++) {
        if (text_matches(&found, filter->values[i])) {
            return true;
        }
    }
    return false;
}

static bool subscription_matches(const struct run *run, const struct snek_subscription *s) {
    if (strcmp(s->event, run->event) != 0 || (s->action && strcmp(s->action, run->action) != 0)) {
        return false;
    }
    for (size_t i = 0; i < SNEK_SUBSCRIPTION_FILTERS_MAX && s->filters[i].path; i++) {
        if (!filter_matches(run, &s->filters[i])) {
            return false;
        }
    }
    return true;
}

/* ---- calling ---- */

/* A result that is none is an error of the plugin, not something for the host to interpret. */
static int32_t checked_result(struct run *run, int32_t result) {
    if (result > SNEK_REJECTED || result < SNEK_E_IN_DOUBT) {
        return run_fail(run, SNEK_E_FAILED, "the handler returned %d, which is no result", result);
    }
    if (result < 0 && !run->reason.text[0]) {
        return run_fail(run, result, "the handler returned %d without a reason", result);
    }
    return result;
}

/* Calls a handler; true when the next one may be called. */
static bool call_handler(struct run *run, snek_handler handler, struct ending *ending) {
    run->reason = (struct reason){0};
    int32_t result = checked_result(run, handler(&run->shown));
    if (run->reason.of_call && result >= 0) {
        run->reason.text[0] = '\0'; /* a call failed, and the handler made good of it */
    }
    bool goes_on = result == SNEK_DONE || result == SNEK_SKIPPED;
    if (!ending->called || !goes_on || result == SNEK_DONE || ending->result == SNEK_SKIPPED) {
        ending->result = result;
        ending->reason = run->reason;
    }
    ending->called = true;
    return goes_on;
}

/* ---- commands ---- */

/* Splits `line`, in place, at white space; the number of words, of which `words` has room for all
 * when `most` is the line's bytes. */
static uint32_t split(char *line, const char **words, size_t most) {
    uint32_t count = 0;
    while (*line && count < most) {
        size_t space = text_space(line);
        if (space > 0) {
            memset(line, 0, space);
            line += space;
            continue;
        }
        words[count++] = line;
        while (*line && text_space(line) == 0) {
            line++;
        }
    }
    return count;
}

static const struct snek_command *find_command(const struct snek_plugin *plugin, const char *word) {
    for (uint32_t i = 0; i < plugin->commands_count && *word == '/'; i++) {
        if (strcmp(plugin->commands[i].name, word + 1) == 0) {
            return &plugin->commands[i];
        }
    }
    return NULL;
}

static bool may_give(const struct run *run, const struct place *place,
                     const struct snek_command *command) {
    static const char *const by_rank[] = {"", "COLLABORATOR", "MEMBER", "OWNER"};
    struct json_value found;
    bool is_text = json_find(run->payload.data, run->payload.bytes, place->author, &found) &&
                   found.type == JSON_STRING;
    for (uint32_t rank = SNEK_WHO_OWNER; is_text && rank >= command->who && rank > 0; rank--) {
        if (text_matches(&found, by_rank[rank])) {
            return true;
        }
    }
    return command->who == SNEK_WHO_ANYBODY;
}

static bool call_command(struct run *run, const struct place *place, char *line,
                         struct ending *ending) {
    size_t most = strlen(line) / 2 + 1; /* words */
    AUTO_FREE const char **words = malloc(most * sizeof *words);
    if (!words) {
        ending->result = run_fail(run, SNEK_E_FAILED, "the worker is out of memory");
        ending->reason = run->reason;
        return false;
    }
    uint32_t count = split(line, words, most);
    const struct snek_command *command =
        count > 0 ? find_command(&run->worker->plugin, words[0]) : NULL;
    if (!command) {
        return true; /* in silence: a traceback's lines start with a slash too */
    }
    if (!may_give(run, place, command)) {
        char text[FRAME_NAME_MAX + 100];
        (void)snprintf(text, sizeof text, "ignored /%s: its author may not give it", command->name);
        worker_log(run->worker, run, SNEK_LEVEL_INFO, text);
        return true;
    }
    run->words = words;
    run->words_count = count;
    bool goes_on = call_handler(run, command->handler, ending);
    run->words = NULL;
    run->words_count = 0;
    return goes_on;
}

/* What somebody wrote was perhaps a command. */
static void say_how_it_was_read(struct run *run, enum markdown_read read, struct ending *ending) {
    char text[200];
    if (read == MARKDOWN_CUT) {
        (void)snprintf(text, sizeof text,
                       "looked for commands in the first %zu characters of the text only",
                       MARKDOWN_CHARACTERS_MAX);
    } else {
        (void)snprintf(
            text, sizeof text,
            "looked for no commands: as Markdown the text takes too much time or memory");
    }
    worker_log(run->worker, run, SNEK_LEVEL_WARNING, text);
    if (!ending->called) {
        (void)snprintf(ending->reason.text, sizeof ending->reason.text, "%s", text);
    }
}

static void call_commands(struct run *run, struct ending *ending) {
    const struct place *place = place_of(run->event);
    struct snek_value body;
    struct markdown_lines lines;
    if (run->worker->plugin.commands_count == 0 || run->from_self || !place ||
        strcmp(place->command_action, run->action) != 0 ||
        value_find(&run->arena, run->payload.data, run->payload.bytes, place->body, &body) !=
            SNEK_STRING) {
        return;
    }
    if (markdown_command_lines(body.text.data, body.text.bytes, &lines) < 0) {
        ending->result = run_fail(run, SNEK_E_FAILED, "the worker is out of memory");
        ending->reason = run->reason;
        return;
    }
    if (lines.read != MARKDOWN_WHOLE) {
        say_how_it_was_read(run, lines.read, ending);
    }
    for (size_t i = 0; i < lines.count; i++) {
        if (!call_command(run, place, lines.lines[i], ending)) {
            break;
        }
    }
    markdown_lines_finish(&lines);
}

int32_t run_handle(struct run *run) {
    const struct snek_plugin *plugin = &run->worker->plugin;
    struct ending ending = {.result = SNEK_SKIPPED, .reason.text = "nothing matched"};
    bool goes_on = true;
    for (uint32_t i = 0; i < plugin->subscriptions_count && goes_on; i++) {
        if (subscription_matches(run, &plugin->subscriptions[i])) {
            goes_on = call_handler(run, plugin->subscriptions[i].handler, &ending);
        }
    }
    if (goes_on) {
        call_commands(run, &ending);
    }
    run->reason = ending.reason;
    return ending.result;
}
