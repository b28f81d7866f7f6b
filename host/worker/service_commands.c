/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Service "commands": the words of a command, and answers to the place where it was given. */
#include "worker/places.h"
#include "worker/services.h"
#include "worker/value.h"

#include "base/json.h"

#include <string.h>

static const char *commands_argument(struct snek_run *shown, uint32_t n) {
    return shown && n < run_of(shown)->words_count ? run_of(shown)->words[n] : NULL;
}

static struct snek_text commands_body(struct snek_run *shown) {
    const struct place *place = shown ? place_of(run_of(shown)->event) : NULL;
    struct snek_value value;
    if (!place) {
        return (struct snek_text){0};
    }
    struct run *run = run_of(shown);
    uint32_t kind =
        value_find(&run->arena, run->payload.data, run->payload.bytes, place->body, &value);
    /* GitHub has null for what was left empty. */
    return kind == SNEK_STRING ? value.text : (struct snek_text){.data = "", .bytes = 0};
}

/* The string at `path` of the payload; NULL when there is none, or a NUL that would cut it. */
static const char *find_string(struct run *run, const char *path) {
    struct snek_value value;
    bool found = path && value_find(&run->arena, run->payload.data, run->payload.bytes, path,
                                    &value) == SNEK_STRING;
    return found && strlen(value.text.data) == value.text.bytes ? value.text.data : NULL;
}

static int32_t no_place(struct run *run, const char *what) {
    return run_fail(run, SNEK_E_NO_TARGET, "%s has no place for %s", run->event, what);
}

/* The number of the review comment that the thread starts with. */
static bool find_thread(const struct run *run, const struct place *place, int64_t *id) {
    const char *const paths[] = {place->reply_thread, place->reply_start};
    struct json_value found;
    for (size_t i = 0; i < 2; i++) {
        if (json_find(run->payload.data, run->payload.bytes, paths[i], &found) &&
            json_to_integer(&found, id)) {
            return true;
        }
    }
    return false;
}

static int32_t post(struct run *run, const struct buffer *url, const char *name, const char *value,
                    uint32_t flags) {
    const struct snek_field field = {.name = name, .text = value, .kind = SNEK_FIELD_TEXT};
    const struct snek_request request = {.bytes = sizeof request,
                                         .flags = flags,
                                         .method = "POST",
                                         .url = url->data,
                                         .fields = &field,
                                         .fields_count = 1};
    return service_github.send(&run->shown, &request, NULL);
}

static int32_t commands_reply(struct snek_run *shown, const char *markdown) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!markdown) {
        return run_fail(run, SNEK_E_INVALID, "reply() without a text");
    }
    const struct place *place = place_of(run->event);
    const char *root = place ? find_string(run, place->reply_url) : NULL;
    int64_t thread = 0;
    if (!root || (place->reply_thread && !find_thread(run, place, &thread))) {
        return no_place(run, "a reply");
    }
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    int result = place->reply_thread
                     ? buffer_printf(&url, "%s/%lld/replies", root, (long long)thread)
                     : buffer_append_text(&url, root);
    return result == 0 ? post(run, &url, "body", markdown, 0) : no_place(run, "a reply");
}

static bool is_reaction(const char *reaction) {
    static const char *const reactions[] = {"+1",    "-1",     "laugh",  "confused",
                                            "heart", "hooray", "rocket", "eyes"};
    for (size_t i = 0; i < sizeof reactions / sizeof *reactions; i++) {
        if (strcmp(reactions[i], reaction) == 0) {
            return true;
        }
    }
    return false;
}

static int32_t commands_react(struct snek_run *shown, const char *reaction) {
    if (!shown) {
        return SNEK_E_INVALID;
    }
    struct run *run = run_of(shown);
    if (!reaction || !is_reaction(reaction)) {
        return run_fail(run, SNEK_E_INVALID,
                        "react() takes +1, -1, laugh, confused, heart, hooray, rocket or eyes, not "
                        "%.40s",
                        reaction ? reaction : "NULL");
    }
    const struct place *place = place_of(run->event);
    const char *root = place ? find_string(run, place->react_url) : NULL;
    AUTO_BUFFER struct buffer url = BUFFER_INIT(FRAME_URL_MAX);
    if (!root || buffer_printf(&url, "%s/reactions", root) < 0) {
        return no_place(run, "a reaction");
    }
    /* GitHub answers 200 when the same reaction is there already. */
    return post(run, &url, "content", reaction, SNEK_REQUEST_REPEATABLE);
}

const struct snek_commands_service service_commands = {
    .bytes = sizeof(struct snek_commands_service),
    .argument = commands_argument,
    .body = commands_body,
    .reply = commands_reply,
    .react = commands_react,
};
