/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads explanations, and writes them as sentences. */
#include "protocol/explained.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* False: the text is too long for `out`. */
static void take_text(struct frame_reader *reader, char *out, size_t room) {
    struct frame_text text = frame_get_text(reader, room - 1);
    text_clean(out, room, text.bytes > 0 ? text.data : "", text.bytes);
}

int explained_parse(struct frame_reader *reader, struct explained **items, size_t *n_items) {
    uint64_t n = frame_get_number(reader);
    if (reader->failed || n > EXPLAINED_ITEMS_MAX) {
        return -1;
    }
    struct explained *made = calloc(n + 1, sizeof *made);
    if (!made) {
        return 1;
    }
    for (uint64_t i = 0; i < n && !reader->failed; i++) {
        uint64_t kind = frame_get_number(reader);
        take_text(reader, made[i].name, sizeof made[i].name);
        uint64_t verdict = frame_get_number(reader);
        take_text(reader, made[i].condition, sizeof made[i].condition);
        take_text(reader, made[i].saw, sizeof made[i].saw);
        reader->failed = reader->failed || kind >= EXPLAINED_KINDS || verdict >= EXPLAINED_VERDICTS;
        made[i].kind = (enum explained_kind)kind;
        made[i].verdict = (enum explained_verdict)verdict;
    }
    if (frame_read_end(reader) < 0) {
        free(made);
        return -1;
    }
    *items = made;
    *n_items = (size_t)n;
    return 0;
}

const char *explained_kind_name(enum explained_kind kind) {
    static const char *const names[] = {[EXPLAINED_SUBSCRIPTION] = "subscription",
                                        [EXPLAINED_SCHEDULE] = "schedule",
                                        [EXPLAINED_COMMAND] = "command",
                                        [EXPLAINED_CHECK_ACTION] = "check action"};
    return names[kind];
}

const char *explained_verdict_name(enum explained_verdict verdict) {
    static const char *const names[] = {
        [EXPLAINED_MATCHES] = "matches",       [EXPLAINED_EVENT] = "event",
        [EXPLAINED_ACTION] = "action",         [EXPLAINED_OWN] = "own",
        [EXPLAINED_FILTER] = "filter",         [EXPLAINED_NO_TEXT] = "no text",
        [EXPLAINED_NOT_GIVEN] = "not given",   [EXPLAINED_OLD_TEXT] = "old text",
        [EXPLAINED_UNREADABLE] = "unreadable", [EXPLAINED_PERMISSION] = "permission",
        [EXPLAINED_OTHER_APP] = "other app",   [EXPLAINED_ROLE] = "role"};
    return names[verdict];
}

void explained_sentence(const struct explained *item, char out[EXPLAINED_SENTENCE_MAX + 1]) {
    const char *saw = *item->saw ? item->saw : "none";
    size_t room = EXPLAINED_SENTENCE_MAX + 1;
    switch (item->verdict) {
    case EXPLAINED_MATCHES:
        snprintf(out, room, "it matches");
        break;
    case EXPLAINED_EVENT:
        snprintf(out, room, "it wants the event %s; the delivery's is %s", item->condition, saw);
        break;
    case EXPLAINED_ACTION:
        snprintf(out, room, "it wants the action %s; the delivery's is %s", item->condition, saw);
        break;
    case EXPLAINED_OWN:
        snprintf(out, room, "the bot itself caused this, and it does not ask for own events");
        break;
    case EXPLAINED_FILTER:
        snprintf(out, room, "its filter %s does not match: the payload has %s", item->condition,
                 saw);
        break;
    case EXPLAINED_NO_TEXT:
        snprintf(out, room, "commands are not read in this event and action");
        break;
    case EXPLAINED_NOT_GIVEN:
        snprintf(out, room,
                 "no line of the text gives it; quotes, lists and code do not count%s%s%s",
                 *item->saw ? "; the text is \"" : "", item->saw, *item->saw ? "\"" : "");
        break;
    case EXPLAINED_OLD_TEXT:
        snprintf(out, room, "the text is older than the event: it was moved here");
        break;
    case EXPLAINED_UNREADABLE:
        snprintf(out, room, "the text takes too much time or memory to read as Markdown");
        break;
    case EXPLAINED_PERMISSION:
        snprintf(out, room,
                 "commands in this event need the permission %s, which the plugin does "
                 "not declare",
                 item->condition);
        break;
    case EXPLAINED_OTHER_APP:
        snprintf(out, room, "the check belongs to another app, %s; the bot's is %s", saw,
                 item->condition);
        break;
    default:
        snprintf(out, room,
                 "it is given by %s, and called if GitHub says that this person has one "
                 "of the roles: %s",
                 saw, item->condition);
        break;
    }
}
