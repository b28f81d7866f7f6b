/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commands": the words of a command, and replies and reactions to its target. */
#include "base/buffer.h"
#include "base/json.h"
#include "protocol/frames.h"
#include "worker/comment_targets.h"
#include "worker/discussion.h"
#include "worker/permanent.h"
#include "worker/reactions.h"
#include "worker/response.h"
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

/* `id` may be NULL. */
static int32_t post_comment(struct run *run, const char *url, const char *markdown,
                            const char *once, int64_t *id) {
    struct snek_run *shown = run_shown(run);
    struct snek_response *response = NULL;
    int32_t result =
        snek_request(shown, "POST", url, .json = snek_json(shown, "{'body':'%s'}", markdown),
                     .once = once, .response = id ? &response : NULL);
    if (result == 0 && id) {
        *id = snek_response_integer(shown, response, "id", 0);
    }
    response_free(response);
    return result;
}

static int32_t commands_reply(struct snek_run *shown, const char *markdown, const char *once,
                              int64_t *id) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t checked = permanent_check(run, markdown);
    if (checked < 0) {
        return checked;
    }
    const struct comment_target *target = comment_target_of(run_event(run));
    if (target && target->discussion_node) {
        return discussion_reply(run, target, markdown, once, id);
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
    return result == 0 ? post_comment(run, url.data, markdown, once, id)
                       : no_target(run, "a reply");
}

static int32_t commands_comment(struct snek_run *shown, int64_t number, const char *markdown,
                                const char *once, int64_t *id) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    int32_t checked = permanent_check(run, markdown);
    if (checked < 0) {
        return checked;
    }
    const char *url =
        snek_print(shown, "/repos/{owner}/{repo}/issues/%" PRId64 "/comments", number);
    return post_comment(run, url, markdown, once, id);
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
    if (target && target->node) {
        return discussion_react(run, target, reaction);
    }
    const char *root = target ? run_find_text(run, target->react_url) : NULL;
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    if (!root || buffer_printf(&url, "%s/reactions", root) < 0) {
        return no_target(run, "a reaction");
    }
    /* When the bot has added the same reaction before, GitHub responds with 200. */
    return snek_request(shown, "POST", url.data,
                        .json = snek_json(shown, "{'content':'%s'}", reaction),
                        .flags = SNEK_REQUEST_REPEATABLE);
}

const struct snek_commands_service service_commands = {
    .bytes = sizeof(struct snek_commands_service),
    .argument = commands_argument,
    .body = commands_body,
    .reply = commands_reply,
    .comment = commands_comment,
    .react = commands_react,
};
