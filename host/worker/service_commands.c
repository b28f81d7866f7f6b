/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commands": the words of a command, and replies and reactions to its target. */
#include "base/buffer.h"
#include "base/json.h"
#include "protocol/frames.h"
#include "worker/comment_targets.h"
#include "worker/discussion.h"
#include "worker/permanent.h"
#include "worker/reactions.h"
#include "worker/run.h"
#include "worker/services.h"

#include <snekomatic/convenience.h>

#include <string.h>

static const char *commands_argument(struct snek_run *shown, uint32_t n) {
    return shown ? run_word(run_of(shown), n) : NULL;
}

static struct snek_text commands_body(struct snek_run *shown) {
    struct run *run = shown ? run_of(shown) : NULL;
    const struct comment_target *target = run ? comment_target_of(run_event(run)) : NULL;
    struct snek_value value;
    if (!target) {
        return (struct snek_text){0};
    }
    if (run_find(run, target->body, &value) == SNEK_STRING) {
        return value.text;
    }
    /* GitHub sends null for a text that its author left empty. */
    return (struct snek_text){.data = "", .bytes = 0};
}

static int32_t no_target(struct run *run, const char *what) {
    return run_fail(run, SNEK_E_NO_TARGET, "the event %s has no target for %s", run_event(run),
                    what);
}

/* The number of the review comment that the thread starts with. */
static bool find_thread(const struct run *run, const struct comment_target *target, int64_t *id) {
    const struct snek_text payload = run_payload(run);
    const char *const paths[] = {target->reply_thread, target->reply_start};
    struct json_value found;
    for (size_t i = 0; i < 2; i++) {
        if (json_find(payload.data, payload.bytes, paths[i], &found) &&
            json_to_integer(&found, id)) {
            return true;
        }
    }
    return false;
}

static int32_t post(struct run *run, const struct buffer *url, const char *name, const char *value,
                    uint32_t flags) {
    struct snek_run *shown = run_shown(run);
    return snek_request(shown, "POST", url->data,
                        .json = snek_json(shown, "{'%s':'%s'}", name, value), .flags = flags);
}

static int32_t commands_reply(struct snek_run *shown, const char *markdown) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!markdown) {
        return run_fail_null(run, "reply() needs a text, and got NULL");
    }
    if (permanent_text(markdown)) {
        run_fail(run, SNEK_E_TOO_LARGE,
                 "the reply is longer than %d characters, GitHub's limit: shorten it or split it",
                 TEXT_CHARACTERS_MAX);
        run_mark_permanent(run, SNEK_E_TOO_LARGE);
        return SNEK_E_TOO_LARGE;
    }
    const struct comment_target *target = comment_target_of(run_event(run));
    if (target && target->discussion_node) {
        return discussion_reply(run, target, markdown);
    }
    const char *root = target && target->reply_url ? run_find_text(run, target->reply_url) : NULL;
    int64_t thread = 0;
    if (!root || (target->reply_thread && !find_thread(run, target, &thread))) {
        return no_target(run, "a reply");
    }
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    int result = target->reply_thread
                     ? buffer_printf(&url, "%s/%lld/replies", root, (long long)thread)
                     : buffer_append_text(&url, root);
    return result == 0 ? post(run, &url, "body", markdown, 0) : no_target(run, "a reply");
}

static int32_t commands_react(struct snek_run *shown, const char *reaction) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!reaction || !reaction_graphql_name(reaction)) {
        return run_fail(run, SNEK_E_INVALID,
                        "react() takes +1, -1, laugh, confused, heart, hooray, rocket or eyes, not "
                        "%.40s",
                        reaction ? reaction : "NULL");
    }
    const struct comment_target *target = comment_target_of(run_event(run));
    if (target && target->discussion_node) {
        return discussion_react(run, target, reaction);
    }
    const char *root = target && target->react_url ? run_find_text(run, target->react_url) : NULL;
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    if (!root || buffer_printf(&url, "%s/reactions", root) < 0) {
        return no_target(run, "a reaction");
    }
    /* When the bot has added the same reaction before, GitHub responds with 200. */
    return post(run, &url, "content", reaction, SNEK_REQUEST_REPEATABLE);
}

const struct snek_commands_service service_commands = {
    .bytes = sizeof(struct snek_commands_service),
    .argument = commands_argument,
    .body = commands_body,
    .reply = commands_reply,
    .react = commands_react,
};
