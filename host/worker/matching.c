/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compares a delivery with the plugin's descriptor. */
#include "worker/matching.h"

#include "worker/descriptor.h"
#include "worker/words.h"
#include "worker/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

bool matching_filter(const struct run *run, const struct snek_filter *filter,
                     struct json_value *found) {
    struct snek_text payload = run_payload(run);
    *found = (struct json_value){.type = JSON_ERROR};
    if (!json_find(payload.data, payload.bytes, filter->path, found)) {
        found->type = JSON_ERROR;
        return false;
    }
    if (filter->kind == SNEK_EXISTS) {
        return found->type != JSON_NULL;
    }
    for (size_t i = 0; i < SNEK_FILTER_VALUES_MAX && filter->values[i]; i++) {
        if (text_matches(found, filter->values[i])) {
            return true;
        }
    }
    return false;
}

static bool field_is(const struct run *run, const char *path, const char *wanted) {
    struct json_value found;
    struct snek_text payload = run_payload(run);
    return json_find(payload.data, payload.bytes, path, &found) && text_matches(&found, wanted);
}

/* True when the sender is the app's bot user. Its id stays the same when the app is renamed. */
static bool sender_is_bot(const struct run *run) {
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, run_bot_user(run));
    return run_bot_user(run) != 0 && field_is(run, "sender.id", id);
}

/* True when the event reports that a check of this app was created or completed. The sender
 * of such an event may be a person. `rerequested` and `requested_action` always come from people.
 */
static bool is_own_check(const struct run *run) {
    const char *event = run_event(run), *action = run_action(run);
    bool of_checks = strcmp(event, "check_run") == 0 || strcmp(event, "check_suite") == 0;
    bool of_app = strcmp(action, "created") == 0 || strcmp(action, "completed") == 0;
    return of_checks && of_app && matching_is_of_app(run);
}

bool matching_is_of_app(const struct run *run) {
    const char *event = run_event(run);
    char path[FRAME_NAME_MAX + 16];
    snprintf(path, sizeof path, "%s.app.id", event);
    if (field_is(run, path, run_app(run))) {
        return true;
    }
    snprintf(path, sizeof path, "%s.app.client_id", event);
    return field_is(run, path, run_app(run));
}

bool matching_is_own(const struct run *run) {
    return sender_is_bot(run) || is_own_check(run);
}

bool matching_subscription(const struct run *run, const struct snek_subscription *s) {
    struct json_value found;
    if (strcmp(s->event, run_event(run)) != 0 ||
        (s->action && strcmp(s->action, run_action(run)) != 0)) {
        return false;
    }
    for (size_t i = 0; i < SNEK_SUBSCRIPTION_FILTERS_MAX && s->filters[i].path; i++) {
        if (!matching_filter(run, &s->filters[i], &found)) {
            return false;
        }
    }
    return true;
}

/* ---- commands ---- */

/* Splits `line`, in place, at white space. Returns the number of words, at most `most`. */
uint32_t matching_split(char *line, const char **words, size_t most) {
    uint32_t count = 0;
    while (*line && count < most) {
        size_t space = words_space(line);
        if (space > 0) {
            memset(line, 0, space);
            line += space;
            continue;
        }
        words[count++] = line;
        while (*line && words_space(line) == 0) {
            line++;
        }
    }
    return count;
}

const struct snek_command *matching_command(const struct snek_plugin *plugin, const char *word) {
    for (uint32_t i = 0; i < plugin->commands_count && *word == '/'; i++) {
        if (strcmp(plugin->commands[i].name, word + 1) == 0) {
            return &plugin->commands[i];
        }
    }
    return NULL;
}

struct person matching_author(struct run *run, const struct comment_target *target) {
    struct person author;
    char path[40];
    snprintf(path, sizeof path, "%s.login", target->user);
    author.login = run_find_text(run, path);
    snprintf(path, sizeof path, "%s.id", target->user);
    author.id = run_find_integer(run, path);
    return author;
}

/* Is the text older than the event? Then its commands were given elsewhere. */
static bool is_old_text(struct run *run, const struct comment_target *target) {
    struct snek_value mover;
    char path[40];
    if (target->moved_from && run_find(run, target->moved_from, NULL) > SNEK_NULL) {
        return true;
    }
    snprintf(path, sizeof path, "%s.id", target->moved_by ? target->moved_by : "");
    return target->moved_by && run_find(run, path, &mover) == SNEK_NUMBER &&
           mover.integer != matching_author(run, target).id;
}

enum matching_text matching_find_text(struct run *run, const struct comment_target **target) {
    const struct snek_plugin *plugin = worker_plugin(run_worker(run));
    const struct comment_target *found = comment_target_of(run_event(run));
    if (plugin->commands_count == 0 || !found ||
        strcmp(found->command_action, run_action(run)) != 0) {
        return MATCHING_NO_TEXT;
    }
    *target = found;
    if (found->permission && !descriptor_declares(plugin, found->permission)) {
        return MATCHING_NOT_PERMITTED;
    }
    return is_old_text(run, found) ? MATCHING_OLD_TEXT : MATCHING_TEXT;
}
