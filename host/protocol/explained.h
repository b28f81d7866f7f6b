/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Why a delivery calls a handler of a plugin, or does not: the content of FRAME_EXPLAINED, and the
 * sentences for people. */
#ifndef SNEK_PROTOCOL_EXPLAINED_H
#define SNEK_PROTOCOL_EXPLAINED_H

#include "protocol/frames.h"

#include <stddef.h>

enum explained_kind {
    EXPLAINED_SUBSCRIPTION,
    EXPLAINED_SCHEDULE,
    EXPLAINED_COMMAND,
    EXPLAINED_CHECK_ACTION,
    /* Their number. */
    EXPLAINED_KINDS,
};

/* The first condition that failed. */
enum explained_verdict {
    /* None: the handler is called. */
    EXPLAINED_MATCHES,
    /* Another event, another action: `condition` is wanted. */
    EXPLAINED_EVENT,
    EXPLAINED_ACTION,
    /* The bot itself caused the event. */
    EXPLAINED_OWN,
    /* The filter `condition`. */
    EXPLAINED_FILTER,
    /* No command is read in this event and action; the text does not give this command; the text is
     * older than the event; the text is too large to read as Markdown. */
    EXPLAINED_NO_TEXT,
    EXPLAINED_NOT_GIVEN,
    EXPLAINED_OLD_TEXT,
    EXPLAINED_UNREADABLE,
    /* Commands in this event need the permission `condition`, which the plugin lacks. */
    EXPLAINED_PERMISSION,
    /* The check run or check suite belongs to another app: `condition` is ours. */
    EXPLAINED_OTHER_APP,
    /* The command or check action is given, and needs one of the roles `condition`. Only GitHub
     * knows the roles of the person, so the handler may be called. */
    EXPLAINED_ROLE,
    /* Their number. */
    EXPLAINED_VERDICTS,
};

/* Bytes of `condition` and `saw`; longer ones are cut. */
#define EXPLAINED_TEXT_MAX 300
/* The most items of a plugin. */
#define EXPLAINED_ITEMS_MAX ((size_t)EXPLAINED_KINDS * FRAME_ITEMS_MAX)

/* One subscription, schedule, command or check action of the plugin. */
struct explained {
    enum explained_kind kind;
    enum explained_verdict verdict;
    /* "pull_request.closed", "nightly", "/invite", "the button set-pass of DCO". */
    char name[2 * FRAME_NAME_MAX + 2];
    char condition[EXPLAINED_TEXT_MAX + 1];
    /* The value that the payload has in place of `condition`; the person of a command or check
     * action; the start of a text that does not give a command. */
    char saw[EXPLAINED_TEXT_MAX + 1];
};

/* Reads the body of a FRAME_EXPLAINED. 0, and `*items`, which the caller frees; 1: memory is short;
 * -1: the frame is malformed. */
int explained_parse(struct frame_reader *reader, struct explained **items, size_t *n_items);

/* Bytes of a sentence. */
#define EXPLAINED_SENTENCE_MAX (2 * EXPLAINED_TEXT_MAX + 200)
/* "its filter pull_request.merged = true does not match: the payload has false". */
void explained_sentence(const struct explained *item, char out[EXPLAINED_SENTENCE_MAX + 1]);
/* "subscription", "schedule", "command" or "check action". */
const char *explained_kind_name(enum explained_kind kind);
/* "matches", "event", "action", "own", "filter" ...: for programs. */
const char *explained_verdict_name(enum explained_verdict verdict);

#endif
